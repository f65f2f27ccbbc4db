"""How every figure looks: one colour, marker and line per endpoint, a finding as title.

Nothing here touches matplotlib's global state: sizes and colours are given to each artist.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from bench.plots.picture import Picture
from bench.plots.theme import THEMES, Theme, ThemeName, themed
from bench.stats import quantile
from bench.stats.quantiles import Values, in_order
from bench.units import format_ms

TITLE, TEXT, SMALL, TINY = 13.5, 11.0, 9.5, 8.0
MOST_POINTS = 2000
CURVE = f"{MOST_POINTS:,} answers of each curve, the extremes among them"
LOG_RATIO = 5
STRIP = 0.07
"""The share of the width that belongs to failures, at the right edge."""

Color = str | tuple[float, float, float, float]


def axes(
    ax: Axes | None, theme: ThemeName, width: float = 8.4, height: float = 5.2
) -> tuple[Figure, Axes]:
    """The given axes, or fresh ones in a figure of ``width`` × ``height`` inches, on the theme's
    paper.

    The paper is how a figure carries its theme: `on` reads it back.
    """
    figure = figure_of(ax) if ax else Picture((width, height), layout="constrained", dpi=110)
    ax = ax or figure.add_subplot()
    for surface in (figure, ax):
        surface.set_facecolor(themed(theme).paper)
    return figure, ax


def figure_of(ax: Axes) -> Figure:
    """The figure at the root of ``ax``."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101 - axes without a figure cannot be drawn on at all
    return figure


def inset(ax: Axes, bounds: tuple[float, float, float, float]) -> Axes:
    """Axes inside of ``ax``, on the same paper, tidied."""
    panel = ax.inset_axes(bounds, facecolor=on(ax).paper)
    tidy_axes(panel)
    return panel


def on(ax: Axes) -> Theme:
    """The theme of the paper that ``ax`` has."""
    paper = to_hex(ax.get_facecolor())
    return next((theme for theme in THEMES.values() if theme.paper == paper), THEMES["light"])


def headline(ax: Axes, title: str, subtitle: str, simulated: bool = False) -> None:
    """The finding in bold, and below it n, window and method; a mark when nothing was real.

    In a figure of its own they stand at the figure's left edge, else at that of ``ax``.
    """
    ax.set_label(title)
    alone = figure_of(ax).axes == [ax]
    width = figure_of(ax).get_figwidth() * 72 * (1 if alone else ax.get_position().width) - 12
    above = _wrap(plain(title), int(width / (0.63 * TITLE)))
    below = _wrap(plain(subtitle), int(width / (0.56 * SMALL)))
    (_over_figure if alone else _over_axes)(ax, above, below)
    if simulated:
        mark = note(ax, "local fleet (simulated)", (1, 0), (-4, -24), ha="right", va="top")
        mark.set_bbox({"boxstyle": "round,pad=0.3", "fc": on(ax).paper, "ec": on(ax).grey})
        mark.set_color(on(ax).grey)


def _over_figure(ax: Axes, above: str, below: str) -> None:
    """Texts at the upper left corner; the layout gets what is below them."""
    figure, theme = figure_of(ax), on(ax)
    height = 72 * figure.get_figheight()
    y = 8.0
    for text, size, weight, color in (
        (above, TITLE, "bold", theme.ink),
        (below, SMALL, "normal", theme.grey),
    ):
        figure.text(
            *(6 / (72 * figure.get_figwidth()), 1 - y / height),
            *(text,),
            va="top",
            fontsize=size,
            fontweight=weight,
            color=color,
            in_layout=False,
        )
        y += 1.25 * size * (text.count("\n") + 1) + 3
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - (y + 2) / height))


def _over_axes(ax: Axes, above: str, below: str) -> None:
    ax.set_title(below, loc="left", fontsize=SMALL, color=on(ax).grey, pad=8)
    lift = 14 + 12 * (below.count("\n") + 1)
    note(ax, above, (0, 1), (0, lift), size=TITLE, weight="bold")


def _wrap(text: str, width: int) -> str:
    return textwrap.fill(text, max(width, 24), break_on_hyphens=False)


def finding(figure: Figure) -> str:
    """What a figure's title states, for its alternative text."""
    return str(figure.axes[0].get_label()) if figure.axes else ""


def is_empty(figure: Figure) -> bool:
    """Whether a figure says, in a sentence, why there is nothing to draw."""
    return not any(one.axison for ax in figure.axes for one in (ax, *ax.child_axes))


def note(
    ax: Axes,
    text: str,
    xy: tuple[float, float],
    offset: tuple[float, float] = (0, 0),
    *,
    size: float = SMALL,
    weight: str = "normal",
    ha: str = "left",
    va: str = "bottom",
) -> Annotation:
    """Text at ``xy`` in fractions of the axes, moved by ``offset`` in points."""
    return ax.annotate(
        text,
        xy,
        offset,
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=size,
        fontweight=weight,
        ha=ha,
        va=va,
        color=on(ax).ink,
        annotation_clip=False,
    )


def plain(text: str) -> str:
    """Text that matplotlib shows as it is: a dollar would start maths; units stay with numbers."""
    shown = "".join(char if ord(char) in _glyphs() else "?" for char in text)
    return shown.replace("$", r"\$").replace(" ms", "\u00a0ms").replace(" %", "\u00a0%")


