"""Each region less global, round by round: what remains when drift has cancelled itself out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Difference, Stratum
from bench.stats.pairs import differences_ms, paired
from bench.stats.quantiles import Values


def difference(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Paired differences to global: every round a dot, the median with its 95 % interval.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. Rounds in which one of the two
    failed stand at the edge of their side.
    """
    seen = view(df, stratum, theme)
    regions = [name for name in seen.own if name != GLOBAL] if seen else []
    figure, ax = style.axes(ax, theme, height=2.2 + 0.85 * max(2, len(regions)))
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    rounds = seen.paired()
    found = [paired(rounds, seen.stratum, name, GLOBAL) for name in regions]
    found = [d for d in found if d.n_pairs]
    if not found:
        style.sentence(ax, "No round has an answer of both global and a region: nothing to pair.")
        return figure
    points = {d.endpoint: differences_ms(rounds, d.endpoint, GLOBAL) for d in found}
    _draw(ax, seen, found, points)
    method = "paired by round; bar: median with 95 % interval; arrows: rounds beyond the axis"
    drawn = f"{style.MOST_POINTS:,} rounds of each region"
    style.headline(ax, _finding(found), seen.subtitle(method, drawn), seen.simulated)
    return figure


def _draw(ax: Axes, seen: View, found: list[Difference], points: dict[str, Values]) -> None:
    style.tidy_axes(ax)
    ax.grid(False, axis="y")
    reach = _reach(found, points)
    metric = seen.label.removesuffix(" (ms)")
    style.scale_x(ax, f"{metric}, region less global (ms)", False)
    ax.axvline(0, color=seen.looks[GLOBAL].color, linewidth=2.2, zorder=2)
    ax.set_xlim(-reach * 1.12, reach * 1.12)
    ax.set_ylim(-0.62, len(found) - 0.02)
    for row, d in enumerate(reversed(found)):
        _cloud(ax, seen, d, row, points[d.endpoint], reach)
        _bar(ax, seen, d, row, reach)
    _sides(ax)
    names = [d.endpoint for d in reversed(found)]
    ax.set_yticks(range(len(names)), [style.short(name) for name in names])
    ax.tick_params(axis="y", length=0)
    for tick, name in zip(ax.get_yticklabels(), names, strict=True):
        tick.set(color=seen.looks[name].color, fontweight="bold", fontsize=style.TEXT)


def _reach(found: list[Difference], points: dict[str, Values]) -> float:
    """Half the axis: nine tenths of each region's rounds, and every interval."""
    sizes = [np.abs(style.finite(values)) for values in points.values()]
    spans = [float(np.quantile(size, 0.95)) for size in sizes if len(size)]
    ends = [abs(e) for d in found for e in (d.ms.low_ms, d.ms.high_ms) if e is not None]
    return max([*spans, *(e for e in ends if np.isfinite(e)), 1.0])


def _cloud(ax: Axes, seen: View, d: Difference, row: int, values: Values, reach: float) -> None:
    """Every round; those beyond the axis, failures among them, at its edge as arrows."""
    kind = seen.looks[d.endpoint]
    shown = values[:: max(1, -(-len(values) // style.MOST_POINTS))]
    height = row - 0.2 + 0.16 * np.sin(np.arange(len(shown)) * 2.399963)
    inside = np.abs(shown) <= reach
    ax.plot(
        shown[inside],
        height[inside],
        linestyle="none",
        marker=kind.marker,
        markersize=4,
        markeredgewidth=0,
        color=kind.color,
        alpha=style.on(ax).cloud,
        rasterized=len(shown) > 300,
    )
    for side, marker in ((-1, "<"), (1, ">")):
        out = (shown * side) > reach
        at = np.full(int(out.sum()), side * reach * 1.07)
        ax.plot(at, height[out], linestyle="none", marker=marker, markersize=5, color=kind.color)
    _say_failures(ax, values, row)


def _say_failures(ax: Axes, values: Values, row: int) -> None:
    for side, who in ((1, "failed here only"), (-1, "failed at global only")):
        if count := int((values == side * np.inf).sum()):
            ax.annotate(
                f"{count} {who}",
                (1 if side > 0 else 0, row - 0.45),
                xycoords=("axes fraction", "data"),
                ha="right" if side > 0 else "left",
                va="center",
                fontsize=style.SMALL,
                color=style.on(ax).failed,
                path_effects=style.halo(ax),
                zorder=9,
            )


def _bar(ax: Axes, seen: View, d: Difference, row: int, reach: float) -> None:
    kind, ms = seen.looks[d.endpoint], d.ms
    if ms.value_ms is None or ms.low_ms is None or ms.high_ms is None:
        _write(ax, 0.0, row, f"{ms.note} (n = {d.n_pairs})")
        return
    low, middle, high = (
        float(np.clip(x, -reach * 1.07, reach * 1.07)) for x in (ms.low_ms, ms.value_ms, ms.high_ms)
    )
    ax.plot([low, high], [row + 0.14] * 2, color=kind.color, linewidth=4, solid_capstyle="butt")
    ax.plot(
        [middle],
        [row + 0.14],
        marker=kind.marker,
        markersize=10,
        color=kind.color,
        markeredgecolor=style.on(ax).paper,
        zorder=8,
    )
    _write(ax, middle, row, _words(d))


def _write(ax: Axes, x: float, row: int, text: str) -> None:
    left, right = ax.get_xlim()
    place = (x - left) / (right - left)
    ax.annotate(
        style.plain(text),
        (min(max(place, 0.2), 0.8), row + 0.27),
        xycoords=("axes fraction", "data"),
        ha="center",
        va="bottom",
        fontsize=style.TEXT - 0.5,
        color=style.on(ax).ink,
        path_effects=style.halo(ax),
        zorder=9,
    )


def _words(d: Difference) -> str:
    value, percent = d.ms.value_ms, d.percent.value_percent
    if value is None or not np.isfinite(value):
        return f"{d.ms.note} (n = {d.n_pairs})"
    share = f" ({percent:+.0f} %)" if percent is not None and np.isfinite(percent) else ""
    sign = "+" if value > 0 else ""
    return f"{sign}{style.short_ms(value)}{share}, n = {d.n_pairs}".replace("-", "−")


def _sides(ax: Axes) -> None:
    for x, text, ha in (
        (0.0, "← faster than global", "left"),
        (1.0, "slower than global →", "right"),
    ):
        style.note(ax, text, (x, 1), (0, -4), ha=ha, va="top").set_color(style.on(ax).grey)


def _said(d: Difference) -> str:
    if d.ms.value_ms is None:
        return "too few rounds to tell"
    if d.direction == 0 and d.endpoint_fails:
        return "fails too often to compare"
    return {-1: "faster than global", 1: "slower than global", 0: "no clear difference"}[
        d.direction
    ]


def _finding(found: list[Difference]) -> str:
    """Which regions differ, in one sentence; nothing is claimed where the interval holds 0."""
    groups: dict[str, list[str]] = {}
    for d in sorted(found, key=lambda d: (d.direction == 0, d.direction)):
        groups.setdefault(_said(d), []).append(d.endpoint)
    text = "; ".join(f"{words}: {', '.join(names)}" for words, names in groups.items())
    return text[0].upper() + text[1:]
