"""When it is slow: the median of each hour of the day, for every endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.heat import Cell, cell, heat_map, shades
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, cut, view
from bench.stats import Stratum

HOURS = 24


def hours(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Median of the main metric by hour of the day (UTC) and endpoint, all days together.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. Failures count as never answered;
    hours in which nothing was asked are hatched, and those with fewer than three requests empty.
    """
    seen = view(df, stratum, theme)
    count = len(seen.own) if seen else 3
    figure, ax = style.axes(ax, theme, width=9.6, height=2.0 + 0.5 * max(2, count))
    if seen is None or seen.span.isna().all():
        style.sentence(ax, NOTHING if seen is None else "No request has a time: no hour to draw.")
        return figure
    found = _cells(seen)
    if (why := _nothing(seen, found)) is not None:
        style.sentence(ax, why)
        return figure
    labels = [f"{hour:02}" for hour in range(HOURS)]
    heat_map(ax, list(found.values()), list(found), labels, "hour of the day (UTC)")
    _color_names(ax, seen)
    days = seen.df["started_at"].take(seen.places).dt.normalize().nunique()
    lost = sum(map(seen.failures, seen.own))
    method = (
        f"median {seen.label} of each hour, {'1 day' if days == 1 else f'{days} days'} together, "
        f"{shades(ax)}; ×: more than 2 % failed there, {lost} in all"
    )
    style.headline(ax, _finding(found), seen.subtitle(method), seen.simulated)
    return figure


def _cells(seen: View) -> dict[str, list[Cell]]:
    return {name: [*map(cell, cut(ms, _hours(seen, name), HOURS))] for name, ms in seen.ms.items()}


def _hours(seen: View, name: str) -> npt.NDArray[np.int16]:
    """The hour of each of an endpoint's requests, -1 where it is not known."""
    sent = seen.df["started_at"].take(seen.own[name])
    return np.asarray(sent.dt.hour.fillna(-1).to_numpy(dtype=np.int16))


def _nothing(seen: View, found: Mapping[str, Sequence[Cell]]) -> str | None:
    asked = sorted({at for row in found.values() for at, one in enumerate(row) if one.n})
    if len(asked) == 1:
        text = f"Every request was sent in the hour from {asked[0]:02}:00 UTC: "
        return text + "there is no other to compare. regionbench watch measures around the clock."
    if not _medians(found):
        lost = sum(map(seen.failures, seen.own))
        return f"{lost} of {len(seen.places)} requests failed: no hour has a median."
    return None


def _medians(found: Mapping[str, Sequence[Cell]]) -> dict[tuple[str, int], float]:
    return {
        (name, hour): one.median_ms
        for name, row in found.items()
        for hour, one in enumerate(row)
        if one.median_ms is not None and np.isfinite(one.median_ms)
    }


def _color_names(ax: Axes, seen: View) -> None:
    for tick, name in zip(ax.get_yticklabels(), seen.own, strict=True):
        tick.set(color=seen.looks[name].color, fontweight="bold")


def _finding(found: Mapping[str, Sequence[Cell]]) -> str:
    """The endpoint whose slowest hour is furthest above its fastest."""
    medians = _medians(found)
    ratios: dict[str, float] = {}
    for name in found:
        own = [ms for (who, _), ms in medians.items() if who == name]
        if len(own) > 1 and min(own) > 0:
            ratios[name] = max(own) / min(own)
    if not ratios:
        return "Medians by hour of the day: no endpoint has two hours to compare"
    name = max(ratios, key=lambda key: ratios[key])
    own_hours = {hour: ms for (who, hour), ms in medians.items() if who == name}
    slow, fast = (pick(own_hours, key=own_hours.__getitem__) for pick in (max, min))
    high, low = (style.short_ms(own_hours[hour]) for hour in (slow, fast))
    return f"{name} changes most over the day: {low} at {fast:02}:00, {high} at {slow:02}:00 UTC"
