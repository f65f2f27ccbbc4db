"""Where global's requests went, over time: shares by window, and the bursts that stand out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.dates import date_axis, limits, moments, name_time
from bench.plots.routing import FIRST_BYTE, NETWORK, share_looks, times_of
from bench.plots.sparse import largest, sparse
from bench.plots.theme import Look, ThemeName
from bench.plots.view import simulated, window
from bench.stats import Stratum, quantile
from bench.stats.metrics import countable, failed
from bench.stats.quantiles import Values
from bench.stats.routing import ELSEWHERE, Routing, posterior, route
from bench.stats.spillover import Burst, Spillover
from bench.stats.spillover import spillover as find
from bench.stats.strata import runs_of, stratify
from bench.stats.travel import Travel, travel


def spillover(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
    answer: Routing | None = None,
) -> Figure:
    """Shares of the regions in windows of global's requests; below, every request by itself.

    ``df`` is a tidy frame; ``answer`` spares the fit when `bench.stats.routing.route` was asked
    before. Grey bands are bursts: stretches in which one region served far more than otherwise, and
    more than any order by chance would show.
    """
    few = sparse(df, largest(df))
    df = few.df
    answer = answer or route(df, stratum=stratum)
    moved, found = find(df, answer), travel(df, answer.stratum)
    figure, ax = style.axes(ax, theme, height=6.0)
    if found is None or not len(found.seen):
        style.sentence(ax, answer.words())
        return figure
    if found.answered["started_at"].isna().any():
        style.sentence(ax, "Some requests have no time: there is no order to draw.")
        return figure
    ax.set_axis_off()
    _draw(ax, df, found, answer, moved, theme)
    subtitle = _subtitle(found, answer, moved) + few.told
    style.headline(ax, finding_of(moved), subtitle, simulated(df))
    return figure


def _draw(
    ax: Axes, df: pd.DataFrame, found: Travel, answer: Routing, moved: Spillover, theme: ThemeName
) -> None:
    looked = share_looks(df, answer, theme)
    span = limits(moments(found.answered["started_at"]))
    if moved.known:
        above = style.inset(ax, (0.0, 0.5, 1.0, 0.46))
        _shares(above, moved, span, looked)
    below = style.inset(ax, (0.0, 0.06, 1.0, 0.36 if moved.known else 0.86))
    _requests(below, df, found, answer, span, looked)
    for burst in moved.bursts:
        _band(below, burst)
    _legend(ax, df, found, answer, looked)


def _shares(
    panel: Axes,
    moved: Spillover,
    span: tuple[float, float],
    looked: Mapping[str, Look],
) -> None:
    """Steps on top of each other: who answered how much of each window."""
    panel.set_xlim(*span)
    panel.set_ylim(0, 1)
    edges = np.array([*(_moment(w.first_at) for w in moved.windows), span[1]])
    edges[0] = span[0]
    base = np.zeros(len(edges))
    for name in moved.windows[0].shares:
        part = [w.shares[name][0] for w in moved.windows]
        top = base + np.array([*part, part[-1]])
        hatch = "////" if name == ELSEWHERE else None
        panel.fill_between(edges, base, top, step="post", facecolor=looked[name].color, alpha=0.55,
                           hatch=hatch, edgecolor=style.on(panel).paper, linewidth=0,
                           zorder=3)  # fmt: skip
        base = top
    panel.set_yticks([0, 0.5, 1], [style.plain(f"{n} %") for n in (0, 50, 100)])
    style.name_y(panel, "share of global")
    date_axis(panel)
    panel.tick_params(labelbottom=False)
    for burst in moved.bursts:
        _bracket(panel, burst, looked)


def _bracket(panel: Axes, burst: Burst, looked: Mapping[str, Look]) -> None:
    """A line above the shares, in the colour of the region that took over."""
    ends = _ends(burst)
    across = panel.get_xaxis_transform()
    color = looked[burst.region].color
    panel.plot(ends, [1.035] * 2, color=color, linewidth=4, transform=across, clip_on=False,
               solid_capstyle="butt")  # fmt: skip
    _band(panel, burst)


def _band(panel: Axes, burst: Burst) -> None:
    for end in _ends(burst):
        panel.axvline(
            end, color=style.on(panel).ink, linewidth=1.1, linestyle=(0, (4, 2)), zorder=7
        )


def _ends(burst: Burst) -> list[float]:
    return [_moment(burst.first_at), _moment(burst.last_at)]


def _moment(text: str | None) -> float:
    return float(moments(pd.Series([pd.Timestamp(text or "NaT")]))[0])


def _requests(
    panel: Axes,
    df: pd.DataFrame,
    found: Travel,
    answer: Routing,
    span: tuple[float, float],
    looked: Mapping[str, Look],
) -> None:
    """Each answer of global at its network time, as its likeliest region is drawn everywhere."""
    shown = "network" if answer.identifiable and found.axes != "ttfb" else "ttfb"
    ms, times = times_of(found, shown), moments(found.answered["started_at"])
    panel.set_xlim(*span)
    panel.set_ylim(0, quantile(ms, 0.985) * 1.3 + 1)
    for kind, own in _parts(panel, df, answer, looked, len(ms)):
        few = own[:: max(1, -(-len(own) // style.MOST_POINTS))]
        panel.plot(times[few], ms[few], linestyle="none", marker=kind.marker, markersize=4.5,
                   markeredgewidth=0, color=kind.color, alpha=0.75, rasterized=True)  # fmt: skip
    lost = _lost_times(df, found)[: style.MOST_POINTS]
    theme, above = style.on(panel), panel.get_xaxis_transform()
    style.marks(panel, lost, 0.94, marker="X", markersize=7, color=theme.failed,
                markeredgecolor=theme.paper, transform=above, zorder=8)  # fmt: skip
    label = (NETWORK if shown == "network" else FIRST_BYTE).replace(" (ms)", "\n(ms)")
    style.name_y(panel, label)
    name_time(panel)
    panel.locator_params(axis="y", nbins=4)
    date_axis(panel)


def _parts(
    panel: Axes, df: pd.DataFrame, answer: Routing, looked: Mapping[str, Look], n: int
) -> list[tuple[Look, Any]]:
    """Which requests are drawn how; all as global's where nothing can be told."""
    if not answer.identifiable:
        return [(style.on(panel).look(0, True), np.arange(n))]
    chances = posterior(df, answer)
    likely = chances.to_numpy(dtype=np.float64).argmax(axis=1)
    return [
        (looked[str(name)], np.flatnonzero(likely == place))
        for place, name in enumerate(chances.columns)
    ]


