"""Each region against global, quantile by quantile: where in the distribution the difference is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.strips import side_label, strips, title
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Stratum, estimate
from bench.stats.quantiles import Values, smallest_n

LADDER = (*np.arange(0.05, 0.96, 0.05).round(2), 0.975, 0.99)
TICKS = (0.05, 0.25, 0.5, 0.75, 0.95)
LEVEL = 0.975
"""Of each quantile's own interval: both hold together in 95 of 100 cases (Bonferroni)."""

OUTER, INNER = 0.9, 0.75
"""The scale is that of the differences up to the one, and of the intervals up to the other: beyond,
single answers move them far."""

Gaps = Values
"""Rows: quantile, difference, low end, high end, ms but the first; columns: those of `LADDER` that
both can bound. Infinite where one of the two fails."""


def quantiles(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Each region's quantiles less global's, with 95 % intervals, one strip per region.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. A mixture of fast and slow regions
    shows as a slope: a region near most users is slower than global's fast end and faster than its
    slow one. Intervals assume no distribution and no pairing, and are wide for that.
    """
    seen = view(df, stratum, theme)
    regions = [name for name in seen.series if name != GLOBAL] if seen else []
    figure, ax = style.axes(ax, theme, height=2.1 + 1.25 * max(2, len(regions)))
    if seen is None or GLOBAL not in seen.series or not regions:
        why = "Only one side was measured: this compares regions with the global endpoint."
        style.sentence(ax, NOTHING if seen is None else why)
        return figure
    found = {name: gaps(seen.series[name], seen.series[GLOBAL]) for name in regions}
    if not any(np.isfinite(gap[1]).any() for gap in found.values()):
        style.sentence(ax, _too_few(seen))
        return figure
    _draw(ax, seen, found)
    method = "difference of quantiles, with distribution-free 95 % intervals"
    style.headline(ax, _finding(found), seen.subtitle(method), seen.simulated)
    return figure


def gaps(ours: Values, theirs: Values) -> Gaps:
    """Ours less theirs at every quantile that both can bound, shape (4, k); see `Gaps`."""
    rows = []
    for q in LADDER:
        a, b = (estimate(values, q, LEVEL) for values in (ours, theirs))
        if a.low_ms is None or a.high_ms is None or b.low_ms is None or b.high_ms is None:
            continue
        ends = (a.value_ms, b.value_ms), (a.low_ms, b.high_ms), (a.high_ms, b.low_ms)
        rows.append([q, *(_less(one, other) for one, other in ends)])
    return np.array(rows, dtype=np.float64).reshape(-1, 4).T


def _less(one: float | None, other: float | None) -> float:
    """The difference; not known where both fail."""
    if one is None or other is None or (np.isinf(one) and np.isinf(other)):
        return np.nan
    return one - other


def _too_few(seen: View) -> str:
    n = min(map(len, seen.series.values()))
    if any(np.isfinite(ms).any() for ms in seen.series.values()):
        fewest = smallest_n(0.5, LEVEL)
        return f"Too few answers to bound any quantile: n = {n}, and a median needs {fewest}."
    return f"All {len(seen.places)} requests failed: there are no quantiles to compare."


def _draw(ax: Axes, seen: View, found: Mapping[str, Gaps]) -> None:
    made = strips(ax, list(found))
    reach = _reach(found)
    for name, strip in made.items():
        strip.set_xlim(0.03, 1.0)
        strip.set_ylim(*reach)
        strip.locator_params(axis="y", nbins=4)
        strip.set_xticks(TICKS, [f"p{100 * q:.0f}" for q in TICKS])
        strip.axhline(0, color=seen.looks[GLOBAL].color, linewidth=1.6, zorder=2)
        _gap(strip, seen, name, found[name])
    style.name_x(strip, "quantile of the distribution")
    side_label(ax, f"{seen.label.removesuffix(' (ms)')}\nless global's (ms)")
    first = next(iter(made.values()))
    note = style.note(first, "above the line: slower than global", (1, 1.04), ha="right")
    note.set_color(style.on(ax).grey)


def _reach(found: Mapping[str, Gaps]) -> tuple[float, float]:
    """Differences up to `OUTER`, intervals up to `INNER`; what is beyond, as far as it fits."""
    parts = [part for gap in found.values()
             for part in (gap[1, gap[0] <= OUTER], gap[2:, gap[0] <= INNER].ravel())]  # fmt: skip
    everything = np.concatenate([gap[1] for gap in found.values()])
    known = next(v[np.isfinite(v)] for v in (np.concatenate(parts), everything)
                 if np.isfinite(v).any())  # fmt: skip
    low, high = min(float(known.min()), 0.0), max(float(known.max()), 0.0)
    room = 0.15 * max(high - low, 1.0)
    return low - room, high + room


def _gap(strip: Axes, seen: View, name: str, gap: Gaps) -> None:
    kind, (low, high) = seen.looks[name], strip.get_ylim()
    q, value, *ends = gap
    bottom, top = (
        np.clip(np.nan_to_num(end, nan=high, posinf=high, neginf=low), low, high) for end in ends
    )
    known = np.isfinite(value)
    strip.fill_between(q[known], bottom[known], top[known], color=kind.color, alpha=0.22,
                       linewidth=0, zorder=3)  # fmt: skip
    strip.plot(q[known], value[known], color=kind.color, linestyle=kind.line, linewidth=kind.width,
               marker=kind.marker, markersize=4.5, zorder=5)  # fmt: skip
    words = f"{name}: n = {len(seen.series[name])}, {seen.failures(name)} failed"
    if fails := [at for at, ms in zip(q, value, strict=True) if np.isposinf(ms)]:
        words += f"; fails from p{100 * fails[0]:.0f} on"
    title(strip, words, kind.color)


def _finding(found: Mapping[str, Gaps]) -> str:
    groups: dict[str, list[str]] = {}
    for name, gap in found.items():
        groups.setdefault(_said(gap), []).append(name)
    text = "; ".join(f"{words}: {', '.join(names)}" for words, names in groups.items())
    return text[0].upper() + text[1:]


def _said(gap: Gaps) -> str:
    """What the intervals allow to say; nothing where they hold 0."""
    slower, faster = gap[2] > 0, gap[3] < 0
    if not gap.shape[1]:
        return "too few answers to tell"
    if slower.all() or faster.all():
        return f"{'slower' if slower.all() else 'faster'} than global at every quantile"
    if slower.any() and faster.any():
        fast_end = gap[0][slower].mean() < gap[0][faster].mean()
        return f"{'slower' if fast_end else 'faster'} than global's fast end, " + (
            "faster than its slow end" if fast_end else "slower than its slow end"
        )
    if not slower.any() and not faster.any():
        return "no clear difference to global"
    return f"{'slower' if slower.any() else 'faster'} than global wherever that can be told"
