"""What a figure needs from a frame, gathered once: one stratum's rows by endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.frame import KEYS
from bench.model import GLOBAL
from bench.plots.theme import Look, Theme, ThemeName, themed
from bench.stats import METRICS, Stratum, latency_ms
from bench.stats.metrics import bare, coded
from bench.stats.metrics import counts as counts_of
from bench.stats.quantiles import Values
from bench.stats.strata import placed, runs_of, vantages_in

MANY = 200_000
"""From more countable rows of a stratum than this, a figure says of how many points it is drawn.
What it states in numbers is of all rows."""


@dataclass(frozen=True)
class View:
    """One stratum of a frame. ``series`` are ms with +inf for failures, in endpoint order, each in
    order of size."""

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

    def subtitle(self, method: str, drawn: str = "") -> str:
        """n, window, stratum and method; where the rows are `MANY`, what is ``drawn`` of them."""
        told = f"{counts(self.rows)} · {window(self.rows)} · {self.stratum} · {method}"
        return told + (f" · drawn from {drawn}" if drawn and len(self.rows) > MANY else "")

    def failures(self, name: str) -> int:
        """How many requests of an endpoint failed."""
        return int(np.isinf(self.series[name]).sum())


def view(
    df: pd.DataFrame, stratum: Stratum | None = None, theme: ThemeName = "light"
) -> View | None:
    """The given stratum, or the first in which two endpoints were measured; None: no rows."""
    groups = countable_places(df)
    who, names = coded(bare(df)["endpoint"])
    both = (s for s, at in groups.items() if np.ptp(who[at]))
    chosen = stratum or next(both, None) or next(iter(groups), None)
    if chosen is None or chosen not in groups:
        return None
    rows = bare(df).take(groups[chosen])
    ms, who = latency_ms(rows, chosen.metric), who[groups[chosen]]
    own = {name: ms[who == names.index(name)] for name in names_in(rows)}
    series = {name: np.sort(values[~np.isnan(values)]) for name, values in own.items()}
    return View(chosen, rows, series, looks(df, theme), simulated(df), themed(theme))


def countable_places(
    df: pd.DataFrame, by_vantage: bool | None = None
) -> dict[Stratum, npt.NDArray[np.intp]]:
    """Which rows that say something of an endpoint are of which stratum, as
    `bench.stats.stratify` cuts them."""
    runs, df = runs_of(df), bare(df)
    kept = counts_of(df)
    if by_vantage is None:
        by_vantage = len(vantages_in(df[["vantage"]][kept], runs)) > 1
    return placed(df, runs, kept, by_vantage=by_vantage)


def by_endpoint(df: pd.DataFrame, places: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[np.intp]]:
    """Each endpoint in the frame's order → those of the ``places`` that are its."""
    who, names = coded(bare(df)["endpoint"])
    found = {name: places[who[places] == at] for at, name in enumerate(names)}
    return {name: own for name, own in found.items() if len(own)}


def narrow(df: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The frame with `bench.frame.KEYS` and these columns alone, so that a view takes no more."""
    few = bare(df)[[name for name in df.columns if name in (*KEYS, *columns)]]
    few.attrs = df.attrs
    return few


def names_in(rows: pd.DataFrame) -> list[str]:
    """Endpoints that have rows, in the frame's order."""
    seen = set(map(str, rows["endpoint"].unique()))
    return [str(name) for name in rows["endpoint"].cat.categories if str(name) in seen]


def looks(df: pd.DataFrame, theme: ThemeName) -> dict[str, Look]:
    """One look per endpoint of the frame, measured or not, so that all figures agree."""
    regions = [str(name) for name in bare(df)["endpoint"].cat.categories if name != GLOBAL]
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


def cut(values: Values, places: npt.NDArray[np.integer], count: int) -> list[Values]:
    """``values`` by their place, 0 to ``count`` − 1, each part in order; what has another place is
    in none."""
    small = np.where((places < 0) | (places >= count), count, places).astype(np.int16)
    ends = np.cumsum(np.bincount(small, minlength=count + 1))
    return np.split(values[np.argsort(small, kind="stable")], ends)[:count]


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
