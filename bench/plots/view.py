"""What a figure needs from a frame, gathered once: one stratum's rows by endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.model import GLOBAL
from bench.plots.theme import Look, Theme, ThemeName, themed
from bench.stats import METRICS, Stratum, countable, latency_ms, stratify
from bench.stats.quantiles import Values
from bench.stats.strata import runs_of


@dataclass(frozen=True)
class View:
    """One stratum of a frame. ``series`` are ms with +inf for failures, in endpoint order."""

    stratum: Stratum
    rows: pd.DataFrame
    series: Mapping[str, Values]
    looks: Mapping[str, Look]
    simulated: bool
    theme: Theme

    @property
    def label(self) -> str:
        """The axis label of the main metric, with its unit."""
        return METRICS[self.stratum.metric].label

    def subtitle(self, method: str) -> str:
        """n, window, stratum and method."""
        return f"{counts(self.rows)} · {window(self.rows)} · {self.stratum} · {method}"

    def failures(self, name: str) -> int:
        """How many requests of an endpoint failed."""
        return int(np.isinf(self.series[name]).sum())


def view(
    df: pd.DataFrame, stratum: Stratum | None = None, theme: ThemeName = "light"
) -> View | None:
    """The given stratum, or the first in which two endpoints were measured; None: no rows."""
    groups = dict(stratify(countable(df), runs_of(df)))
    both = (s for s, rows in groups.items() if rows["endpoint"].nunique() > 1)
    chosen = stratum or next(both, None) or next(iter(groups), None)
    if chosen is None or chosen not in groups:
        return None
    rows = groups[chosen]
    ms = latency_ms(rows, chosen.metric)
    series = {name: ms[(rows["endpoint"] == name).to_numpy()] for name in names_in(rows)}
    known = {name: values[~np.isnan(values)] for name, values in series.items()}
    return View(chosen, rows, known, looks(df, theme), simulated(df), themed(theme))


def names_in(rows: pd.DataFrame) -> list[str]:
    """Endpoints that have rows, in the frame's order."""
    seen = set(map(str, rows["endpoint"].unique()))
    return [str(name) for name in rows["endpoint"].cat.categories if str(name) in seen]


def looks(df: pd.DataFrame, theme: ThemeName) -> dict[str, Look]:
    """One look per endpoint of the frame, measured or not, so that all figures agree."""
    regions = [str(name) for name in df["endpoint"].cat.categories if name != GLOBAL]
    found = {name: themed(theme).look(place, False) for place, name in enumerate(regions)}
    return {GLOBAL: themed(theme).look(0, True), **found}


def simulated(df: pd.DataFrame) -> bool:
    """Whether any run behind the frame asked a fleet of our own."""
    return any(bool(run.get("simulated")) for run in runs_of(df))


def counts(rows: pd.DataFrame) -> str:
    """``n = 200 per endpoint``, or a range where they differ."""
    sizes = rows["endpoint"].value_counts()
    sizes = sizes[sizes > 0]
    if sizes.empty:
        return "n = 0"
    low, high = int(sizes.min()), int(sizes.max())
    return f"n = {low} per endpoint" if low == high else f"n = {low} to {high} per endpoint"


def window(rows: pd.DataFrame) -> str:
    """``2026-03-14 09:00–09:04 UTC``."""
    times = rows["started_at"].dropna()
    if times.empty:
        return "time unknown"
    first, last = times.min(), times.max()
    same = first.date() == last.date()
    end = last.strftime("%H:%M" if same else "%Y-%m-%d %H:%M")
    return f"{first.strftime('%Y-%m-%d %H:%M')}–{end} UTC"


NOTHING = "There are no requests to draw: every row is a warm-up, was cancelled, or is missing."
