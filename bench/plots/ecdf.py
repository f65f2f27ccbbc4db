"""The distribution itself: what share of requests was answered within a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.labels import name_curves
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Stratum, quantile
from bench.stats.quantiles import Values


def ecdf(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Empirical distribution of the main metric per endpoint, global in front.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. A curve ends at the share that
    was answered; its failures are the step in the strip at the right edge.
    """
    seen = view(df, stratum, theme)
    figure, ax = style.axes(ax, theme, height=5.0 + 0.11 * (len(seen.series) if seen else 0))
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    answered = {name: style.finite(ms) for name, ms in seen.series.items()}
    answered = {name: ms for name, ms in answered.items() if len(ms)}
    if not answered:
        style.sentence(ax, f"All {len(seen.places)} requests failed: there is no time to draw.")
        return figure
    _draw(ax, seen, answered)
    method = "empirical distribution; a failure counts as never answered"
    subtitle = seen.subtitle(method + _beyond(ax, seen), style.CURVE)
    style.headline(ax, _finding(seen), subtitle, seen.simulated)
    return figure


def _draw(ax: Axes, seen: View, answered: dict[str, Values]) -> None:
    log = style.wants_log(list(seen.series.values()))
    style.tidy_axes(ax)
    style.scale_x(ax, seen.label, log)
    edge = _set_limits(ax, answered, log, any(map(seen.failures, seen.series)))
    _levels(ax)
    for place, name in enumerate(seen.series):
        _curve(ax, seen, name, answered.get(name), edge, place)
    name_curves(ax, seen, answered)
    style.legend(ax)


def _set_limits(ax: Axes, answered: dict[str, Values], log: bool, failures: bool) -> float:
    """Set the x limits; the return is where the failures' strip begins, in data coordinates."""
    everything = np.concatenate(list(answered.values()))
    far = 1.3 * max(quantile(values, 0.99) for values in answered.values())
    right = min(float(everything.max()), far) * 1.03
    left = float(everything.min()) * 0.85 if log else 0.0
    share = 1 / (1 - style.STRIP) if failures else 1.0
    end = left * (right / left) ** share if log else right * share
    ax.set_xlim(left, end)
    ax.set_ylim(0, 1.015)
    if failures:
        style.failed_strip(ax, right, end)
    return right


def _levels(ax: Axes) -> None:
    ticks = (0, 0.25, 0.5, 0.75, 0.95, 1)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FixedFormatter(["0 %", "25 %", "p50", "75 %", "p95", ""]))
    style.name_y(ax, "share of requests answered within")
    for level in (0.5, 0.95):
        ax.axhline(level, color=style.on(ax).grey, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)


def _curve(ax: Axes, seen: View, name: str, ms: Values | None, edge: float, place: int) -> None:
    kind, n, lost = seen.looks[name], len(seen.series[name]), seen.failures(name)
    label = style.plain(
        f"{name}: n = {n}, {lost} failed" + (f" ({style.share(lost / n)})" if lost else "")
    )
    top = 1 - lost / n if n else 0.0
    values = style.thin(ms) if ms is not None else np.array([])
    shares = np.searchsorted(ms, values, side="right") / n if ms is not None else values
    xs, ys = [*values[:1], *values, edge], [0.0, *shares, top]
    look = {"color": kind.color, "linewidth": kind.width, "linestyle": kind.line}
    order = 6 if name == GLOBAL else 4
    ax.plot(
        xs if len(values) else [edge],
        ys if len(values) else [0.0],
        drawstyle="steps-post",
        label=label,
        marker=kind.marker,
        markersize=6,
        markevery=[],
        zorder=order,
        **look,  # type: ignore[arg-type]  # style words, of several types
    )
    _marks(ax, seen, name, order)
    if lost:
        _failed_step(ax, seen, name, top, edge, place)


def _marks(ax: Axes, seen: View, name: str, order: int) -> None:
    kind = seen.looks[name]
    for level, face in ((0.5, kind.color), (0.95, style.on(ax).paper)):
        x = quantile(seen.series[name], level) if len(seen.series[name]) else np.inf
        if np.isfinite(x):
            ax.plot(
                [x],
                [level],
                marker=kind.marker,
                markersize=8,
                markerfacecolor=face,
                markeredgecolor=kind.color,
                markeredgewidth=1.6,
                zorder=order + 2,
            )


def _failed_step(ax: Axes, seen: View, name: str, top: float, edge: float, place: int) -> None:
    """From the last answer into the strip, and up to all requests: the part that never came."""
    kind, inverse = seen.looks[name], ax.transAxes.inverted()
    start = float(inverse.transform(ax.transData.transform((edge, 0)))[0])
    x = start + (place + 1) / (len(seen.series) + 1) * (1 - start)
    across = ax.get_yaxis_transform()
    ax.plot([start, x], [top, top], color=kind.color, linewidth=kind.width, transform=across)
    ax.plot(
        [x, x],
        [top, 1],
        color=kind.color,
        linewidth=kind.width,
        linestyle=(0, (1, 1)),
        marker="x",
        markersize=6,
        transform=across,
        zorder=7,
    )


def _finding(seen: View) -> str:
    medians = {n: quantile(ms, 0.5) for n, ms in seen.series.items() if len(ms)}
    ordered = sorted(medians, key=lambda name: medians[name])
    low, high = ordered[0], ordered[-1]
    metric = seen.label.removesuffix(" (ms)")
    if low == high:
        return f"Median {metric} at {low}: {style.short_ms(medians[low])}"
    text = f"Median {metric} runs from {style.short_ms(medians[low])} ({low}) to "
    text += f"{style.short_ms(medians[high])} ({high})"
    between = GLOBAL in medians and GLOBAL not in (low, high)
    return f"{text}; global {style.short_ms(medians[GLOBAL])}" if between else text


def _beyond(ax: Axes, seen: View) -> str:
    right = ax.get_xlim()[1]
    count = sum(int((style.finite(ms) > right).sum()) for ms in seen.series.values())
    return f"; answers beyond the axis: {count}" if count else ""
