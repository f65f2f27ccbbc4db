"""The slow requests: what share takes longer than a time, on scales that show one in a thousand."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.labels import name_curves
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Stratum, quantile
from bench.stats.quantiles import Values, smallest_n

SINGLE = 5
"""So many of the slowest answers are drawn one by one: a curve through them would be invented."""

LEVELS = {0.5: "p50", 0.1: "p90", 0.05: "p95", 0.01: "p99", 0.001: "p99.9", 0.0001: "p99.99"}


def tail(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Complementary distribution of the main metric per endpoint, both axes logarithmic.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. A curve never falls below the
    share that failed, which is the level at which it enters the strip at the right edge. The
    slowest five answers of each endpoint are single marks.
    """
    seen = view(df, stratum, theme)
    figure, ax = style.axes(ax, theme, height=5.0 + 0.11 * (len(seen.series) if seen else 0))
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    answered = {name: style.finite(ms) for name, ms in seen.series.items()}
    if not any(len(ms) for ms in answered.values()):
        style.sentence(ax, f"All {len(seen.places)} requests failed: there is no tail to draw.")
        return figure
    _draw(ax, seen, answered)
    method = "complementary distribution; a failure counts as never answered"
    style.headline(ax, _finding(seen), seen.subtitle(method, style.CURVE), seen.simulated)
    return figure


def _draw(ax: Axes, seen: View, answered: dict[str, Values]) -> None:
    style.tidy_axes(ax)
    style.scale_x(ax, seen.label, True)
    edge = _set_limits(ax, seen, answered)
    _levels(ax)
    for name in sorted(seen.series, key=lambda name: name == GLOBAL):
        _curve(ax, seen, name, answered[name], edge)
    known = {name: ms for name, ms in answered.items() if len(ms)}
    name_curves(ax, seen, known, lambda y: 1 - y)
    order = {style.plain(f"{name}:"): place for place, name in enumerate(seen.series)}
    handles = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    handles.sort(key=lambda line: order[str(line.get_label()).split(" n =")[0]])
    style.legend(ax, handles=handles)


def _set_limits(ax: Axes, seen: View, answered: dict[str, Values]) -> float:
    """Set both limits; the return is where the failures' strip begins, in ms."""
    everything = np.concatenate(list(answered.values()))
    left, right = max(float(everything.min()), 1e-3) * 0.9, float(everything.max()) * 1.1
    failures = any(map(seen.failures, seen.series))
    end = left * (right / left) ** (1 / (1 - style.STRIP)) if failures else right
    ax.set_xlim(left, end)
    ax.set_yscale("log")
    ax.set_ylim(0.7 / max(map(len, seen.series.values())), 1.15)
    if failures:
        style.failed_strip(ax, right, end)
    return right


def _levels(ax: Axes) -> None:
    low = ax.get_ylim()[0]
    shown = {1.0: "all", **{level: name for level, name in LEVELS.items() if level > low}}
    texts = [
        name if level == 1 else f"1 in {1 / level:g} ({name})" for level, name in shown.items()
    ]
    ax.yaxis.set_major_locator(FixedLocator(list(shown)))
    ax.yaxis.set_major_formatter(FixedFormatter(texts))
    ax.yaxis.set_minor_locator(NullLocator())
    style.name_y(ax, "requests that take longer, log scale")


def _curve(ax: Axes, seen: View, name: str, ms: Values, edge: float) -> None:
    """Steps down to the slowest few, those as marks, and on to the failures at their level."""
    kind, n, lost = seen.looks[name], len(seen.series[name]), seen.failures(name)
    label = style.plain(f"{name}: n = {n}, {lost} failed")
    left = n - np.arange(1, len(ms) + 1)
    few = _log_thin(len(ms))
    line = few[few < max(len(ms) - SINGLE, 1)]
    order = 6 if name == GLOBAL else 4
    look = {"color": kind.color, "zorder": order}
    ax.plot(
        ms[line],
        left[line] / n,
        drawstyle="steps-post",
        linestyle=kind.line,
        linewidth=kind.width,
        marker=kind.marker,
        markevery=[],
        label=label,
        **look,  # type: ignore[arg-type]  # style words, of several types
    )
    slow = few[(few >= len(ms) - SINGLE) & (left[few] > 0)]
    ax.plot(ms[slow], left[slow] / n, linestyle="none", marker=kind.marker, markersize=4.5, **look)  # type: ignore[arg-type]  # as above
    if lost:
        start = float(ms[-1]) if len(ms) else ax.get_xlim()[0]
        ax.plot([start, edge], [lost / n] * 2, linestyle=(0, (1, 1)), linewidth=1.2, **look)  # type: ignore[arg-type]  # as above
        end = float(np.sqrt(edge * ax.get_xlim()[1]))
        ax.plot([end], [lost / n], linestyle="none", marker="x", markersize=7,
                markeredgewidth=2, **look)  # type: ignore[arg-type]  # as above  # fmt: skip


def _log_thin(n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """At most `style.MOST_POINTS` of the places 0 to n − 1, the densest where the tail is."""
    if n <= style.MOST_POINTS:
        return np.arange(n)
    from_top = np.unique(np.geomspace(1, n, style.MOST_POINTS).round().astype(np.int64))
    return np.asarray(n - from_top[::-1])


def _finding(seen: View) -> str:
    """The slowest one in twenty, or one in a hundred where there are enough to say so."""
    fewest = min(map(len, seen.series.values()))
    q, words = (0.99, "1 in 100") if fewest >= smallest_n(0.99) else (0.9, "1 in 10")
    at = {name: quantile(ms, q) for name, ms in seen.series.items() if len(ms)}
    ordered = sorted(at, key=lambda name: at[name])
    best, worst = ordered[0], ordered[-1]
    if fewest < smallest_n(q):
        return f"The slowest answers of each endpoint; too few to bound a p{100 * q:.0f}"
    if not np.isfinite(at[best]):
        return f"{words} requests fails, at every endpoint"
    text = f"{words} requests takes longer than {style.short_ms(at[best])} at {best}"
    return text + ("" if best == worst else _worst(worst, at[worst]))


def _worst(name: str, ms: float) -> str:
    return f", and {style.short_ms(ms)} at {name}" if np.isfinite(ms) else f", and fails at {name}"
