"""What all readers of other tools' lines share: lines that may be anything, rows, and their run.

A line that cannot be used costs only itself and is told, with its number and why. What a tool does
not say is None in the row: nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.errors import StoreError
from bench.model import SCHEMA_VERSION, Caution
from bench.store import StoredRun, disk, strict
from bench.store.lines import Row, completed

MOST_BYTES = 1_000_000
"""Of one line; no tool writes a longer one of a request."""

EITHER = "either"
"""Stands for ``warm`` or ``cold`` where the tool does not say whether the connection was new."""

LONGEST_S = 1e6

Facts = dict[str, Any]
"""What a line says of one request, as columns of the row; what is missing is unknown."""


class Unreadable(ValueError):
    """Why a line cannot be used, in words that follow "line 7 ": ``is not JSON``."""


class Lost:
    """Lines that could not be used: how many for each reason, and where the first one is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, list[int]] = {}

    def add(self, line: int, why: str) -> None:
        """Note one."""
        self._found.setdefault(why, []).append(line)

    def first(self) -> str | None:
        """Where the first one is and why, ``line 7 is not JSON``; None without any."""
        return next((f"line {lines[0]} {why}" for why, lines in self._found.items()), None)

    def cautions(self) -> list[Caution]:
        """One sentence a reason, with place and remedy."""
        return [self._told(why, lines) for why, lines in self._found.items()]

    def _told(self, why: str, lines: list[int]) -> Caution:
        rest = f", and {len(lines) - 1} more lines like it" if len(lines) > 1 else ""
        text = f"{self._path}: line {lines[0]} {why}{rest}: skipped."
        return Caution("skipped_lines", text, "Mend or remove them, or measure again.")


def numbered(path: Path, lost: Lost) -> Iterator[tuple[int, str]]:
    """The lines of a file as text, blank ones aside, each with its number from 1.

    Raises StoreError when the file cannot be read.
    """
    with disk.explained(f"read {path}"), path.open("rb") as file:
        number = 0
        while raw := file.readline(MOST_BYTES + 1):
            number += 1
            if len(raw) > MOST_BYTES:
                lost.add(number, f"is longer than {MOST_BYTES:,} bytes")
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(MOST_BYTES)
                continue
            try:
                text = raw.decode().strip()
            except UnicodeDecodeError:
                lost.add(number, "is not UTF-8")
                continue
            if text:
                yield number, text


def table(text: str) -> dict[str, Any]:
    """The JSON object of a line. Raises Unreadable."""
    try:
        found = strict.parse(text, as_told=True)
    except ValueError:
        raise Unreadable("is not whole JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("is no JSON object")
    return found


def inner(of: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table within a table; empty where there is none. Raises Unreadable for anything else."""
    value = of.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"has a {name} that is no table")
    return value


def text_of(of: Mapping[str, Any], name: str) -> str | None:
    """A text, None where there is none or an empty one. Raises Unreadable for anything else."""
    value = of.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Unreadable(f"has a {name} that is no text")
    return value


def host_and_path(url: str) -> tuple[str | None, str]:
    """Host and path of a URL, the host None where it names none. Raises Unreadable for no URL."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.path
    except ValueError:
        raise Unreadable("has a url that is none") from None


def number(of: Mapping[str, Any], name: str, most: float = 1e15) -> float | None:
    """A number that can be a time or a count; None where there is none. Raises Unreadable."""
    value = of.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < most or not math.isfinite(value):
        raise Unreadable(f"has a {name} that is no time or count")
    return float(value)


def span_ns(of: Mapping[str, Any], name: str, per: int) -> int | None:
    """A duration in ns, of a number of which one is ``per`` ns. Raises Unreadable."""
    value = number(of, name, LONGEST_S * 1e9 / per)
    return None if value is None else round(value * per)


def instant(text: str | None) -> dt.datetime | None:
    """The time that a text names, which must have its zone. Raises Unreadable."""
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        return found.astimezone(dt.UTC) if found.tzinfo else _no_zone()
    except (ValueError, OverflowError):
        raise Unreadable("has a time that is none with a zone") from None


def _no_zone() -> dt.datetime:
    raise ValueError


def utc(moment: dt.datetime | None, less_ns: int = 0) -> str | None:
    """As rows write a time, ``2026-03-14T09:00:00.000000+00:00``, ``less_ns`` earlier."""
    if moment is None:
        return None
    try:
        began = moment - dt.timedelta(microseconds=less_ns / 1000)
        return began.isoformat(timespec="microseconds")
    except OverflowError:
        raise Unreadable("has a time that is none with a zone") from None


def stored(
    tool: str, path: Path, facts: Iterable[Facts], lost: Lost, note: Caution, **known: Any
) -> StoredRun:
    """The run of a file: rows in the order of ``facts``, and what was skipped.

    StoreError when there is no request in it.
    """
    found = list(facts)
    if not found:
        why = lost.first() or "it is empty"
        raise StoreError(f"{path} holds no request that {tool} timed: {why}; measure again")
    begun = [str(one["started_at"]) for one in found if one.get("started_at")]
    run = _run(tool, path, min(begun, default=None)) | known
    listed = dict.fromkeys(str(one["endpoint"]) for one in found)
    run |= {"scheduled": len(found), "endpoints": [{"name": name} for name in listed]}
    return StoredRun(run, list(_rows(tool, run, found)), (note, *lost.cautions()))


def _run(tool: str, path: Path, began: str | None) -> Facts:
    digest = hashlib.sha256()
    with disk.explained(f"read {path}"), path.open("rb") as file:
        while piece := file.read(MOST_BYTES):
            digest.update(piece)
    stamp = "".join(filter(str.isalnum, began[:19])) if began else tool
    return {
        "run_id": f"{stamp}-{digest.hexdigest()[:6]}",
        "plan": {},
        "provider": tool,
        "vantage": "unknown",
        "preflight": [],
        "started_at": began,
        "versions": {},
        "platform": {},
        "status": "complete",
        "schema_version": SCHEMA_VERSION,
    }


def _rows(tool: str, run: Mapping[str, Any], found: list[Facts]) -> Iterator[Row]:
    rounds = _turns(found)
    for seq, facts in enumerate(found):
        yield completed(
            {
                "run_id": run["run_id"],
                "seq": seq,
                "round": next(rounds),
                "streamed": False,
                "client": tool,
                "connection": EITHER,
                "warmup": False,
                "vantage": run["vantage"],
            }
            | facts
        )


def _turns(found: list[Facts]) -> Iterator[int]:
    """The round of each request: one ends where somebody is asked the same again.

    So only what was asked in turns is paired, and what was asked in blocks is not.
    """
    seen, place = set[tuple[Any, Any]](), 0
    for facts in found:
        who = (facts["endpoint"], facts["kind"])
        if who in seen:
            seen, place = set(), place + 1
        seen.add(who)
        yield place


def read_lines(path: Path, lost: Lost, parse: Callable[[str], Facts | None]) -> Iterator[Facts]:
    """What ``parse`` makes of each line; what it raises as Unreadable is told."""
    for place, text in numbered(path, lost):
        try:
            facts = parse(text)
        except Unreadable as error:
            lost.add(place, str(error))
            continue
        if facts is not None:
            yield facts
