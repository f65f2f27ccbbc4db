"""What a figure needs from a frame, gathered once: one stratum's rows by endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.model import GLOBAL
from bench.plots.theme import Look, Theme, ThemeName, themed
from bench.stats import METRICS, Stratum, latency_ms
from bench.stats.metrics import FATE, bare, coded
from bench.stats.metrics import counts as counts_of
from bench.stats.pairs import ROUND, grid, tabled
from bench.stats.quantiles import Values
from bench.stats.strata import placed, runs_of, vantages_in

MANY = 200_000
"""From more countable rows of a stratum than this, a figure says of how many points it is drawn.
What it states in numbers is of all rows."""


Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class View:
    """One stratum of a frame. ``df`` is all of it; ``groups`` says which of its rows are of which
    stratum, and ``own`` which are each endpoint's. Columns are taken when they are asked for: to
    copy all of many rows costs more than to draw them."""

    stratum: Stratum
    df: pd.DataFrame
    groups: Mapping[Stratum, Places]
    own: Mapping[str, Places]
    looks: Mapping[str, Look]
    simulated: bool
    theme: Theme

    @property
    def places(self) -> Places:
        """The stratum's rows."""
        return self.groups[self.stratum]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All columns of the stratum."""
        return self.df.take(self.places)

    def paired(self) -> pd.DataFrame:
        """Rounds × endpoints in ms, as `bench.stats.pairs.table`."""
        return tabled(*self._rounds)

    def grid(self) -> Values:
        """As `bench.stats.pairs.grid`."""
        return grid(*self._rounds)

    @property
    def _rounds(self) -> tuple[pd.DataFrame, Values]:
        places = np.concatenate([*self.own.values()])
        return taken(self.df, places, ROUND), np.concatenate([*self.ms.values()])

    @property
    def dated(self) -> pd.DataFrame:
        """The columns of the stratum that `bench.stats.trend.trend` reads."""
        column = METRICS[self.stratum.metric].column
        return taken(self.df, self.places, ("run_id", "started_at", "endpoint", column, *FATE))

    @cached_property
    def ms(self) -> Mapping[str, Values]:
        """The times of each endpoint's ``own`` rows: +inf for a failure, NaN for none."""
        metric = self.stratum.metric
        columns = (METRICS[metric].column, *FATE)
        own = self.own.items()
        return {name: latency_ms(taken(self.df, at, columns), metric) for name, at in own}

    @cached_property
    def series(self) -> Mapping[str, Values]:
        """The times of each endpoint in order of size, those that there are."""
        ordered = {name: np.sort(ms) for name, ms in self.ms.items()}  # NaN last
        return {name: ms[: np.searchsorted(ms, np.nan)] for name, ms in ordered.items()}

    @cached_property
    def span(self) -> pd.Series[Any]:
        """When the first and the last of the stratum's requests were sent; NaT if it is unknown."""
        sent = self.df["started_at"].take(self.places)
        return pd.Series([sent.min(), sent.max()], dtype=sent.dtype)

    def timed(self, name: str) -> tuple[pd.Series[Any], Values]:
        """When each of an endpoint's requests was sent, where known, and its time."""
        sent = self.df["started_at"].take(self.own[name])
        has = sent.notna().to_numpy()
        return (sent, self.ms[name]) if has.all() else (sent[has], self.ms[name][has])

    @property
    def label(self) -> str:
        """The axis label of the main metric, with its unit."""
        return METRICS[self.stratum.metric].label

    def subtitle(self, method: str, drawn: str = "") -> str:
        """n, window, stratum and method; where the rows are `MANY`, what is ``drawn`` of them."""
        told = f"{self.counted} · {self.stratum} · {method}"
        return told + (f" · drawn from {drawn}" if drawn and len(self.places) > MANY else "")

    @property
    def counted(self) -> str:
        """n and window."""
        return f"{counts([*map(len, self.own.values())])} · {window(self.span)}"

    def count(self, name: str) -> int:
        """How many requests of an endpoint have a time, or failed."""
        return int(np.count_nonzero(~np.isnan(self.ms[name])))

    def failures(self, name: str) -> int:
        """How many requests of an endpoint failed."""
        return int(np.isinf(self.ms[name]).sum())


