"""Rows of several places, each place by itself: no number here ever mixes two of them.

Machines differ in distance, in load, and in what their clocks say: vantages are compared by what
each found on its own, never request by request and never by absolute time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.stats.strata import NOWHERE, runs_of, vantages_in


def vantages_of(df: pd.DataFrame) -> tuple[str, ...]:
    """Where the rows of a frame, and its runs without rows, were measured from; sorted."""
    return vantages_in(df, runs_of(df))


def by_vantage(
    df: pd.DataFrame, runs: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, pd.DataFrame]:
    """Vantage → its rows, with the runs in ``attrs`` that are its own; sorted by name.

    ``runs`` are by default those of ``df.attrs``. A frame of one vantage, or of none, comes back as
    it is.
    """
    runs = runs_of(df) if runs is None else runs
    names = vantages_in(df, runs)
    if len(names) < 2:
        return {names[0] if names else NOWHERE: df}
    bare = df.copy(deep=False)
    bare.attrs = {}
    where = bare["vantage"].astype("string").fillna(NOWHERE).to_numpy()
    found = {}
    for name in sorted({*names, *map(str, where)}):
        part = bare[where == name]
        own = [run for run in runs if str(run.get("vantage") or NOWHERE) == name]
        part.attrs = {**df.attrs, "runs": own}
        found[name] = part
    return found
