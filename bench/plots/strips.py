"""Panels below each other on shared scales, one per endpoint, each with its name above."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.plots import style
from bench.plots.view import View
from bench.stats import quantile
from bench.stats.quantiles import Values


def strips(ax: Axes, names: Sequence[str], fill: float = 0.74) -> dict[str, Axes]:
    """One panel per name, top down, in ``ax``; only the lowest has numbers at its x axis."""
    ax.set_axis_off()
    step = 1 / len(names)
    made = {
        name: style.inset(ax, (0.0, 1 - (row + 1) * step, 1.0, step * fill))
        for row, name in enumerate(names)
    }
    for strip in made.values():
        strip.tick_params(labelsize=style.SMALL, labelbottom=strip is made[names[-1]])
    return made


def title(strip: Axes, text: str, color: str) -> None:
    """Words above a strip, in the colour of what it shows."""
    above = strip.text(0, 1.04, style.plain(text), transform=strip.transAxes, va="bottom")
    above.set(fontsize=style.SMALL + 0.5, fontweight="bold", color=color, zorder=9)


def side_label(ax: Axes, text: str) -> None:
    """What the y axes of all strips of ``ax`` have in common, at their left."""
    label = style.note(ax, text, (0, 0.5), (-48, 0), size=style.TEXT, ha="center", va="center")
    label.set(rotation=90, multialignment="center")


def scale_ms(strip: Axes, series: Sequence[Values], log: bool) -> None:
    """The y axis in ms for all ``series``, up to a little beyond the largest p99."""
    known = [ms for ms in map(style.finite, series) if len(ms)]
    top = max((quantile(ms, 0.99) for ms in known), default=1.0) * 1.25
    low = min((float(ms[0]) for ms in known), default=1.0)
    if not log:
        strip.set_ylim(0, max(top, 1e-3))
        strip.locator_params(axis="y", nbins=3)
        return
    strip.set_yscale("log")
    strip.set_ylim(low * 0.8, top * 1.6)
    strip.yaxis.set_major_locator(LogLocator(subs=(1, 3) if top / low < 30 else (1,)))
    strip.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    strip.yaxis.set_minor_formatter(NullFormatter())


def metric_label(seen: View, log: bool) -> str:
    """The main metric with its unit, and the scale if it is not linear."""
    return f"{seen.label}, log scale" if log else seen.label
