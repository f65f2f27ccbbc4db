"""Runs over weeks: p50 and p90 of each batch, failures, and where the level changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.dates import name_time
from bench.plots.strips import side_label, strips, title
from bench.plots.theme import Look, ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Estimate, Stratum
from bench.stats.changes import available, change_points
from bench.stats.quantiles import Values
from bench.stats.trend import Point
from bench.stats.trend import trend as points_of

WORTH_TELLING = 0.01
"""A larger share of failures is marked in numbers."""


def trend(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """p50 and p90 of every batch with 95 % intervals, one strip per endpoint on a shared scale.

    ``df`` is a tidy frame of several runs, such as ``bench.load("results")``; ``stratum`` defaults
    to the main one. Failures stand above the strip. A dashed line is where the level of p50
    changed, if the extra ``history`` is installed; it decides nothing.
    """
    seen = view(df, stratum, theme)
    count = len(seen.own) if seen else 2
    figure, ax = style.axes(ax, theme, width=9.2, height=2.2 + 1.6 * max(2, count))
    points = [] if seen is None else points_of(df, seen.dated, seen.stratum)
    if (why := _nothing(seen, points)) is not None or seen is None:
        style.sentence(ax, why or NOTHING)
        return figure
    lines = {name: [p for p in points if p.endpoint == name] for name in seen.own}
    changes = {name: _changes(line) for name, line in lines.items()}
    for strip, name in zip(_strips(ax, seen, points), lines, strict=True):
        _draw(strip, seen, lines[name], changes[name])
    style.headline(ax, _finding(lines, changes), _method(seen, points), seen.simulated)
    return figure


def _nothing(seen: View | None, points: Sequence[Point]) -> str | None:
    if seen is None or not points:
        return NOTHING
    batches = {point.batch for point in points}
    if len(batches) < 2:
        return f"One batch ({points[0].batch}) is no trend: measure another, and load both."
    if all(_level(point) is None for point in points):
        why = "too many requests failed, or too few were made"
        return f"No median in any of {len(batches)} batches: {why}."
    return None


def _level(point: Point) -> float | None:
    """The median in ms, where there is one below the timeout."""
    value = point.p50.value_ms
    return value if value is not None and math.isfinite(value) else None


def _strips(ax: Axes, seen: View, points: Sequence[Point]) -> list[Axes]:
    """One strip per endpoint, top down, all with the same scales."""
    made = list(strips(ax, list(seen.own)).values())
    times = _times(points)
    pad = max(float(np.ptp(times)) * 0.02, 1e-3)
    for strip in made:
        strip.set_xlim(float(times.min()) - pad, float(times.max()) + 3 * pad)
        strip.set_ylim(0, _top(points))
        strip.locator_params(axis="y", nbins=4)
        _dates(strip, float(np.ptp(times)))
    name_time(made[-1])
    side_label(ax, seen.label)
    return made


def _dates(strip: Axes, days: float) -> None:
    form = "%H:%M" if days < 1.5 else "%m-%d" if days < 300 else "%Y-%m"
    strip.xaxis.set_major_locator(AutoDateLocator(maxticks=8))  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped
    strip.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]  # as above


def _top(points: Sequence[Point]) -> float:
    """Room for every median and for nearly every p90; what is beyond stands at the edge."""
    middles = [level for point in points if (level := _level(point)) is not None]
    tails = np.array([_finite(point.p90.value_ms) for point in points])
    tails = tails[~np.isnan(tails)]
    usual = float(np.quantile(tails, 0.95)) if len(tails) else 0.0
    return 1.2 * max(*middles, usual)


def _times(points: Sequence[Point]) -> Values:
    naive = [point.at.tz_convert(None).to_datetime64() for point in points]
    return np.asarray(date2num(np.array(naive)), dtype=np.float64)  # type: ignore[no-untyped-call]  # as above


def _draw(strip: Axes, seen: View, line: Sequence[Point], changes: Sequence[int]) -> None:
    if not line:
        return
    name, times = line[0].endpoint, _times(line)
    kind = seen.looks[name]
    for quantile, width, filled in (("p50", kind.width, True), ("p90", 1.0, False)):
        found = [getattr(point, quantile) for point in line]
        _curve(strip, kind, times, found, width, filled)
        _label(strip, kind, times, found, quantile)
    _failures(strip, times, line)
    for place in changes:
        strip.axvline(
            times[place], color=style.on(strip).grey, linestyle=(0, (4, 3)), linewidth=1.2
        )
    lost, n = (
        sum(part) for part in zip(*((p.failures.failed, p.failures.n) for p in line), strict=True)
    )
    title(strip, f"{name}: {len(line)} batches, n = {n}, {lost} failed", kind.color)


def _curve(
    strip: Axes,
    kind: Look,
    times: Values,
    found: Sequence[Estimate],
    width: float,
    filled: bool,
) -> None:
    """Value, low and high of each batch; what is unknown or beyond the timeout is a gap."""
    top = strip.get_ylim()[1]
    value, low, high = (
        np.array([_finite(getattr(one, end)) for one in found])
        for end in ("value_ms", "low_ms", "high_ms")
    )
    strip.plot(
        times,
        value,
        color=kind.color,
        linewidth=width,
        marker=kind.marker,
        markersize=4.5,
        markerfacecolor=kind.color if filled else style.on(strip).paper,
        zorder=4,
    )
    known = ~np.isnan(value) & ~np.isnan(low)
    ends = np.minimum(np.where(np.isnan(high), top, high), top)
    strip.vlines(times[known], low[known], ends[known], color=kind.color, alpha=0.45, linewidth=1.1)
    beyond = np.array([(one.value_ms or 0) > top for one in found])
    style.marks(
        strip,
        times[beyond],
        0.9 * top,
        marker="^",
        markersize=6,
        color=kind.color,
        clip_on=False,
        zorder=6,
    )


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else math.nan


def _label(strip: Axes, kind: Look, times: Values, found: Sequence[Estimate], text: str) -> None:
    """The quantile's name beside its last value; the two keep out of each other's way."""
    places = [i for i, one in enumerate(found) if not math.isnan(_finite(one.value_ms))]
    if not places:
        return
    last = places[-1]
    strip.annotate(
        text,
        (times[last], _finite(found[last].value_ms)),
        (8, 5 if text == "p90" else -5),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL,
        color=kind.color,
        path_effects=style.halo(strip),
        annotation_clip=False,
    )


def _failures(strip: Axes, times: Values, line: Sequence[Point]) -> None:
    """A cross above every batch that had any; the share of the worst, if it is worth telling."""
    above = strip.get_xaxis_transform()
    shares = np.array([point.failures.share or 0.0 for point in line])
    some = shares > 0
    style.marks(
        strip,
        times[some],
        1.0,
        marker="x",
        markersize=5.5,
        markeredgewidth=1.7,
        color=style.on(strip).failed,
        transform=above,
        clip_on=False,
        zorder=7,
    )
    worst = int(shares.argmax())
    if shares[worst] > WORTH_TELLING:
        said = style.plain(f"{style.share(float(shares[worst]))} failed")
        label = strip.text(times[worst], 0.94, said, transform=above, ha="center", va="top")
        label.set(fontsize=style.SMALL, color=style.on(strip).failed, zorder=8)
        label.set_path_effects([*style.halo(strip)])


def _changes(line: Sequence[Point]) -> list[int]:
    """Positions in ``line`` at which p50 took another level."""
    known = [i for i, point in enumerate(line) if _level(point) is not None]
    levels = np.log([_level(line[i]) or 1.0 for i in known])
    return [known[place] for place in change_points(levels)]


def _finding(lines: dict[str, list[Point]], changes: dict[str, list[int]]) -> str:
    steps = {name: _step(lines[name], found) for name, found in changes.items() if found}
    if steps:
        name = max(steps, key=lambda key: abs(math.log1p(steps[key])))
        since = lines[name][changes[name][-1]].at.strftime("%Y-%m-%d")
        others = f"; {len(steps) - 1} more changed level" if len(steps) > 1 else ""
        return f"{name}: the median is {100 * steps[name]:+.0f} % since {since}{others}"
    batches = max(map(len, lines.values()))
    if not available():
        return f"{batches} batches; whether a level changed was not looked at"
    return f"No lasting change of level in {batches} batches"


def _step(line: Sequence[Point], found: Sequence[int]) -> float:
    """The last change: the level after it against the level before it, as a share."""
    before = [
        level for p in line[([0, *found])[-2] : found[-1]] if (level := _level(p)) is not None
    ]
    after = [level for p in line[found[-1] :] if (level := _level(p)) is not None]
    return float(np.median(after) / np.median(before)) - 1


def _method(seen: View, points: Sequence[Point]) -> str:
    dashed = (
        "dashed: the level changed (PELT)"
        if available()
        else "change points need regionbench[history]"
    )
    span = f"{points[0].at:%Y-%m-%d}–{points[-1].at:%Y-%m-%d} UTC"
    bars = "bars: 95 % intervals; ×: failures; ▲: beyond the scale or the timeout"
    return f"{len({p.batch for p in points})} batches · {span} · {seen.stratum} · {bars}; {dashed}"
