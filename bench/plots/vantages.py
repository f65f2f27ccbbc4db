"""Which endpoint from where: the median of every endpoint as each vantage sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.heat import Cell, cell, heat_map, shades
from bench.plots.theme import ThemeName
from bench.plots.view import (
    NOTHING,
    Places,
    View,
    by_endpoint,
    countable_places,
    taken,
    view,
    window,
)
from bench.stats import METRICS, Stratum, latency_ms
from bench.stats.metrics import FATE, bare

NONE = Cell(None, 0, 0)
"""Not asked from there."""


def vantages(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Median of the main metric by vantage and endpoint; the smallest of each vantage is framed.

    ``df`` is a tidy frame, such as ``bench.load("results")`` with runs of several machines;
    ``stratum`` defaults to the main one. Failures count as never answered. A frame says which
    median is smallest, not that it is so by more than chance.
    """
    seen = view(df, stratum, theme)
    places = _places(df, seen) if seen else {}
    found = {str(place.vantage): _row(df, place, at) for place, at in places.items()}
    names = _names(df, found)
    size = {
        "width": max(8.4, 1.6 + 1.25 * (len(names) or 3)),
        "height": 2.1 + 0.75 * max(2, len(found)),
    }
    figure, ax = style.axes(ax, theme, **size)
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    rows = [[row.get(name, NONE) for name in names] for row in found.values()]
    lost, n = (sum(getattr(one, key) for row in rows for one in row) for key in ("failed", "n"))
    if not any(_known(row) for row in rows):
        style.sentence(ax, f"No median from any vantage: {lost} of {n} failed.")
        return figure
    heat_map(ax, rows, list(found), names, "endpoint", best_of_row=len(names) > 1)
    for tick, name in zip(ax.get_xticklabels(), names, strict=True):
        tick.set(color=seen.looks[name].color, fontweight="bold")
    method = f"median {seen.label}, {shades(ax)}, frame: smallest of its row; {lost} failed"
    work = replace(seen.stratum, vantage=None)
    told = f"n = {n} · {_window(df, places)} · {work} · {method}"
    style.headline(ax, _finding(dict(zip(found, rows, strict=True)), names), told, seen.simulated)
    return figure


def _places(df: pd.DataFrame, seen: View) -> dict[Stratum, Places]:
    """The rows that did the work of ``seen``, wherever: by vantage."""
    work = replace(seen.stratum, vantage=None)
    found = countable_places(df, by_vantage=True)
    return {place: at for place, at in found.items() if replace(place, vantage=None) == work}


def _window(df: pd.DataFrame, places: Mapping[Stratum, Places]) -> str:
    clocks = " by their own clocks" if len(places) > 1 else ""
    return window(bare(df)["started_at"].take(np.concatenate([*places.values()]))) + clocks


def _row(df: pd.DataFrame, place: Stratum, places: Places) -> dict[str, Cell]:
    columns = (METRICS[place.metric].column, *FATE)
    own = by_endpoint(df, places).items()
    return {name: cell(latency_ms(taken(df, at, columns), place.metric)) for name, at in own}


def _names(df: pd.DataFrame, found: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    present = {name for row in found.values() for name in row}
    return [str(name) for name in bare(df)["endpoint"].cat.categories if str(name) in present]


def _known(row: Sequence[Cell]) -> dict[int, float]:
    return {
        at: one.median_ms
        for at, one in enumerate(row)
        if one.median_ms is not None and np.isfinite(one.median_ms)
    }


def _finding(found: Mapping[str, Sequence[Cell]], names: Sequence[str]) -> str:
    """Which endpoint has the smallest median from where."""
    best: dict[str, list[str]] = {}
    for place, row in found.items():
        if known := _known(row):
            best.setdefault(names[min(known, key=known.__getitem__)], []).append(place)
    if len(found) == 1:
        (place,) = found
        return f"One vantage, {place}: smallest median at {next(iter(best))}"
    parts = [f"{name} from {', '.join(places)}" for name, places in best.items()]
    return f"Smallest median: {'; '.join(parts)}"
