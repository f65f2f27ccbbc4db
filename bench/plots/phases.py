"""Where the time goes: a typical request of each endpoint, cut into its phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.theme import Look, ThemeName
from bench.plots.view import NOTHING, View, by_endpoint, taken, view
from bench.stats import Stratum
from bench.stats.metrics import FATE, SEGMENT_COLUMNS, failed, not_reused, segments_ms
from bench.stats.quantiles import Values
from bench.units import format_ms

SEGMENTS = {
    "dns": ("name lookup", "iris", ""),
    "tcp": ("TCP connect", "blue", "////"),
    "tls": ("TLS handshake", "purple", "\\\\\\\\"),
    "send": ("send", "ink", ""),
    "wait": ("wait for first byte", "vermillion", ""),
    "think": ("on to first token", "ochre", "...."),
    "rest": ("on to last byte", "pale", ""),
}
"""Each part of a request: what it is called, its colour of the theme and, since that alone is never
enough, its hatch."""


def phases(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Stacked phases of a typical answered request, per endpoint, cold and warm apart.

    Typical: the mean over the middle fifth of requests by total time, whose phases add up to
    their total, which medians of phases do not. Shown are ``stratum`` (default: the main one) and
    its siblings that differ only in the connection.
    """
    seen = view(df, stratum, theme)
    bars = typical(seen) if seen else []
    figure, ax = style.axes(ax, theme, height=2.2 + 0.5 * max(3, len(bars)))
    if seen is None or not bars:
        style.sentence(ax, NOTHING if seen is None else "No request was answered: no phases.")
        return figure
    _draw(ax, seen.looks, bars)
    what = str(seen.stratum).replace(f", {seen.stratum.connection}", "")
    method = "answered requests only; mean of the middle fifth by total time"
    style.headline(ax, _finding(bars), f"{seen.counted} · {what} · {method}", seen.simulated)
    return figure


Bar = tuple[str, str, str, "pd.Series[float]"]


def typical(seen: View) -> list[Bar]:
    """(endpoint, connection, counts in words, mean ms per segment) for each bar to draw."""
    bars: list[Bar] = []
    for other, places in seen.groups.items():
        if not _siblings(seen.stratum, other):
            continue
        own = seen.own if other == seen.stratum else by_endpoint(seen.df, places)
        for name, at in own.items():
            fate = taken(seen.df, at, FATE)
            lost = failed(fate)
            fit = at[~(lost | not_reused(fate)).to_numpy()]
            words = f"n = {len(fit)}, {int(lost.sum())} failed"
            if len(fit):
                parts = segments_ms(taken(seen.df, fit, SEGMENT_COLUMNS))
                bars.append((name, other.connection, words, _middle(parts)))
    order = [str(name) for name in seen.df["endpoint"].cat.categories]
    return sorted(bars, key=lambda bar: (order.index(bar[0]), bar[1] != "cold"))


def _siblings(one: Stratum, other: Stratum) -> bool:
    """Whether the two differ in nothing but how the request was connected."""
    return replace(one, connection=other.connection) == other


def _middle(parts: pd.DataFrame) -> pd.Series[float]:
    """The mean over the rows between the 40th and 60th percentile of the total; at least one."""
    total = np.asarray(sum(parts[name].to_numpy() for name in parts))
    chosen = parts.take(middle_fifth(total))
    return (chosen if len(chosen) else parts).mean()


def middle_fifth(values: Values) -> npt.NDArray[np.intp]:
    """Where those are whose rank, as a share, is above 0.4 and up to 0.6; of equal ones the
    earlier has the lower rank. As if all were put in order, which takes ten times as long."""
    shares = np.arange(1, len(values) + 1) / len(values)
    first, after = np.searchsorted(shares, (0.4, 0.6), side="right")
    if first == after:
        return np.array([], dtype=np.intp)
    low, high = np.partition(values, (first, after - 1))[[first, after - 1]]
    near = np.flatnonzero((values >= low) & (values <= high))
    ranks = np.argsort(values[near], kind="stable")
    below = np.count_nonzero(values < low)
    return np.sort(near[ranks[first - below : after - below]])


def _draw(ax: Axes, kinds: Mapping[str, Look], bars: list[Bar]) -> None:
    style.tidy_axes(ax)
    ax.grid(False, axis="y")
    style.scale_x(ax, "time from the start of the request (ms)", False)
    longest = max(float(bar[3].sum()) for bar in bars) or 1.0
    places = _places(bars)
    for place, (_, _, words, parts) in zip(places, bars, strict=True):
        _stack(ax, place, parts, longest)
        text = f"{format_ms(float(parts.sum()))}, {words}"
        ax.text(
            float(parts.sum()) + longest * 0.01,
            place,
            style.plain(text),
            va="center",
            fontsize=style.SMALL,
            color=style.on(ax).ink,
        )
    ax.set_xlim(0, longest * 1.36)
    ax.set_ylim(min(places) - 0.6, 0.6)
    ax.set_yticks(places, [f"{style.short(name)}, {how}" for name, how, _, _ in bars])
    ax.tick_params(axis="y", length=0)
    for tick, (name, *_) in zip(ax.get_yticklabels(), bars, strict=True):
        tick.set(color=kinds[name].color, fontweight="bold", fontsize=style.TEXT - 0.5)
    style.legend(ax, columns=3)


def _places(bars: list[Bar]) -> list[float]:
    """Rows from the top; bars of one endpoint stand closer together than endpoints do."""
    places, y = [0.0], 0.0
    for before, bar in pairwise(bars):
        y -= 0.85 if before[0] == bar[0] else 1.1
        places.append(y)
    return places


def _stack(ax: Axes, place: float, parts: pd.Series[float], longest: float) -> None:
    left = 0.0
    named = set(ax.get_legend_handles_labels()[1])
    for name, (label, color, hatch) in SEGMENTS.items():
        width = float(parts[name])
        if width < longest * 0.002:
            continue
        ax.barh(
            place,
            width,
            left=left,
            height=0.72,
            color=style.on(ax)[color],
            hatch=hatch,
            edgecolor=style.on(ax).paper,
            linewidth=0.8,
            label=label if label not in named else None,
        )
        if width > longest * 0.09:
            _write(ax, left + width / 2, place, width)
        left += width


def _write(ax: Axes, x: float, place: float, ms: float) -> None:
    ax.text(
        x,
        place,
        f"{ms:.0f}",
        ha="center",
        va="center",
        fontsize=style.SMALL,
        color=style.on(ax).ink,
        path_effects=style.halo(ax),
    )


def _finding(bars: list[Bar]) -> str:
    """Which phase is the largest of all, and where that is most so."""
    name, how, _, parts = max(bars, key=lambda bar: float(bar[3].max() / max(bar[3].sum(), 1e-9)))
    largest = str(parts.idxmax())
    share = float(parts[largest] / max(float(parts.sum()), 1e-9))
    setup = [float(p[["dns", "tcp", "tls"]].sum()) for _, c, _, p in bars if c == "cold"]
    cost = f"; a new connection costs {_range(setup)}" if setup else ""
    return (
        f"{style.share(share)} of a typical {how} request to {name} is {SEGMENTS[largest][0]}{cost}"
    )


def _range(values: list[float]) -> str:
    low, high = format_ms(float(np.min(values))), format_ms(float(np.max(values)))
    return low if low == high else f"{low} to {high}"
