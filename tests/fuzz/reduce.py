"""The fewest and smallest inputs of a corpus that reach as much of the product as all of them.

    python -m tests.fuzz.reduce NAME FOLDER

takes what a call with --keep left in FOLDER/NAME; prints what it put into tests/fuzz/corpus/NAME.
What has a name of its own there found something once, and stays.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import bench
from tests.fuzz.drawn import seeds_of
from tests.fuzz.table import corpus, find
from tests.fuzz.target import Target

Arc = tuple[str, int, int]
_OURS = str(Path(bench.__file__).parent)
_MOST = 60


def arcs(target: Target, data: bytes) -> set[Arc]:
    """The steps from line to line that an input takes through the product."""
    found, last = set[Arc](), 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal last
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        found.add((frame.f_code.co_filename, last, frame.f_lineno))
        last = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        target.check(data)
    finally:
        sys.settrace(None)
    return found


def chosen(target: Target, kept: list[bytes], more: list[bytes]) -> list[bytes]:
    """Of ``more``, smallest first, those that reach what nothing before them does."""
    reached = set[Arc]().union(*(arcs(target, data) for data in kept))
    found: list[bytes] = []
    for data in sorted(more, key=len):
        new = arcs(target, data) - reached
        if new and len(found) < _MOST:
            reached |= new
            found.append(data)
    return found


def main(name: str, folder: Path) -> None:
    """Files are named for what is in them."""
    target = find(name)
    more = [path.read_bytes() for path in sorted((folder / name).iterdir())]
    for data in chosen(target, seeds_of(name), more):
        path = corpus(name) / f"reaches-{hashlib.sha256(data).hexdigest()[:8]}"
        path.write_bytes(data)
        sys.stdout.write(f"{path.name}: {len(data)} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
