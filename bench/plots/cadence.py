"""How tokens come: the gaps between them, and how many came together with another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.frame import unrolled
from bench.plots import style
from bench.plots.theme import ThemeName
from bench.plots.view import NOTHING, View, taken, view
from bench.stats import Stratum, quantile
from bench.stats.metrics import FATE, failed
from bench.stats.quantiles import Values
from bench.units import NS_PER_MS

STRIP = 0.16
"""The share of the width, at the left, that belongs to tokens without a gap of their own."""

DOTS = 700
"""So many gaps of each endpoint are drawn as dots: more would be a bar."""


TOKENS = ("token_offsets_ns", "token_coalesced")


@dataclass(frozen=True)
class Cadence:
    """Of one endpoint's answered streams: the gaps in ms before tokens that came alone, shape (n,)
    and in order of size, the share of tokens that came with another, and each stream's tokens per
    second."""

    gaps_ms: Values
    together: float
    rates: Values


def cadence(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Gaps between tokens of streamed answers, one row per endpoint.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. Tokens that one read of the
    network brought together (``token_coalesced``) have no gap that anybody saw: they are a share,
    in the strip at the left, and in no quantile. Median, p95 and p99 of the others are marked.
    """
    seen = view(df, stratum, theme)
    found = {name: cadence_of(seen, name) for name in seen.own} if seen else {}
    found = {name: one for name, one in found.items() if len(one.rates)}
    figure, ax = style.axes(ax, theme, height=2.1 + 0.75 * max(3, len(found)))
    if seen is None:
        style.sentence(ax, NOTHING)
        return figure
    if not any(len(one.gaps_ms) for one in found.values()):
        style.sentence(ax, _nothing(seen, found))
        return figure
    _draw(ax, seen, found)
    lost = sum(map(seen.failures, seen.own))
    method = f"gaps of answered streams, filled mark p50, open p95 and p99; {lost} failed"
    drawn = f"{DOTS} gaps of each endpoint"
    style.headline(ax, _finding(found), seen.subtitle(method, drawn), seen.simulated)
    return figure


def cadence_of(seen: View, name: str) -> Cadence:
    """What the answered streams of one endpoint say; streams of one token say nothing."""
    at = seen.own[name]
    answered = np.zeros(len(seen.df), dtype=np.bool_)
    answered[at] = ~failed(taken(seen.df, at, FATE))
    (offsets, sizes), (flags, told) = (unrolled(seen.df[one][answered]) for one in TOKENS)
    ms, ends = offsets / NS_PER_MS, np.cumsum(sizes)
    inner = np.ones(len(ms), dtype=np.bool_)
    inner[(ends - sizes)[sizes > 0]] = False
    gaps = np.diff(ms, prepend=0.0)[inner]
    apart = gaps > 0
    if len(flags):
        whole = told == sizes  # a stream with fewer flags than tokens says nothing of them
        said = np.repeat(whole, sizes)
        joint = np.zeros(len(ms), dtype=np.bool_)
        joint[said] = flags[np.repeat(whole, told)]
        apart = np.where(said[inner], ~joint[inner], apart)
    together = float((~apart).mean()) if len(apart) else 0.0
    return Cadence(np.sort(gaps[apart]), together, _rates(ms, ends, sizes))


def _rates(ms: Values, ends: npt.NDArray[np.int64], sizes: npt.NDArray[np.int32]) -> Values:
    """Tokens per second of each stream that took some time."""
    several = sizes > 1
    ends, sizes = ends[several], sizes[several]
    took = ms[ends - 1] - ms[ends - sizes]
    return np.asarray(1000 * (sizes - 1)[took > 0] / took[took > 0])


def _nothing(seen: View, found: Mapping[str, Cadence]) -> str:
    if not any(np.isfinite(ms).any() for ms in seen.ms.values()):
        return f"All {len(seen.places)} requests failed: no token came."
    if found:
        return "All tokens of each answer came together: there are no gaps to draw."
    return "No answer has the times of its tokens: only streams of two tokens or more have."


