"""Which endpoint from where: the median of every endpoint as each vantage sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.heat import Cell, cell, heat_map, shades
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Stratum
from bench.stats.metrics import latency_ms


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
    found = _cells(seen) if seen else {}
    wide = len(seen.series) if seen else 3
    size = {"width": max(8.4, 1.6 + 1.25 * wide), "height": 2.1 + 0.75 * max(2, len(found))}
    figure, ax = style.axes(ax, theme, **size)
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    if not any(_known(row) for row in found.values()):
        lost = sum(map(seen.failures, seen.series))
        style.sentence(ax, f"No median from any vantage: {lost} of {len(seen.rows)} failed.")
        return figure
    names = list(seen.series)
    heat_map(ax, list(found.values()), list(found), names, "endpoint", best_of_row=len(names) > 1)
    for tick, name in zip(ax.get_xticklabels(), names, strict=True):
        tick.set(color=seen.looks[name].color, fontweight="bold")
    lost = sum(map(seen.failures, seen.series))
    method = f"median {seen.label}, {shades(ax)}, frame: smallest of its row; {lost} failed"
    style.headline(ax, _finding(found, names), seen.subtitle(method), seen.simulated)
    return figure


def _cells(seen: View) -> dict[str, list[Cell]]:
    where = seen.rows["vantage"].astype("string").fillna("unknown").to_numpy()
    ms, who = latency_ms(seen.rows, seen.stratum.metric), seen.rows["endpoint"].astype(str)
    return {
        str(place): [cell(ms[(where == place) & (who == name).to_numpy()]) for name in seen.series]
        for place in sorted(set(where))
    }


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
