"""samples.parquet for a run that was finished without it."""

from __future__ import annotations

import os
from pathlib import Path

from bench.errors import StoreError
from bench.store import disk, lines, parquet, runfile
from bench.store.writer import SAMPLES


def compact(folder: Path) -> None:
    """Makes and verifies the file, and has run.json vouch for it. A run that has it keeps it.

    A kill leaves the run as it was. StoreError when the run is being written, when it is not as it
    was finished, and when nothing can be written.
    """
    with disk.explained(f"take up {folder / SAMPLES}"):
        fd = disk.open_locked(folder / SAMPLES)
    try:
        run, intact = runfile.read(folder)
        stored = run.get("stored")
        if run["status"] == "running" or not intact or not isinstance(stored, dict):
            raise StoreError(f"{folder} is not as it was finished: its rows are in {SAMPLES}.")
        if "parquet" in stored:
            return
        with disk.explained(f"compact {folder / SAMPLES}"):
            found = lines.scan(folder / SAMPLES)
            run["stored"] = {**stored, "parquet": parquet.write(folder, found.rows)}
            runfile.write(folder, run)
    finally:
        os.close(fd)