def _lost_times(df: pd.DataFrame, found: Travel) -> Values:
    rows = dict(stratify(countable(df), runs_of(df)))[found.stratum]
    return moments(rows["started_at"][failed(rows) & (rows["endpoint"] == GLOBAL)])


def _legend(
    ax: Axes, df: pd.DataFrame, found: Travel, answer: Routing, looked: Mapping[str, Look]
) -> None:
    options: dict[str, Any] = {"linestyle": "none", "markersize": 8}
    handles = [
        Line2D([], [], marker=looked[s.name].marker, color=looked[s.name].color, label=s.name,
               **options)
        for s in answer.shares
        if answer.identifiable
    ]  # fmt: skip
    if found.failures:
        handles.append(
            Line2D([], [], marker="X", color=style.on(ax).failed, label="failed", **options)
        )
    if handles:
        style.legend(ax, columns=3, handles=handles)


def finding_of(moved: Spillover) -> str:
    """The title: how much left home, and who took over most."""
    if not moved.known:
        return moved.words().removesuffix(".")
    text = f"{100 * (moved.away or 0):.0f} % of global's requests left {moved.home}"
    if not moved.bursts:
        return f"{text}; no stretch stands out"
    burst = moved.worst()
    return f"{text}; {burst.region} took over in rounds {burst.first_round} to {burst.last_round}"


def _subtitle(found: Travel, answer: Routing, moved: Spillover) -> str:
    size = f"n = {len(found.seen)} answers of global, {answer.n_failed} failed"
    parts = [size, window(found.answered["started_at"]), str(found.stratum)]
    if moved.known:
        parts.append(f"windows of about {moved.windows[0].n} requests; bursts by a scan statistic")
    return " · ".join([*parts, answer.method])
