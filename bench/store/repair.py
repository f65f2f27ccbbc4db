"""A run folder made fit to be appended to again. Nothing is thrown away: it is moved aside."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from bench.model import Caution
from bench.store import disk, lines, parquet, runfile
from bench.store.writer import SAMPLES


def repair(folder: Path) -> tuple[Caution, ...]:
    """Moves a torn tail and damaged lines into files of their own; says what it did.

    A second call finds nothing to do. StoreError when the run is being written.
    """
    path = folder / SAMPLES
    with disk.explained(f"repair {path}"):
        fd = disk.open_locked(path)
        try:
            _remove_leftovers(folder)
            return _repair(path, fd)
        finally:
            os.close(fd)


def _remove_leftovers(folder: Path) -> None:
    """Temporary files of a finish that was killed; their rows are all in the lines."""
    for name in (runfile.NAME, SAMPLES, parquet.NAME):
        for leftover in folder.glob(f".{name}.*"):
            disk.remove(leftover)


def _repair(path: Path, fd: int) -> tuple[Caution, ...]:
    found = lines.scan(path)
    told: list[Caution] = []
    if found.tail:
        aside = _set_aside(path, "torn", found.tail)
        # Only now: a kill before this line leaves the tail twice, never nowhere
        disk.truncate(fd, found.end)
        disk.sync(fd)
        text = (
            f"{len(found.tail)} unreadable bytes at the end of {path} were moved to {aside.name}."
        )
        told.append(Caution("torn_tail", text, "Measure what is missing again."))
    if found.damaged:
        told.append(_quarantine(path, found.damaged))
    return tuple(told)


def _quarantine(path: Path, damaged: list[tuple[int, int]]) -> Caution:
    content = path.read_bytes()
    aside = _set_aside(path, "damaged", b"".join(content[a:b] for a, b in damaged))
    starts = [0, *(stop for _, stop in damaged)]
    stops = [*(start for start, _ in damaged), len(content)]
    disk.replace(path, b"".join(content[a:b] for a, b in zip(starts, stops, strict=True)))
    text = f"{len(damaged)} damaged lines of {path} were moved to {aside.name}."
    return Caution("damaged_lines", text, "Check the disk; measure what is missing again.")


def _set_aside(path: Path, kind: str, data: bytes) -> Path:
    free = (path.with_name(f"{path.name}.{kind}-{n}") for n in itertools.count(1))
    aside = next(name for name in free if not name.exists())
    disk.save(aside, data)
    disk.sync_folder(path.parent)
    return aside
