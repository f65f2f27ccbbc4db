"""The shape of each distribution, one ridge per endpoint on one shared axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.theme import Look, ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Stratum, quantile
from bench.stats.quantiles import Values

GRID = 320
HEIGHT = 0.92
FEWEST = 8
"""Below this many answers a density would be invented: only the answers themselves are drawn."""


def ridgeline(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Density of the main metric per endpoint; every answer is a tick below its ridge.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. Areas are equal; failures have
    no place on a time axis and are counted beside the ridge.
    """
    seen = view(df, stratum, theme)
    height = 2.0 + 0.95 * (len(seen.series) if seen else 3)
    figure, ax = style.axes(ax, theme, height=height)
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    answered = {name: style.finite(ms) for name, ms in seen.series.items()}
    if not any(len(ms) for ms in answered.values()):
        style.sentence(ax, f"All {len(seen.places)} requests failed: there is no shape to draw.")
        return figure
    log = style.wants_log(list(seen.series.values()))
    _draw(ax, seen, answered, log)
    method = "Gaussian kernel, equal areas; filled mark p50, open mark p95"
    style.headline(ax, _finding(seen), seen.subtitle(method, style.CURVE), seen.simulated)
    return figure


def _draw(ax: Axes, seen: View, answered: dict[str, Values], log: bool) -> None:
    style.tidy_axes(ax)
    ax.grid(False, axis="y")
    style.scale_x(ax, seen.label, log)
    left, right = _limits(answered, log)
    grid = np.geomspace(left, right, GRID) if log else np.linspace(left, right, GRID)
    shapes = {name: _density(ms, grid, log) for name, ms in answered.items()}
    highest = max((float(s.max()) for s in shapes.values() if s is not None), default=1.0)
    for row, name in enumerate(reversed(answered)):
        shape = shapes[name]
        _ridge(ax, seen, name, row, grid, None if shape is None else shape / highest * HEIGHT)
        _ticks(ax, seen, name, row, answered[name])
    ax.set_xlim(left, right)
    first = shapes[next(iter(answered))]
    room = 0.4 if first is None else float(first.max()) / highest * HEIGHT
    ax.set_ylim(-0.3, len(answered) - 1 + max(room, 0.4) + 0.12)
    _name_rows(ax, seen, list(reversed(answered)))


def _limits(answered: dict[str, Values], log: bool) -> tuple[float, float]:
    known = [ms for ms in answered.values() if len(ms)]
    low = min(float(ms[0]) for ms in known)
    far = 1.3 * max(quantile(ms, 0.99) for ms in known)
    right = min(max(float(ms[-1]) for ms in known) * 1.03, far)
    return (low * 0.85, right) if log else (0.0, right)


def _density(ms: Values, grid: Values, log: bool) -> Values | None:
    """A Gaussian kernel estimate on ``grid``, shape (GRID,); None for too few or equal values.

    Bandwidth: 0.7 of Silverman's rule (Density Estimation, 1986, eq. 3.31), in log time on a log
    axis; narrower than the rule, which is made for one mode and would hide a mixture's.
    """
    x, at = (np.log(ms), np.log(grid)) if log else (ms, grid)
    x = style.thin(x)
    if len(x) < FEWEST or (spread := _spread(x)) <= 0:
        return None
    width = 0.7 * 0.9 * spread * len(x) ** -0.2
    kernels = np.exp(-0.5 * ((at[:, None] - x[None, :]) / width) ** 2)
    return np.asarray(kernels.sum(axis=1) / (len(x) * width * np.sqrt(2 * np.pi)))


def _spread(x: Values) -> float:
    middle = float(np.subtract(*np.percentile(x, [75, 25]))) / 1.34
    return min(float(np.std(x)), middle) if middle > 0 else float(np.std(x))


def _ridge(ax: Axes, seen: View, name: str, row: int, grid: Values, shape: Values | None) -> None:
    kind = seen.looks[name]
    ax.axhline(row, color=style.on(ax).grey, linewidth=0.7, zorder=1)
    if shape is None:
        return
    order = 3 + 2 * (len(seen.series) - row)
    ax.fill_between(grid, row, row + shape, color=kind.color, alpha=0.28, linewidth=0, zorder=order)
    ax.plot(
        grid,
        row + shape,
        color=kind.color,
        linewidth=kind.width * 0.8,
        linestyle=kind.line,
        zorder=order,
    )


def _ticks(ax: Axes, seen: View, name: str, row: int, ms: Values) -> None:
    kind = seen.looks[name]
    shown = style.thin(ms)
    ax.plot(
        shown,
        np.full(len(shown), row - 0.1),
        linestyle="none",
        marker="|",
        markersize=6,
        markeredgewidth=0.8,
        color=kind.color,
        alpha=style.on(ax).cloud,
        rasterized=len(shown) > 300,
    )
    for level, face in ((0.5, kind.color), (0.95, style.on(ax).paper)):
        x = quantile(seen.series[name], level) if len(seen.series[name]) else np.inf
        if np.isfinite(x):
            _mark(ax, kind, x, row, face)


def _mark(ax: Axes, kind: Look, x: float, row: int, face: str) -> None:
    ax.plot(
        [x],
        [row],
        marker=kind.marker,
        markersize=8.5,
        markerfacecolor=face,
        markeredgecolor=kind.color,
        markeredgewidth=1.6,
        zorder=40,
    )


def _name_rows(ax: Axes, seen: View, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), [style.short(name) for name in names])
    ax.tick_params(axis="y", length=0)
    for tick, name in zip(ax.get_yticklabels(), names, strict=True):
        tick.set(color=seen.looks[name].color, fontweight="bold", fontsize=style.TEXT)
    for row, name in enumerate(names):
        lost = seen.failures(name)
        text = f"n = {len(seen.series[name])}, {lost} failed"
        ax.annotate(
            text,
            (1, row),
            (0, 5),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=style.SMALL,
            color=style.on(ax).failed if lost else style.on(ax).grey,
            path_effects=style.halo(ax),
            zorder=50,
        )


def _finding(seen: View) -> str:
    spread = {
        name: quantile(ms, 0.95) / quantile(ms, 0.5)
        for name, ms in seen.series.items()
        if len(ms) >= FEWEST and np.isfinite(quantile(ms, 0.95))
    }
    if not spread:
        return f"Shape of {seen.label.removesuffix(' (ms)')} per endpoint"
    widest, tightest = max(spread, key=lambda n: spread[n]), min(spread, key=lambda n: spread[n])
    text = f"{widest} spreads most: its p95 is {spread[widest]:.1f} times its median"
    other = f"; {tightest} least, {spread[tightest]:.1f} times"
    return text + (other if tightest != widest else "")