def view(
    df: pd.DataFrame,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
    groups: Mapping[Stratum, Places] | None = None,
) -> View | None:
    """The given stratum, or the first in which two endpoints were measured; None: no rows.

    ``groups`` spares the cut when `countable_places` was asked before.
    """
    groups = countable_places(df) if groups is None else groups
    who, _ = coded(bare(df)["endpoint"])
    both = (s for s, at in groups.items() if np.ptp(who[at]))
    chosen = stratum or next(both, None) or next(iter(groups), None)
    if chosen is None or chosen not in groups:
        return None
    own, looked = by_endpoint(df, groups[chosen]), looks(df, theme)
    return View(chosen, bare(df), groups, own, looked, simulated(df), themed(theme))


def taken(df: pd.DataFrame, places: Places, columns: Sequence[str]) -> pd.DataFrame:
    """These rows of these columns, as far as the frame has them."""
    return bare(df)[[name for name in columns if name in df]].take(places)


def countable_places(df: pd.DataFrame, by_vantage: bool | None = None) -> dict[Stratum, Places]:
    """Which rows that say something of an endpoint are of which stratum, as
    `bench.stats.stratify` cuts them."""
    runs, df = runs_of(df), bare(df)
    kept = counts_of(df)
    if by_vantage is None:
        several = len(vantages_in(df, runs)) > 1
        by_vantage = several and len(vantages_in(df[["vantage"]][kept], runs)) > 1
    return placed(df, runs, kept, by_vantage=by_vantage)


def by_endpoint(df: pd.DataFrame, places: Places) -> dict[str, Places]:
    """Each endpoint in the frame's order → those of the ``places`` that are its."""
    codes, names = coded(bare(df)["endpoint"])
    who = codes[places]
    found = {name: places[who == at] for at, name in enumerate(names)}
    return {name: own for name, own in found.items() if len(own)}


def looks(df: pd.DataFrame, theme: ThemeName) -> dict[str, Look]:
    """One look per endpoint of the frame, measured or not, so that all figures agree."""
    regions = [str(name) for name in bare(df)["endpoint"].cat.categories if name != GLOBAL]
    found = {name: themed(theme).look(place, False) for place, name in enumerate(regions)}
    return {GLOBAL: themed(theme).look(0, True), **found}


def simulated(df: pd.DataFrame) -> bool:
    """Whether any run behind the frame asked a fleet of our own."""
    return any(bool(run.get("simulated")) for run in runs_of(df))


def counts(sizes: Sequence[int]) -> str:
    """``n = 200 per endpoint``, or a range where they differ."""
    low, high = min(sizes), max(sizes)
    return f"n = {low} per endpoint" if low == high else f"n = {low} to {high} per endpoint"


def cut(values: Values, places: npt.NDArray[np.integer], count: int) -> list[Values]:
    """``values`` by their place, 0 to ``count`` − 1, each part in order; what has another place is
    in none."""
    small = np.where((places < 0) | (places >= count), count, places).astype(np.int16)
    ends = np.cumsum(np.bincount(small, minlength=count + 1))
    return np.split(values[np.argsort(small, kind="stable")], ends)[:count]


def window(started_at: pd.Series[Any]) -> str:
    """``2026-03-14 09:00–09:04 UTC``."""
    first, last = started_at.min(), started_at.max()
    if pd.isna(first):
        return "time unknown"
    same = first.date() == last.date()
    end = last.strftime("%H:%M" if same else "%Y-%m-%d %H:%M")
    return f"{first.strftime('%Y-%m-%d %H:%M')}–{end} UTC"


NOTHING = "There are no requests to draw: every row is a warm-up, was cancelled, or is missing."
