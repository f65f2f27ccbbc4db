"""How every figure looks: one colour, marker and line per endpoint, a finding as title.

Nothing here touches matplotlib's global state: sizes and colours are given to each artist.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from bench.plots.picture import Picture
from bench.stats import quantile
from bench.stats.quantiles import Values
from bench.units import format_ms

TITLE, TEXT, SMALL = 13.5, 11.0, 9.5
INK, GREY, PALE, FAILED = "#1a1a1a", "#5a5a5a", "#d9d9d9", "#b3261e"
MOST_POINTS = 2000
LOG_RATIO = 5


@dataclass(frozen=True, slots=True)
class Look:
    """How one endpoint is drawn, everywhere."""

    color: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]
    width: float = 1.9


EMPHASIS = Look("#000000", "o", "-", 3.0)
"""Global's: black, so that the mixture stands before its parts."""

# Okabe and Ito's palette; purple, orange and sky are darkened to reach 3:1 on white.
LOOKS = (
    Look("#0072B2", "s", "-"),
    Look("#D55E00", "^", (0, (6, 1.5))),
    Look("#009E73", "D", (0, (4, 1, 1, 1))),
    Look("#AA4A86", "v", (0, (2, 1))),
    Look("#A87000", "P", (0, (8, 2, 2, 2))),
    Look("#3A8FC4", "X", (0, (1, 1))),
    Look("#6B6B6B", "*", (0, (5, 3))),
)


def look(position: int, is_global: bool) -> Look:
    """The look of the endpoint at ``position`` among the regions; cycles after seven."""
    return EMPHASIS if is_global else LOOKS[position % len(LOOKS)]


def axes(ax: Axes | None, width: float = 8.4, height: float = 5.2) -> tuple[Figure, Axes]:
    """The given axes, or fresh ones in a figure of ``width`` × ``height`` inches."""
    if ax is not None:
        figure = ax.get_figure(root=True)
        assert figure is not None  # noqa: S101 - axes without a figure cannot be drawn on at all
        return figure, ax
    figure = Picture(figsize=(width, height), layout="constrained", dpi=110)
    return figure, figure.add_subplot()


def headline(ax: Axes, title: str, subtitle: str, simulated: bool = False) -> None:
    """The finding in bold, and below it n, window and method; a mark when nothing was real."""
    ax.set_label(title)
    points = _width_points(ax)
    below = _wrap(plain(subtitle), max(30, int(points / (0.56 * SMALL))))
    above = _wrap(plain(title), max(24, int(points / (0.63 * TITLE))))
    ax.set_title(below, loc="left", fontsize=SMALL, color=GREY, pad=8)
    lift = 14 + 12 * (below.count("\n") + 1)
    note(ax, above, (0, 1), (0, lift), size=TITLE, weight="bold")
    if simulated:
        mark = note(ax, "local fleet (simulated)", (1, 0), (0, -24), ha="right", va="top")
        mark.set_bbox({"boxstyle": "round,pad=0.3", "fc": "white", "ec": GREY, "lw": 0.8})
        mark.set_color(GREY)


def _wrap(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_on_hyphens=False)


def _width_points(ax: Axes) -> float:
    """About how wide text above the axes may be; layout has not happened yet."""
    figure = ax.get_figure(root=True)
    inches = figure.get_figwidth() if figure is not None else 8.0
    return float(inches * 72 * min(0.88, ax.get_position().width * 1.13))


def finding(figure: Figure) -> str:
    """What a figure's title states, for its alternative text."""
    return str(figure.axes[0].get_label()) if figure.axes else ""


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
        color=INK,
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
        color=INK,
    )


def legend(ax: Axes, columns: int = 2, handles: Sequence[Line2D] | None = None) -> None:
    """The legend, under the axes and their label, where no curve can be."""
    labelled = ax.get_legend_handles_labels()[0] if handles is None else handles
    figure = axes(ax)[0]
    ax.legend(
        handles=list(labelled),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -44 / 72, figure.dpi_scale_trans),
        borderaxespad=0,
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
        handlelength=1.6 if handles else 3.2,
    )


def tidy_axes(ax: Axes) -> None:
    """No box, pale grid, readable ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(labelsize=TEXT - 0.5, colors=INK)
    ax.grid(True, color=PALE, linewidth=0.6)
    ax.set_axisbelow(True)


def halo() -> list[withStroke]:
    """A white edge that keeps text readable over lines."""
    return [withStroke(linewidth=3.2, foreground="white")]


def wants_log(series: Sequence[Values]) -> bool:
    """Whether some series stretches so far (p99 / p50 > 5) that a linear axis would hide it."""
    known = [values for values in map(finite, series) if len(values) >= 2]
    return any(_ratio(values) > LOG_RATIO for values in known)


def _ratio(values: Values) -> float:
    middle = quantile(values, 0.5)
    return quantile(values, 0.99) / middle if middle > 0 else 0.0


def finite(values: Values) -> Values:
    """The values that are numbers, sorted."""
    return np.sort(values[np.isfinite(values)])


def thin(values: Values, most: int = MOST_POINTS) -> Values:
    """At most ``most`` of the sorted ``values``: equally spaced order statistics, ends included."""
    if len(values) <= most:
        return values
    return np.take(values, np.linspace(0, len(values) - 1, most).round().astype(int))


def scale_x(ax: Axes, label: str, log: bool) -> None:
    """Name the x axis with unit and scale; ticks read ``250 ms`` on a log axis."""
    ax.set_xlabel(f"{label}, log scale" if log else label, fontsize=TEXT, color=INK, loc="left")
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())


def share(part: float) -> str:
    """A share between 0 and 1 for people: ``11.7 %``, ``68 %``."""
    return f"{100 * part:.1f} %" if part < 0.2 else f"{100 * part:.0f} %"


def short_ms(ms: float) -> str:
    """As `format_ms`, for numbers that may be infinite: ``> timeout``."""
    return format_ms(ms) if np.isfinite(ms) else "> timeout"
