"""Result files of other tools, read as runs. A tool is one file here and one line of `READERS`.

A reader is told apart by the first bytes of a file, so that a damaged file is still known for what
it was meant to be; what nobody knows is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.model import Caution
from bench.store import StoredRun, is_run

_HEAD = 4096
_SUFFIXES = (".json", ".jsonl", ".txt")


@dataclass(frozen=True, slots=True)
class Reader:
    """How one tool's files are known and read, by the functions of its module.

    Which is loaded when the first file is looked at: a folder of runs alone needs none of them, and
    what they take costs as much as a hundred runs.
    """

    module: str

    def knows(self, head: bytes) -> bool:
        """Whether a file that begins so is one of the tool's."""
        return bool(self._loaded().knows(head))

    def read(self, file: Path) -> StoredRun:
        """What such a file holds. Raises StoreError: place and remedy."""
        found: StoredRun = self._loaded().read(file)
        return found

    def _loaded(self) -> Any:
        return import_module(f"{__name__}.{self.module}")


READERS: Mapping[str, Reader] = {
    "pytest-benchmark": Reader("pytest_json"),
    "k6": Reader("k6_json"),
    "AIPerf": Reader("aiperf_jsonl"),
    "curl": Reader("curl_lines"),
}
"""Tool → its reader; the first that knows a file reads it."""


def reader_of(file: Path) -> Reader | None:
    """Who can read a file; None when nobody knows it."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:
        return None
    return next((reader for reader in READERS.values() if reader.knows(head)), None)


def read_folder(folder: Path) -> tuple[list[StoredRun], list[Caution]]:
    """Every known file in a folder and the folders in it, runs of our own aside; and what was
    skipped, with the reason. A run that several files hold is read once."""
    runs: dict[str, StoredRun] = {}
    told: list[Caution] = []
    for file in sorted(_files(folder)):
        if (reader := reader_of(file)) is None:
            continue
        try:
            found = reader.read(file)
        except StoreError as error:
            told.append(Caution("unreadable_run", f"{file.name} was skipped: {error}"))
            continue
        run_id = found.run["run_id"]
        if run_id in runs:
            told.append(Caution("doubled_run", f"{file} holds {run_id} again; it was read once."))
        runs.setdefault(run_id, found)
    return list(runs.values()), told


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_file() and path.suffix in _SUFFIXES:
            yield path
        elif path.is_dir() and not path.is_symlink() and not is_run(path):
            yield from _files(path)
