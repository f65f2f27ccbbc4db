"""Stored runs → one tidy DataFrame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench import frame
from bench.store import read_runs

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | Path) -> pd.DataFrame:
    """Every request under ``path`` as one row of a tidy DataFrame.

    ``path`` is a run folder, a ``results/`` folder of them, or one ``samples`` file. Columns are
    `bench.model.COLUMNS` and what `bench.frame.tidy` derives; ``df.attrs["runs"]`` holds each run's
    ``run.json``, ``df.attrs["cautions"]`` what was missing, damaged or skipped.
    Raises StoreError when there is no run at all.
    """
    stored = read_runs(Path(path))
    df = frame.tidy((row for run in stored for row in run.rows), [run.run for run in stored])
    told = list(df.attrs.get("cautions", []))
    for run in stored:
        told += [{"code": c.code, "text": c.text, "advice": c.advice} for c in run.cautions]
    df.attrs["cautions"] = told
    return df
