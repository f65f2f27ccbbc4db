"""A table of medians as coloured cells, the number written in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.patches import Rectangle

from bench.plots import style
from bench.stats import quantile
from bench.stats.quantiles import Values

FEWEST = 3
"""A cell with fewer requests has no median; it is pale and says how many there are."""

OFTEN = 0.02
"""A larger share of failures is written into its cell."""


@dataclass(frozen=True)
class Cell:
    """What is drawn of one cell: its median in ms (+inf: most failed; None: too few), n, failed."""

    median_ms: float | None
    n: int
    failed: int


def cell(ms: Values) -> Cell:
    """Of one cell's requests, shape (n,), failures as +inf."""
    known = ms[~np.isnan(ms)]
    middle = quantile(known, 0.5) if len(known) >= FEWEST else None
    return Cell(middle, len(known), int(np.isinf(known).sum()))


def heat_map(
    ax: Axes, cells: Sequence[Sequence[Cell]], rows: Sequence[str], columns: Sequence[str],
    label: str, *, best_of_row: bool = False
) -> None:  # fmt: skip
    """Draw ``cells`` (rows × columns) with their names, and ``label`` below."""
    shape = len(rows), len(columns)
    style.tidy_axes(ax)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_xlim(-0.5, shape[1] - 0.5)
    ax.set_ylim(shape[0] - 0.5, -0.5)
    ms = np.array([[_finite(one) for one in row] for row in cells]).reshape(shape)
    norm, colors = _scale(ms), _colors(ax)
    ax.pcolormesh(np.arange(shape[1] + 1) - 0.5, np.arange(shape[0] + 1) - 0.5,
                  np.ma.masked_invalid(ms), norm=norm, cmap=colors,
                  edgecolor=style.on(ax).paper, linewidth=1.5)  # fmt: skip
    for y, row in enumerate(cells):
        for x, one in enumerate(row):
            _write(ax, (x, y), one, colors(norm(_finite(one))), shape[1])
        if best_of_row and np.isfinite(ms[y]).any():
            _outline(ax, int(np.nanargmin(ms[y])), y)
    ax.set_xticks(range(shape[1]), [style.short(name) for name in columns])
    ax.set_yticks(range(shape[0]), [style.short(name) for name in rows])
    ax.tick_params(length=0)
    style.name_x(ax, label)


def _finite(one: Cell) -> float:
    known = one.median_ms is not None and np.isfinite(one.median_ms)
    return float(one.median_ms or 0.0) if known else np.nan


def shades(ax: Axes) -> str:
    """What the colours of `heat_map` mean, in words."""
    return f"{'darker' if style.on(ax).name == 'light' else 'brighter'} is slower"


def _scale(ms: Values) -> Normalize:
    """Logarithmic where the largest median is more than five times the smallest."""
    known = ms[np.isfinite(ms)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if low > 0 and high / low > style.LOG_RATIO:
        return LogNorm(low, high)
    return Normalize(low, max(high, low + 1e-9))


def _colors(ax: Axes) -> Colormap:
    """From fast to slow, evenly in lightness, away from the paper: the slow stands out."""
    return mpl.colormaps["cividis_r" if style.on(ax).name == "light" else "cividis"]


def _write(ax: Axes, xy: tuple[float, float], one: Cell, color: style.Color, columns: int) -> None:
    theme = style.on(ax)
    text, ink = _words(one, columns), style.ink_on(color)
    if not np.isfinite(_finite(one)):
        ink = theme.failed if one.failed else theme.grey
        _absent(ax, xy, one)
    if text:
        ax.text(*xy, style.plain(text), ha="center", va="center", color=ink, linespacing=1.15,
                fontsize=style.SMALL if columns < 12 else style.TINY)  # fmt: skip


def _words(one: Cell, columns: int) -> str:
    """A wide cell has unit and n; a narrow one only the number."""
    lost = one.failed / one.n if one.n else 0.0
    if columns >= 12:
        cross = "\n×" if lost > OFTEN else ""
        return f"{one.median_ms:.0f}{cross}" if np.isfinite(_finite(one)) else cross.strip()
    n = f"n = {one.n}"
    if one.n == 0:
        return ""
    part = f"\n{style.share(lost)} failed" if lost > OFTEN else ""
    if one.median_ms is None:
        return f"{n}: too few{part}"
    return f"{style.short_ms(one.median_ms)}\n{n}{part}"


def _absent(ax: Axes, xy: tuple[float, float], one: Cell) -> None:
    """Nothing asked is hatched; asked, but without a median, is plain."""
    theme, (x, y) = style.on(ax), xy
    ax.fill_between([x - 0.47, x + 0.47], y - 0.47, y + 0.47, facecolor=theme.shade,
                    edgecolor=theme.pale, hatch=None if one.n else "///", linewidth=0,
                    zorder=2)  # fmt: skip


def _outline(ax: Axes, x: int, y: int) -> None:
    """The smallest median of a row: a thick border, for a colour alone says nothing."""
    border = Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=style.on(ax).ink,
                       linewidth=3, clip_on=False, zorder=6)  # fmt: skip
    ax.add_patch(border)