def _draw(ax: Axes, seen: View, found: Mapping[str, Cadence]) -> None:
    style.tidy_axes(ax)
    ax.grid(False, axis="y")
    gaps = [one.gaps_ms for one in found.values()]
    edge = _set_limits(ax, gaps, style.wants_log(gaps))
    style.scale_x(ax, "gap before a token that came alone (ms)", ax.get_xscale() == "log")
    left, right = ax.get_xlim()
    ax.set_xticks([at for at in ax.get_xticks() if edge <= at <= right])
    ax.tick_params(which="minor", length=0)
    ax.set_xlim(left, right)
    for row, name in enumerate(found):
        _row(ax, seen, name, row, found[name])
    ax.set_ylim(len(found) - 0.6, -0.68)
    ax.set_yticks(range(len(found)), [style.short(name) for name in found])
    ax.tick_params(axis="y", length=0)
    for tick, name in zip(ax.get_yticklabels(), found, strict=True):
        tick.set(color=seen.looks[name].color, fontweight="bold", fontsize=style.TEXT)
    style.note(ax, "came together", (STRIP / 2, 1), (0, -2), ha="center", va="top")


def _set_limits(ax: Axes, gaps: Sequence[Values], log: bool) -> float:
    """Set the x limits and draw the strip at the left; the return is where that ends, in ms."""
    low = max(min(float(ms[0]) for ms in gaps if len(ms)), 1e-3) * 0.9 if log else 0.0
    right = max(_far(gaps) * 1.15, low * 2, 1e-3)
    part = STRIP / (1 - STRIP)
    left = low / (right / low) ** part if log else -right * part
    if log:
        ax.set_xscale("log")
    ax.set_xlim(left, right)
    theme = style.on(ax)
    ax.axvspan(left, low, facecolor=theme.shade, edgecolor=theme.pale, hatch="///", zorder=0)
    return low


def _far(gaps: Sequence[Values]) -> float:
    """What 999 of 1000 of all gaps are below; of as many as are too many to put in order, only
    those that can be beyond are looked at."""
    beyond = sum(map(len, gaps)) // 1000 + 1
    return float(np.sort(np.concatenate([ms[-beyond:] for ms in gaps]))[-beyond])


def _row(ax: Axes, seen: View, name: str, row: int, one: Cadence) -> None:
    kind, lost, across = seen.looks[name], seen.failures(name), ax.get_yaxis_transform()
    ax.axhline(row, color=style.on(ax).pale, linewidth=0.8, zorder=1)
    few = style.thin(one.gaps_ms, DOTS)
    height = row + 0.17 * np.sin(np.arange(len(few)) * 2.399963)
    style.marks(ax, few, height, marker=kind.marker, markersize=3.6, markeredgewidth=0,
                color=kind.color, alpha=style.on(ax).cloud, rasterized=True, zorder=3)  # fmt: skip
    _marks(ax, seen, name, row, one.gaps_ms)
    _say(ax, (STRIP / 2, row), style.share(one.together), color=kind.color, ha="center",
         fontweight="bold", fontsize=style.TEXT, transform=across)  # fmt: skip
    rate = f"{quantile(one.rates, 0.5):.0f} tokens/s · " if len(one.rates) else ""
    _say(ax, (1, row - 0.33), f"{rate}n = {seen.count(name)}, {lost} failed", ha="right",
         color=style.on(ax).failed if lost else style.on(ax).grey, fontsize=style.SMALL,
         transform=across)  # fmt: skip


def _marks(ax: Axes, seen: View, name: str, row: int, gaps_ms: Values) -> None:
    """p50 filled, p95 and p99 open and ever smaller; a tail that nothing is beyond has no mark."""
    kind, paper = seen.looks[name], style.on(ax).paper
    for q, size, face, edge in (
        (0.5, 12.0, kind.color, paper),
        (0.95, 8.5, paper, kind.color),
        (0.99, 6.5, paper, kind.color),
    ):
        if len(gaps_ms) * (1 - q) >= 1:
            style.marks(ax, np.array([quantile(gaps_ms, q)]), row, marker=kind.marker,
                        markersize=size, markerfacecolor=face, markeredgecolor=edge,
                        markeredgewidth=1.7, zorder=8)  # fmt: skip


def _say(ax: Axes, xy: tuple[float, float], text: str, **look: Any) -> None:
    ax.text(*xy, style.plain(text), va="center", zorder=9, path_effects=style.halo(ax), **look)


def _finding(found: Mapping[str, Cadence]) -> str:
    """The median gap, and how much of the truth the network hid."""
    middles = {n: quantile(one.gaps_ms, 0.5) for n, one in found.items() if len(one.gaps_ms)}
    fast, slow = min(middles, key=middles.__getitem__), max(middles, key=middles.__getitem__)
    text = f"Median gap between tokens: {style.short_ms(middles[fast])} ({fast})"
    if fast != slow:
        text += f" to {style.short_ms(middles[slow])} ({slow})"
    share = float(np.mean([one.together for one in found.values()]))
    return text + (f"; {style.share(share)} of tokens came together" if share >= 0.001 else "")
