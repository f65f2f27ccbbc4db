"""tags.json: words that people put on a run after it was made. run.json stays as it was written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.errors import StoreError
from bench.store import disk

NAME = "tags.json"
FORMAT = "regionbench tags"
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_BYTES = 100_000


def read(folder: Path) -> tuple[str, ...]:
    """The tags of a run, sorted; empty without a file. StoreError for a file that is not one."""
    path = folder / NAME
    try:
        with os.fdopen(disk.open_plain(path, os.O_RDONLY), "rb") as file:
            content = json.loads(file.read(_MAX_BYTES).decode())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"Could not read {path}: {disk.reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    tags = content.get("tags") if isinstance(content, dict) else None
    if not isinstance(tags, list) or content.get("format") != FORMAT or not all(map(is_tag, tags)):
        raise _damaged(path)
    return tuple(sorted(set(tags)))


def change(folder: Path, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> tuple[str, ...]:
    """The tags that a run has after some were put on and others taken off.

    StoreError for a word that cannot be a tag, and when the file cannot be read or written; it
    holds what it held before then.
    """
    wrong = [tag for tag in add if not is_tag(tag)]
    if wrong:
        raise StoreError(
            f"{wrong[0]!r} cannot be a tag: use 1 to 64 of A-Z a-z 0-9 . _ -, no sign first"
        )
    with disk.explained(f"write {folder / NAME}"), _alone(folder):
        tags = tuple(sorted({*read(folder), *add} - set(drop)))
        content = {"format": FORMAT, "tags": tags}
        disk.replace(folder / NAME, json.dumps(content).encode() + b"\n")
    return tags


def is_tag(word: object) -> bool:
    """Whether a word can be a tag."""
    return isinstance(word, str) and _TAG.fullmatch(word) is not None


def _damaged(path: Path) -> StoreError:
    return StoreError(f"{path} is damaged: remove it and tag the run again.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One change at a time, or of two at once one would be lost."""
    fd = disk.open_folder(folder)
    try:
        disk.wait_lock(fd)
        yield
    finally:
        os.close(fd)
