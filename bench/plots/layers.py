"""What of the wait is the network and what the server: each request at its two parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.labels import name_points
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, Places, View, countable_places, taken, view
from bench.stats import Stratum, quantile
from bench.stats.metrics import FATE, Flags, bare, failed, not_reused, plain_ms
from bench.stats.quantiles import Values

Source = Literal["server", "path"]

WORDS: Mapping[Source, tuple[str, str, str]] = {
    "server": (
        "network time (ms)",
        "server time, the server's own word (ms)",
        "total time",
    ),
    "path": (
        "shortest round trip to the edge (ms)",
        "wait beyond the round trip (ms)",
        "time to first byte",
    ),
}
"""Labels of x, of y, and of their sum. Without the server's word (it is never in a stream) the
kernel's shortest round trip stands for the network, as far as the edge."""


@dataclass(frozen=True)
class Layers:
    """``parts``: endpoint → (network, server) of its answers in ms, shape (2, n)."""

    source: Source
    parts: Mapping[str, Values]

    @cached_property
    def middles(self) -> Mapping[str, tuple[float, float]]:
        """Endpoint → the medians of its two parts."""
        return {name: (quantile(x, 0.5), quantile(y, 0.5)) for name, (x, y) in self.parts.items()}


def layers(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Network time against server time of every answer, with lines of equal total.

    ``df`` is a tidy frame; ``stratum`` defaults to the first in which servers told their time, else
    to the main one. Large marks are each endpoint's medians.
    """
    groups = countable_places(df)
    seen = view(df, stratum or _told(df, groups), theme, groups)
    figure, ax = style.axes(ax, theme, height=5.8)
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    found = layers_of(seen)
    if not found.parts:
        style.sentence(ax, _nothing(seen))
        return figure
    _draw(ax, seen, found)
    lost = sum(map(seen.failures, seen.own))
    method = f"grey lines: equal {WORDS[found.source][2]}; large marks: medians; {lost} failed"
    drawn = f"{style.MOST_POINTS:,} answers of each endpoint"
    style.headline(ax, _finding(found), seen.subtitle(method, drawn), seen.simulated)
    return figure


def _told(df: pd.DataFrame, groups: Mapping[Stratum, Places]) -> Stratum | None:
    told = bare(df)["server_ms"].notna().to_numpy()
    return next((s for s, rows in groups.items() if told[rows].any()), None)


def layers_of(seen: View) -> Layers:
    """Both parts of every answer, from the best source that the rows have."""
    fit = {name: _fit(seen.df, at) for name, at in seen.own.items()}
    source: Source = "server"
    both = {name: _by_server(seen.df, at) for name, at in fit.items()}
    if not any(_known(part).any() for part in both.values()):
        source, both = "path", {name: _by_path(seen.df, at) for name, at in fit.items()}
    parts = {name: part[:, _known(part) & (part >= 0).all(axis=0)] for name, part in both.items()}
    return Layers(source, {name: part for name, part in parts.items() if part.shape[1]})


def _fit(df: pd.DataFrame, places: Places) -> Places:
    fate = taken(df, places, FATE)
    return places[~(failed(fate) | not_reused(fate)).to_numpy()]


def _known(part: Values) -> Flags:
    return np.asarray(np.isfinite(part).all(axis=0))


def _by_server(df: pd.DataFrame, places: Places) -> Values:
    rows = taken(df, places, ("server_ms", "network_ms"))
    return np.array([plain_ms(rows, "network"), plain_ms(rows, "server")])


def _by_path(df: pd.DataFrame, places: Places) -> Values:
    rows = taken(df, places, ("think_ms", "ttfb_kernel_ns", "ttfb_ns"))
    first_byte = rows["ttfb_kernel_ns"].fillna(rows["ttfb_ns"])
    think = plain_ms(rows, "think")
    return np.array([first_byte.to_numpy(dtype=np.float64, na_value=np.nan) / 1e6 - think, think])


def _nothing(seen: View) -> str:
    if not any(np.isfinite(ms).any() for ms in seen.ms.values()):
        return f"All {len(seen.places)} requests failed: there is no time to cut in two."
    return (
        "Neither a server's own time nor a round trip is known of these answers. "
        "regionbench run --no-stream asks for the first."
    )


def _draw(ax: Axes, seen: View, found: Layers) -> None:
    style.tidy_axes(ax)
    everything = np.concatenate(list(found.parts.values()), axis=1)
    right, top = (1.15 * max(quantile(part, 0.985), 1e-3) for part in everything)
    ax.set_xlim(0, max(right, top / 4))
    ax.set_ylim(0, top)
    _iso_lines(ax, WORDS[found.source][2])
    for name, part in found.parts.items():
        _cloud(ax, seen, name, part, found.middles[name])
    name_points(ax, seen, found.middles)
    style.scale_x(ax, WORDS[found.source][0], False)
    style.name_y(ax, WORDS[found.source][1])
    style.legend(ax)


def _iso_lines(ax: Axes, total: str) -> None:
    """Lines on which both parts add up to the same; each ends at the upper or the right edge."""
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    grey = style.on(ax).grey
    ax.grid(False)
    for level in _round_levels(right + top):
        ax.plot([0, level], [level, 0], color=style.on(ax).pale, linewidth=1.1, zorder=1)
        x, y = (level - top, top) if level > top else (0.0, level)
        if x > 0.9 * right:
            continue
        words = f"{total} {level:g} ms" if level == _round_levels(right + top)[0] else f"{level:g}"
        label = ax.annotate(style.plain(words), (x, y), (4, -3), textcoords="offset points",
                            va="top", fontsize=style.SMALL, color=grey, zorder=2)  # fmt: skip
        label.set_path_effects([*style.halo(ax)])


def _round_levels(longest: float) -> list[float]:
    """About six round values up to ``longest``."""
    rough = longest / 6
    unit = 10 ** np.floor(np.log10(rough))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
    return [float(step * i) for i in range(1, int(longest / step) + 1)]


def _cloud(ax: Axes, seen: View, name: str, part: Values, middle: tuple[float, float]) -> None:
    kind, n, lost = seen.looks[name], seen.count(name), seen.failures(name)
    few = part[:, :: max(1, -(-part.shape[1] // style.MOST_POINTS))]
    options = {"linestyle": "none", "marker": kind.marker, "color": kind.color}
    ax.plot(*few, markersize=4.5, markeredgewidth=0, alpha=0.75 * style.on(ax).cloud, zorder=3,
            rasterized=True, **options)  # type: ignore[arg-type]  # style words  # fmt: skip
    label = style.plain(f"{name}: n = {n}, {lost} failed")
    ax.plot(*([x] for x in middle), markersize=12, markeredgecolor=style.on(ax).paper,
            markeredgewidth=1.5, zorder=8, label=label, **options)  # type: ignore[arg-type]  # as above  # fmt: skip


def _finding(found: Layers) -> str:
    """Where endpoints differ more: on the way, or at the server."""
    middles = np.array([*found.middles.values()])
    names = list(found.parts)
    behind = "at the server" if found.source == "server" else "beyond it"
    way = "in the network" if found.source == "server" else "in the way to the edge"
    if len(names) == 1:
        network, server = map(style.short_ms, middles[0])
        return f"{names[0]}: {network} {way}, {server} {behind}"
    network, server = (style.short_ms(float(np.ptp(part))) for part in middles.T)
    return f"Endpoints differ by {network} {way} and by {server} {behind}"