def short(name: str) -> str:
    """A name that leaves room for its figure."""
    return plain(name if len(name) <= 24 else name[:23] + "…")


@cache
def _glyphs() -> frozenset[int]:
    """What the font can show, and the line feed: anything else would warn and print a box."""
    return frozenset({10, *get_font(findfont("DejaVu Sans")).get_charmap()})


def sentence(ax: Axes, text: str) -> None:
    """Axes that say why there is nothing to draw."""
    ax.set_axis_off()
    ax.set_label(text)
    ax.text(
        0.5,
        0.5,
        plain(_wrap(text, 60)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=TITLE,
        color=on(ax).ink,
    )


def legend(ax: Axes, columns: int = 2, handles: Sequence[Artist] | None = None) -> None:
    """The legend, under the axes and their label, where no curve can be."""
    labelled = ax.get_legend_handles_labels()[0] if handles is None else handles
    figure = figure_of(ax)
    ax.legend(
        handles=list(labelled),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -44 / 72, figure.dpi_scale_trans),
        borderaxespad=0,
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
        labelcolor=on(ax).ink,
        handlelength=1.6 if handles else 3.2,
    )


def tidy_axes(ax: Axes) -> None:
    """No box, pale grid, readable ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(on(ax).grey)
    ax.tick_params(labelsize=TEXT - 0.5, colors=on(ax).ink)
    ax.grid(True, color=on(ax).pale, linewidth=0.6)
    ax.set_axisbelow(True)


def halo(ax: Axes) -> list[withStroke]:
    """An edge of paper that keeps text readable over lines."""
    return [withStroke(linewidth=3.2, foreground=on(ax).paper)]


def wants_log(series: Sequence[Values]) -> bool:
    """Whether some series stretches so far (p99 / p50 > 5) that a linear axis would hide it."""
    known = [values for values in map(finite, series) if len(values) >= 2]
    return any(_ratio(values) > LOG_RATIO for values in known)


def _ratio(values: Values) -> float:
    middle = quantile(values, 0.5)
    return quantile(values, 0.99) / middle if middle > 0 else 0.0


def finite(values: Values) -> Values:
    """The values that are numbers, sorted."""
    ordered = in_order(values)  # with NaN last
    first, after = np.searchsorted(ordered, -np.inf, "right"), np.searchsorted(ordered, np.inf)
    return ordered[first:after]


def thin(values: Values, most: int = MOST_POINTS) -> Values:
    """At most ``most`` of the sorted ``values``: equally spaced order statistics, ends included."""
    if len(values) <= most:
        return values
    return np.take(values, np.linspace(0, len(values) - 1, most).round().astype(int))


def name_x(ax: Axes, text: str) -> None:
    """The x axis' label, at its left end."""
    ax.set_xlabel(text, fontsize=TEXT, color=on(ax).ink, loc="left")


def name_y(ax: Axes, text: str) -> None:
    """The y axis' label."""
    ax.set_ylabel(text, fontsize=TEXT, color=on(ax).ink)


def scale_x(ax: Axes, label: str, log: bool) -> None:
    """Name the x axis with unit and scale; ticks read ``250 ms`` on a log axis."""
    name_x(ax, f"{label}, log scale" if log else label)
    if log:
        ax.set_xscale("log")
        ticks_ms(ax.xaxis)


def ticks_ms(axis: Axis) -> None:
    """Round numbers on a logarithmic axis: 50, 100, 200."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axis.set_minor_formatter(NullFormatter())


def ink_on(color: Color) -> str:
    """The theme's ink that is easier to read on ``color``, by WCAG's contrast."""
    return max((theme.ink for theme in THEMES.values()), key=lambda ink: contrast(ink, color))


def contrast(one: Color, other: Color) -> float:
    """WCAG 2's: from 1 (the same) to 21 (black on white). Source: WCAG 2.2, relative luminance."""
    dark, bright = sorted(map(_luminance, (one, other)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def marks(ax: Axes, xs: Values, ys: Values | float, **look: Any) -> None:
    """Marks without a line. None at all gives no artist: an empty one would push the layout."""
    if len(xs):
        ax.plot(xs, np.broadcast_to(ys, len(xs)), linestyle="none", **look)


def failed_strip(ax: Axes, start: float, end: float) -> None:
    """What lies beyond every time: a hatched strip at the right edge, from ``start`` to ``end``.

    It is `STRIP` of the axes' width.
    """
    theme = on(ax)
    ax.axvspan(start, end, facecolor=theme.shade, edgecolor=theme.pale, hatch="///", zorder=0)
    text = note(ax, "failed", (1 - STRIP / 2, 0.04), ha="center", size=TEXT)
    text.set(rotation=90, color=theme.failed)


def share(part: float) -> str:
    """A share between 0 and 1 for people: ``11.7 %``, ``68 %``."""
    return f"{100 * part:.1f} %" if part < 0.2 else f"{100 * part:.0f} %"


def short_ms(ms: float) -> str:
    """As `format_ms`, for numbers that may be infinite: ``> timeout``."""
    return format_ms(ms) if np.isfinite(ms) else "> timeout"
