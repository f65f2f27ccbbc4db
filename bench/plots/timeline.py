"""Every request in the order of time, one strip per endpoint, failures marked by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.dates import date_axis, limits, moments, name_time
from bench.plots.failures import failure_handles, mark_failures
from bench.plots.noise import noise_strip, noisy
from bench.plots.routing import share_looks
from bench.plots.sparse import sparse
from bench.plots.strips import metric_label, scale_ms, side_label, strips, title
from bench.plots.theme import Look, ThemeName
from bench.plots.view import NOTHING, View, cut, taken, view
from bench.stats import Stratum, quantile
from bench.stats.quantiles import Values
from bench.stats.routing import Routing, route
from bench.stats.spillover import Burst, spillover
from bench.stats.unsteady import drift, row_medians

BINS = 24
PER_BIN = 12
FEWEST = 3
"""A bin with fewer answers has no median and no band."""

SHADED = 400
"""From at most so many rounds it is told, where there are many, which region took over when."""

HARNESS = "\0harness"
"""The strip below the endpoints'; no endpoint can have that name."""


def timeline(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
    answer: Routing | None = None,
) -> Figure:
    """Main metric over time: dots, median and p10–p90 band per endpoint on one shared scale.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one; ``answer`` spares the fit when
    `bench.stats.routing.route` was asked before. Failures stand above the strip with the mark of
    their class; times in which nothing was asked are hatched; stretches in which another region
    took over are shaded in global's strip; the lowest strip is how late this machine itself was.
    """
    seen = view(df, stratum, theme)
    count = len(seen.series) + noisy(seen) if seen else 3
    figure, ax = style.axes(ax, theme, height=2.1 + 1.2 * count)
    if seen is None or seen.span.isna().all():
        style.sentence(ax, NOTHING if seen is None else "No request has a time: no order to draw.")
        return figure
    made = _strips(ax, seen)
    for name in seen.series:
        _strip(made[name], seen, name)
    few = sparse(df, len(seen.places), SHADED)
    bursts = _bursts(made, few.df, seen, answer, theme)
    method = "line: median, band: p10 to p90" + ("; shaded: a region took over" if bursts else "")
    drawn = f"{style.MOST_POINTS:,} answers of each endpoint, shades from {few.words}"
    style.headline(ax, _finding(seen), seen.subtitle(method, drawn), seen.simulated)
    if handles := failure_handles(ax, seen.df["outcome"].take(seen.places)):
        style.legend(ax, columns=5, handles=handles)
    return figure


def _strips(ax: Axes, seen: View) -> dict[str, Axes]:
    """A strip per endpoint, with the same scales, and the harness' below."""
    log = style.wants_log(list(seen.series.values()))
    made = strips(ax, [*seen.series, *([HARNESS] if noisy(seen) else [])])
    span = limits(moments(seen.span))
    for name, strip in made.items():
        strip.set_xlim(*span)
        date_axis(strip)
        if name == HARNESS:
            noise_strip(strip, seen)
        else:
            scale_ms(strip, list(seen.series.values()), log)
    name_time(strip)
    side_label(ax, metric_label(seen, log))
    return made


def _strip(strip: Axes, seen: View, name: str) -> None:
    kind = seen.looks[name]
    sent, ms = seen.timed(name)
    times, answered = moments(sent), np.isfinite(ms)
    few = slice(None, None, max(1, -(-int(answered.sum()) // style.MOST_POINTS)))
    strip.plot(
        times[answered][few],
        ms[answered][few],
        linestyle="none",
        marker=kind.marker,
        markersize=3.2,
        markeredgewidth=0,
        color=kind.color,
        alpha=style.on(strip).cloud,
        rasterized=True,
    )
    _bands(strip, kind, times, ms)
    lost = seen.own[name][np.isinf(seen.ms[name])]
    mark_failures(strip, taken(seen.df, lost, ("started_at", "outcome")).dropna())
    title(strip, f"{name}: n = {len(ms)}, {int(np.isinf(ms).sum())} failed", kind.color)


def _bands(strip: Axes, kind: Look, times: Values, ms: Values) -> None:
    left, right = strip.get_xlim()
    edges = np.linspace(left, right, min(BINS, max(1, len(times) // PER_BIN)) + 1)
    bins = np.clip(np.digitize(times, edges) - 1, 0, len(edges) - 2)
    parts = cut(ms, bins, len(edges) - 1)
    found = np.array([*map(_band, parts)]).T
    middles = (edges[:-1] + edges[1:]) / 2
    strip.fill_between(middles, found[0], found[2], color=kind.color, alpha=0.2, linewidth=0)
    strip.plot(
        middles, found[1], color=kind.color, linewidth=kind.width, path_effects=style.halo(strip)
    )
    for i, part in enumerate(parts):
        if not len(part):
            no_data(strip, edges[i], edges[i + 1])


def no_data(strip: Axes, start: float, end: float) -> None:
    """A hatched stretch: nothing was asked. Not a failure, and not a time of nought."""
    strip.axvspan(
        start,
        end,
        facecolor=style.on(strip).shade,
        edgecolor=style.on(strip).pale,
        hatch="//",
        lw=0,
        zorder=0.5,
    )


def _band(ms: Values) -> tuple[float, float, float]:
    answered = style.finite(ms)
    if len(answered) < FEWEST:
        return np.nan, np.nan, np.nan
    return quantile(answered, 0.1), quantile(answered, 0.5), quantile(answered, 0.9)


def _bursts(
    made: dict[str, Axes], df: pd.DataFrame, seen: View, answer: Routing | None, theme: ThemeName
) -> tuple[Burst, ...]:
    """Shade in global's strip what `bench.stats.spillover` finds."""
    if GLOBAL not in made or len(seen.series) < 2:
        return ()
    answer = answer or route(df, stratum=seen.stratum)
    found = spillover(df, answer).bursts
    looked = share_looks(df, answer, theme)
    for burst in found:
        _burst(made[GLOBAL], burst, looked[burst.region].color)
    return found


def _burst(strip: Axes, burst: Burst, color: str) -> None:
    if burst.first_at is None or burst.last_at is None:
        return
    start, end = moments(pd.Series(pd.to_datetime([burst.first_at, burst.last_at])))
    strip.axvspan(start, end, facecolor=color, alpha=0.18, lw=0, zorder=0.6)
    above = strip.get_xaxis_transform()
    strip.plot([start, end], [1, 1], color=color, linewidth=4, transform=above, clip_on=False,
               solid_capstyle="butt")  # fmt: skip
    label = strip.text((start + end) / 2, 0.96, style.short(burst.region), transform=above)
    label.set(ha="center", va="top", color=color, fontsize=style.SMALL, zorder=9)
    label.set_path_effects([*style.halo(strip)])


def _finding(seen: View) -> str:
    lost = sum(map(seen.failures, seen.series))
    total = sum(map(len, seen.series.values()))
    failed = f"{lost} of {total} requests failed" if lost else f"All {total} requests were answered"
    ms = seen.grid()
    ms[np.isinf(ms)] = np.nan
    rounds = row_medians(ms)
    rounds = rounds[~np.isnan(rounds)]
    change = drift(rounds)
    if not len(rounds):
        return failed
    if change is None:
        return f"{failed}; no drift to speak of"
    return f"{failed}; the median moved by {100 * change:+.0f} % from first to last third"
