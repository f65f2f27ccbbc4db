"""An unfinished run, taken up again: repaired, locked, and read under the lock."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.errors import StoreError
from bench.model import Run
from bench.store import disk, lines, runfile
from bench.store.reader import vouched
from bench.store.repair import repair
from bench.store.writer import SAMPLES, RunWriter


@dataclass(frozen=True, slots=True)
class Kept:
    """A run's file, open and locked for us, and what it holds."""

    folder: Path
    fd: int
    found: lines.Scan

    def writer(self, run: Run) -> RunWriter:
        """Goes on where the file ends; run.json says from now on what ``run`` says."""
        with disk.explained(f"write to the run folder {self.folder}"):
            runfile.write(self.folder, runfile.document(run))
        return RunWriter(self.folder, run, self.fd, found=self.found)

    def release(self) -> None:
        """Let go of it unchanged."""
        os.close(self.fd)


def reopen(folder: Path) -> Kept:
    """The run in a folder, for this process alone. StoreError when another one is writing it."""
    path = folder / SAMPLES
    if "groups" in (vouched(runfile.read(folder)[0]) or {}):
        raise StoreError(f"{folder} was packed by `regionbench history compact`: start a new run.")
    if not path.exists():  # killed before the first row
        with disk.explained(f"write to the run folder {folder}"):
            os.close(disk.create(path))
    repair(folder)
    with disk.explained(f"take up {path}"):
        fd = disk.open_locked(path)
    try:
        return Kept(folder, fd, lines.scan(path))
    except OSError as error:
        os.close(fd)
        raise StoreError(f"Could not read {path}: {disk.reason(error)}.") from error
