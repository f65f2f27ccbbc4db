"""Long watches as smoke: quantile bands of every stretch of time, its median, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.plots import style
from bench.plots.dates import SECONDS, STEPS, date_axis, limits, moments, name_time
from bench.plots.strips import metric_label, side_label, strips, title
from bench.plots.theme import ThemeName
from bench.plots.timeline import FEWEST, no_data
from bench.plots.view import NOTHING, View, cut, view
from bench.stats import Stratum
from bench.stats.quantiles import Values

BANDS = ((0.05, 0.95), (0.15, 0.85), (0.25, 0.75), (0.35, 0.65))
QUANTILES = (*(q for band in BANDS for q in band), 0.5)
MOST_BINS = 160
PER_BIN = 10

LOSS = ((0.05, "some failed", "|"), (0.5, "more than 5 %", "x"), (1.01, "more than half", "X"))
"""Up to which share, what the legend calls it, and its glyph."""


@dataclass(frozen=True)
class Bins:
    """One endpoint's requests cut by time: ``edges`` in days, shape (k + 1,); of each bin the ms at
    `QUANTILES` of its answers, shape (9, k), NaN where they are fewer than three; requests and
    failures, shape (k,)."""

    edges: Values
    ms: Values
    n: npt.NDArray[np.int64]
    failed: npt.NDArray[np.int64]


def smoke(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Nested quantile bands and the median of each stretch of time, one strip per endpoint.

    ``df`` is a tidy frame of hours or days; ``stratum`` defaults to the main one. Bands are of
    answers; failures are a row of their own above, by colour and glyph. Hatched: nothing was asked.
    Empty: fewer than three answers. All strips have the same scale.
    """
    seen = view(df, stratum, theme)
    count = len(seen.series) if seen else 3
    figure, ax = style.axes(ax, theme, width=9.6, height=2.2 + 1.25 * max(2, count))
    if seen is None or seen.span.isna().all():
        style.sentence(ax, NOTHING if seen is None else "No request has a time: no order to draw.")
        return figure
    seconds = bin_seconds(seen)
    found = {name: bins_of(seen, name, seconds) for name in seen.series}
    if all(np.isnan(one.ms).all() for one in found.values()):
        style.sentence(ax, _too_few(seen))
        return figure
    _draw(ax, seen, found)
    method = f"bins of {_words(seconds)}; line: median, bands of answers: p5–95, p15–85, p25–75, "
    subtitle = seen.subtitle(f"{method}p35–65, cut at the axis")
    style.headline(ax, _finding(seen, found), subtitle, seen.simulated)
    _legend(ax)
    return figure


def bin_seconds(seen: View) -> int:
    """The shortest round length that keeps bins few and, for the usual endpoint, full."""
    usual = float(np.median([len(ms) for ms in seen.series.values()]))
    most = max(1.0, min(MOST_BINS, usual / PER_BIN))
    span = float(np.ptp(moments(seen.span))) * SECONDS
    return next((one for one in STEPS if span / one <= most), STEPS[-1])


def bins_of(seen: View, name: str, seconds: int) -> Bins:
    """One endpoint's bins; all endpoints have the same edges, at round times."""
    width = seconds / SECONDS
    first, last = np.floor(moments(seen.span) / width)
    count = int(last - first) + 1
    sent, ms = seen.timed(name)
    place = np.clip((moments(sent) / width - first).astype(np.int64), 0, count - 1)
    known = ~np.isnan(ms)
    return Bins(
        (first + np.arange(count + 1)) * width,
        np.array([*map(_levels, cut(ms, place, count))]).T,
        np.bincount(place[known], minlength=count),
        np.bincount(place[np.isinf(ms)], minlength=count),
    )


def _levels(ms: Values) -> Values:
    """Definition 2 of Hyndman and Fan, as everywhere (`bench.stats.quantile`)."""
    answered = ms[np.isfinite(ms)]
    if len(answered) < FEWEST:
        return np.full(len(QUANTILES), np.nan)
    return np.asarray(np.quantile(answered, QUANTILES, method="averaged_inverted_cdf"))


def _too_few(seen: View) -> str:
    lost = sum(map(seen.failures, seen.series))
    if lost == len(seen.places):
        return f"All {lost} requests failed: there is no time to draw."
    return f"No stretch of time has {FEWEST} answers: the timeline shows each request by itself."


def _words(seconds: int) -> str:
    unit, name = next((u, n) for u, n in ((SECONDS, "d"), (3600, "h"), (60, "min"), (1, "s"))
                      if seconds >= u)  # fmt: skip
    return f"{seconds / unit:g} {name}"


