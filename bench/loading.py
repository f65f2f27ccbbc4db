"""Stored runs → one tidy DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import frame
from bench.errors import StoreError
from bench.model import Caution
from bench.store import StoredRun, read_run, read_runs

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | Path) -> pd.DataFrame:
    """Every request under ``path`` as one row of a tidy DataFrame.

    ``path`` is a run folder, a ``results/`` folder of them, or one ``samples`` file. Columns are
    `bench.model.COLUMNS` and what `bench.frame.tidy` derives; ``df.attrs["runs"]`` holds each run's
    ``run.json``, ``df.attrs["cautions"]`` what was missing, damaged or skipped.
    Raises StoreError when there is no run at all.
    """
    return _tidied(read_runs(Path(path)))


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
