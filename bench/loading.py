"""Stored runs → one tidy DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import foreign, frame
from bench.errors import StoreError
from bench.model import Caution
from bench.store import StoredRun, is_run, read_run, read_runs

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | Path) -> pd.DataFrame:
    """Every request under ``path`` as one row of a tidy DataFrame.

    ``path`` is a run folder, a ``results/`` folder of them, one ``samples`` file, or a file of one
    of the tools in `bench.foreign.READERS`; such files are found in folders too. Columns are
    `bench.model.COLUMNS` and what `bench.frame.tidy` derives; ``df.attrs["runs"]`` holds each run's
    ``run.json``, ``df.attrs["cautions"]`` what was missing, damaged or skipped.
    Raises StoreError when there is no run at all.
    """
    return _tidied(read(Path(path)))


def load_runs(folders: Iterable[Path]) -> pd.DataFrame:
    """As `load`, of these run folders together; one that cannot be read is told as a caution.

    Raises StoreError when none can.
    """
    stored: list[StoredRun] = []
    skipped: list[Caution] = []
    for folder in folders:
        try:
            stored.append(read_run(folder))
        except StoreError as error:
            skipped.append(Caution("unreadable_run", f"{folder.name} was skipped: {error}"))
    if not stored:
        raise StoreError(skipped[0].text if skipped else "There is no run to load.")
    return _tidied(stored, skipped)


def _tidied(stored: Sequence[StoredRun], skipped: Sequence[Caution] = ()) -> pd.DataFrame:
    df = frame.tidy((row for run in stored for row in run.rows), [run.run for run in stored])
    cautions = [*skipped, *(caution for run in stored for caution in run.cautions)]
    told = [{"code": c.code, "text": c.text, "advice": c.advice} for c in cautions]
    df.attrs["cautions"] = [*df.attrs.get("cautions", []), *told]
    return df


def read(path: Path) -> list[StoredRun]:
    """As `load`, run by run, those of a folder in the order in which they began."""
    if path.is_dir() and not is_run(path):
        return _read_folder(path)
    reader = foreign.reader_of(path)
    if reader is not None:
        return [reader.read(path)]
    if path.suffix in (".json", ".txt") and path.is_file() and not is_run(path.parent):
        tools = ", ".join(foreign.READERS)
        raise StoreError(
            f"{path} is of no tool that can be read: give a file of {tools}, or a run."
        )
    return read_runs(path)


def _read_folder(path: Path) -> list[StoredRun]:
    runs, told = foreign.read_folder(path)
    if not runs and not told:
        return read_runs(path)
    try:
        runs += read_runs(path)
    except StoreError as error:
        if any(map(is_run, path.iterdir())):
            told.append(Caution("unreadable_run", str(error)))
    if not runs:
        raise StoreError(f"Nothing to read in {path}: {told[0].text}")
    runs.sort(key=lambda one: str(one.run.get("started_at")))
    return [replace(runs[0], cautions=(*runs[0].cautions, *told)), *runs[1:]]
