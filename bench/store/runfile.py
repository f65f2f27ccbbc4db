"""run.json: what is true of all rows of a run, and the mark that it is finished."""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import StoreError
from bench.model import SCHEMA_VERSION, Run
from bench.store import disk, strict
from bench.words import brief

if TYPE_CHECKING:
    from bench.store.places import Place

NAME = "run.json"
FORMAT = "regionbench run"
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class NewerFormat(StoreError):
    """The file is from the future."""


def document(run: Run, **facts: Any) -> dict[str, Any]:
    """The document of a run; ``facts`` are the store's own: what it made, to be checked later."""
    return {"format": FORMAT, **dataclasses.asdict(run), "stored": facts or None}


def write(folder: Path, content: dict[str, Any]) -> None:
    """Replaces run.json atomically. Values that JSON has no word for are stored as text."""
    text = json.dumps({"crc": crc(content), **content}, indent=1, default=str)
    disk.replace(folder / NAME, text.encode() + b"\n")


def read(folder: Path) -> tuple[dict[str, Any], bool]:
    """The document, and whether it is as it was written. StoreError when it cannot be used."""
    return _read(str(folder / NAME), lambda: disk.read(folder / NAME))


def read_at(place: Place) -> tuple[dict[str, Any], bool]:
    """As `read`, from wherever the run lies."""

    def content() -> bytes:
        with place.open(NAME) as file:
            return file.read()

    return _read(place.path(NAME), content)


def _read(path: str, content_of: Callable[[], bytes]) -> tuple[dict[str, Any], bool]:
    try:
        content = _load(path, content_of)
        _check(path, content)
        said, text = content.pop("crc", None), _text(content)
        intact = said == _crc(text)
        return content if _harmless(text) else strict.whole(content), intact
    except RecursionError as error:
        raise _damaged(path, "it is nested too deeply") from error


def _load(path: str, content_of: Callable[[], bytes]) -> dict[str, Any]:
    try:
        content = json.loads(content_of().decode())
    except OSError as error:
        raise StoreError(
            f"Could not read {path}: {disk.reason(error)}; {_rows_remedy(path)}"
        ) from error
    except ValueError as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StoreError(f"{path} is not a regionbench run; {_rows_remedy(path)}")
    return content


def _damaged(path: str, why: str) -> StoreError:
    return StoreError(f"{path} is damaged: {why}; {_rows_remedy(path)}")


def _rows_remedy(path: str) -> str:
    return f"its rows may still be whole: give the path of {path.removesuffix(NAME)}samples.jsonl."


def _check(path: str, content: dict[str, Any]) -> None:
    version = content.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise newer(path, version)
    expected = {"schema_version": int, "run_id": str, "status": str, "scheduled": int}
    wrong = [name for name, kind in expected.items() if type(content.get(name)) is not kind]
    if "run_id" not in wrong and not RUN_ID.fullmatch(content["run_id"]):
        wrong.append("run_id")
    if "status" not in wrong and not content["status"].strip():
        wrong.append("status")
    if wrong:
        raise _damaged(path, f"{', '.join(wrong)} missing or wrong")


def newer(path: object, version: int) -> NewerFormat:
    """The error for a file from the future."""
    return NewerFormat(
        f"{path} was written by a newer regionbench (schema version {brief(version, 20)}, "
        f"this one reads up to {SCHEMA_VERSION}): upgrade regionbench to read it."
    )


def crc(content: Any) -> str:
    """The checksum of what JSON says, whatever its spacing."""
    return _crc(_text(content))


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _text(content: Any) -> str:
    return json.dumps(content, default=str)


def _harmless(text: str) -> bool:
    """Whether there is nothing for `strict.whole` to mend, which takes longer than the reading:
    as ASCII, half a character is an escape, and a number that is none has a name."""
    return not any(mark in text for mark in (r"\ud", "NaN", "Infinity"))