def _draw(ax: Axes, seen: View, found: dict[str, Bins]) -> None:
    made = strips(ax, list(found))
    log = style.wants_log(list(seen.series.values()))
    low, high = _reach(found)
    for name, strip in made.items():
        strip.set_xlim(*limits(found[name].edges))
        date_axis(strip)
        if log:
            strip.set_yscale("log")
            strip.set_ylim(low * 0.85, high * 1.5)
            style.ticks_ms(strip.yaxis)
        else:
            strip.set_ylim(0, high * 1.25)
            strip.locator_params(axis="y", nbins=3)
        _bands(strip, seen, name, found[name])
        _absent(strip, found[name])
        _lost(strip, found[name])
        n, lost = len(seen.series[name]), seen.failures(name)
        title(strip, f"{name}: n = {n}, {lost} failed", seen.looks[name].color)
    name_time(strip)
    side_label(ax, metric_label(seen, log))


def _reach(found: dict[str, Bins]) -> tuple[float, float]:
    """From the lowest p5 to the highest median, or to what 95 of 100 bins' p95 stay below."""
    known = np.concatenate([one.ms[:, ~np.isnan(one.ms[0])] for one in found.values()], axis=1)
    high = np.quantile(known[1], 0.95, method="inverted_cdf")
    return float(known.min()), float(max(high, known[-1].max()))


def _bands(strip: Axes, seen: View, name: str, one: Bins) -> None:
    """Boxes from edge to edge, the narrow bands over the wide ones; the median a step."""
    kind, (left, right) = seen.looks[name], (one.edges[:-1], one.edges[1:])
    full = ~np.isnan(one.ms[0])
    for i in range(len(BANDS)):
        low, high = one.ms[2 * i], one.ms[2 * i + 1]
        corners = [[left, low], [left, high], [right, high], [right, low]]
        boxes = np.array(corners).transpose(2, 0, 1)[full]
        strip.add_collection(
            PolyCollection(boxes, facecolors=kind.color, alpha=0.2, linewidths=0, rasterized=True)
        )
    middle = one.ms[-1]
    strip.hlines(middle[full], left[full], right[full], color=kind.color, linewidth=2.2, zorder=4,
                 path_effects=style.halo(strip), rasterized=True)  # fmt: skip


def _absent(strip: Axes, one: Bins) -> None:
    """Hatch every stretch in which nothing was asked."""
    empty = np.flatnonzero(np.diff(np.concatenate([[0], one.n == 0, [0]]).astype(int)))
    for start, end in empty.reshape(-1, 2):
        no_data(strip, one.edges[start], one.edges[end])


def _lost(strip: Axes, one: Bins) -> None:
    """Above the smoke: the redder and the larger, the more of a bin failed."""
    theme, above = style.on(strip), strip.get_xaxis_transform()
    share = one.failed / np.maximum(one.n, 1)
    centre = (one.edges[:-1] + one.edges[1:]) / 2
    before = 0.0
    for up_to, _, glyph in LOSS:
        some = (share > before) & (share <= up_to)
        before = up_to
        style.marks(strip, centre[some], 0.93, marker=glyph, markersize=6.5, color=theme.failed,
                    markeredgewidth=1.4, transform=above, clip_on=False, zorder=8)  # fmt: skip
    gone = (one.failed == one.n) & (one.n > 0)
    for i in np.flatnonzero(gone):
        strip.axvspan(one.edges[i], one.edges[i + 1], facecolor=theme.failed, alpha=0.25, lw=0)


def _legend(ax: Axes) -> None:
    theme = style.on(ax)
    handles: list[Line2D | Patch] = [
        Line2D([], [], linestyle="none", marker=glyph, color=theme.failed, markersize=7,
               markeredgewidth=1.4, label=style.plain(text))
        for _, text, glyph in LOSS
    ]  # fmt: skip
    handles.append(Patch(facecolor=theme.failed, alpha=0.25, label="all failed"))
    handles.append(
        Patch(facecolor=theme.shade, edgecolor=theme.pale, hatch="////", label="nothing asked")
    )
    style.legend(ax, columns=5, handles=handles)


def _finding(seen: View, found: dict[str, Bins]) -> str:
    """The worst stretch: the most failures, else the highest median against the usual one."""
    lost = {name: int(one.failed.sum()) for name, one in found.items()}
    worst = max(lost, key=lost.__getitem__)
    if lost[worst]:
        at = int(np.argmax(found[worst].failed))
        when, part = _moment(found[worst].edges[at]), found[worst].failed[at]
        first = f"{sum(lost.values())} requests failed, most at {worst}"
        return f"{first}: {part} of {found[worst].n[at]} from {when}"
    rises = {name: float(np.nanmax(one.ms[-1]) / np.nanmedian(one.ms[-1]))
             for name, one in found.items() if not np.isnan(one.ms[-1]).all()}  # fmt: skip
    name = max(rises, key=rises.__getitem__)
    at = int(np.nanargmax(found[name].ms[-1]))
    high = style.short_ms(float(found[name].ms[-1][at]))
    return f"Nothing failed; {name} was slowest from {_moment(found[name].edges[at])}: {high}"


def _moment(days: float) -> str:
    moment = pd.Timestamp(0, tz="UTC") + pd.Timedelta(seconds=round(days * SECONDS))
    return f"{moment:%m-%d %H:%M} UTC"
