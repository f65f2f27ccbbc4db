"""Names beside curves: where a curve is furthest from the others, and no label from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes

from bench.plots.style import STRIP, TEXT, figure_of, halo, short
from bench.plots.view import View
from bench.stats import quantile
from bench.stats.quantiles import Values

_LEVELS = (0.12, 0.2, 0.28, 0.36, 0.43, 0.57, 0.64, 0.71, 0.78, 0.85)
_HEIGHT = 0.065
_HALF = 0.033


def name_curves(
    ax: Axes,
    view: View,
    answered: Mapping[str, Values],
    level_of: Callable[[float], float] = float,
) -> None:
    """Write each endpoint's name beside its curve, in its colour.

    ``level_of`` leads from a y of ``ax`` to the quantile that curves have there; an ECDF's is y.
    """
    curves = {name: _positions(ax, view, name, level_of) for name in answered}
    taken: list[tuple[float, float, float]] = []
    limit = 1 - STRIP if any(map(view.failures, view.series)) else 1.0
    for name, curve in curves.items():
        others = [other for key, other in curves.items() if key != name]
        width = _width(ax, name)
        options = [
            (_score(curve, others, taken, width, limit, i, side), side, i)
            for i in range(len(_LEVELS))
            for side in (1, -1)
        ]
        _, side, i = max(options)
        taken.append((curve[i, 1] + side * width / 2, _LEVELS[i], width))
        _write(ax, view, name, curve[i, 1], _LEVELS[i], side)


def _width(ax: Axes, name: str) -> float:
    """About the share of the axes' width that a name needs, its gap included."""
    points = figure_of(ax).get_figwidth() * 72 * ax.get_position().width
    return float((len(name) * 0.66 * TEXT + 12) / points)


def _positions(ax: Axes, view: View, name: str, level_of: Callable[[float], float]) -> Values:
    """Where the curve passes each text's height: its lower, middle and upper edge, shape (k, 3),
    as fractions of the axes' width."""
    heights = [level + shift for level in _LEVELS for shift in (-_HALF, 0, _HALF)]
    to_data = ax.transAxes + ax.transData.inverted()
    levels = [level_of(float(to_data.transform((0, height))[1])) for height in heights]
    xs = [quantile(view.series[name], min(max(level, 1e-9), 1 - 1e-9)) for level in levels]
    points = [ax.transData.transform((x, 0.5)) if np.isfinite(x) else (np.inf, 0) for x in xs]
    inverse = ax.transAxes.inverted()
    flat = [inverse.transform(p)[0] if np.isfinite(p[0]) else np.inf for p in points]
    return np.array(flat).reshape(-1, 3)


def _score(
    curve: Values,
    others: list[Values],
    taken: list[tuple[float, float, float]],
    width: float,
    limit: float,
    i: int,
    side: int,
) -> float:
    """How well a name fits beside the curve at level i: 1 is free, below 0 is a collision.

    ``limit`` is where the strip of failures begins, as a fraction of the axes' width.
    """
    start = float(curve[i, 1])
    if not 0 <= start <= 1:
        return -10.0
    gaps = [(x - start) * side for line in [*others, curve] for x in line[i] if np.isfinite(x)]
    edge = limit - start if side > 0 else start
    room = min([gap for gap in gaps if gap > 0.012] + [edge])
    crowd = sum(
        abs(start + side * width / 2 - x) < (width + w) / 2 and abs(_LEVELS[i] - y) < _HEIGHT
        for x, y, w in taken
    )
    return float(min(room / width, 1.0) - 2 * crowd - 0.2 * abs(_LEVELS[i] - 0.4))


def _write(ax: Axes, view: View, name: str, x: float, y: float, side: int) -> None:
    if not np.isfinite(x):
        return
    ax.annotate(
        short(name),
        (x, y),
        (9 * side, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=TEXT,
        fontweight="bold",
        color=view.looks[name].color,
        path_effects=halo(ax),
        zorder=9,
    )


def name_points(ax: Axes, view: View, points: Mapping[str, tuple[float, float]]) -> None:
    """Write each endpoint's name beside its point (in data coordinates), in its colour; one that
    would lie on another goes a line higher."""
    places = {name: ax.transData.transform(xy) for name, xy in points.items()}
    inverse, taken = ax.transAxes.inverted(), list[tuple[float, float, float]]()
    line = 1.5 * TEXT / (72 * figure_of(ax).get_figheight() * ax.get_position().height)
    for name, place in sorted(places.items(), key=lambda item: float(item[1][1])):
        x, y = inverse.transform(place)
        side = 1 if x < 0.75 else -1
        middle, width = x + side * _width(ax, name) / 2, _width(ax, name)
        while any(abs(middle - u) < (width + w) / 2 and abs(y - v) < line for u, v, w in taken):
            y += line
        taken.append((middle, y, width))
        _write(ax, view, name, float(x), float(np.clip(y, 0.03, 0.97)), side)
