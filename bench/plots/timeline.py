"""Every request in the order of time, one strip per endpoint, failures marked by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from bench.plots import style
from bench.plots.theme import Look, ThemeName
from bench.plots.view import NOTHING, View, view
from bench.stats import Stratum, quantile
from bench.stats.cautions import drift
from bench.stats.metrics import latency_ms
from bench.stats.pairs import table
from bench.stats.quantiles import Values

BINS = 24
PER_BIN = 12
SECONDS = 86_400
STEPS = (
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    1800,
    3600,
    7200,
    14400,
    21600,
    43200,
    SECONDS,
)
FEWEST = 3
"""A bin with fewer answers has no median and no band."""

CLASSES = {
    "rate_limited": ("rate limited", "s", "ochre"),
    "capacity": ("capacity", "D", "purple"),
    "server_error": ("server error", "X", "failed"),
    "timeout": ("timeout", "v", "ink"),
    "dns_fail": ("no connection", "P", "blue"),
    "connect_fail": ("no connection", "P", "blue"),
    "tls_fail": ("no connection", "P", "blue"),
}
OTHER = ("other failure", "*", "failed")


def timeline(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Main metric over time: dots, median and p10–p90 band per endpoint on one shared scale.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. Failures stand above the strip
    with the mark of their class; times in which nothing was asked are hatched.
    """
    seen = view(df, stratum, theme)
    figure, ax = style.axes(ax, theme, height=2.1 + 1.2 * (len(seen.series) if seen else 3))
    if seen is None or seen.rows["started_at"].isna().all():
        style.sentence(ax, NOTHING if seen is None else "No request has a time: no order to draw.")
        return figure
    log = style.wants_log(list(seen.series.values()))
    strips = _strips(ax, seen, log)
    for name, strip in strips.items():
        _strip(strip, seen, name)
    style.headline(
        ax, _finding(seen), seen.subtitle("line: median, band: p10 to p90"), seen.simulated
    )
    _legend(ax, seen)
    return figure


def _strips(ax: Axes, seen: View, log: bool) -> dict[str, Axes]:
    """One inset per endpoint, top down, all with the same scales."""
    ax.set_axis_off()
    count = len(seen.series)
    step = 1 / count
    strips: dict[str, Axes] = {}
    times = _times(seen.rows)
    pad = max(float(np.ptp(times)) * 0.01, 1e-6)
    for row, name in enumerate(seen.series):
        strip = style.inset(ax, (0.0, 1 - (row + 1) * step, 1.0, step * 0.74))
        strip.set_xlim(float(times.min()) - pad, float(times.max()) + pad)
        _scale(strip, seen, log)
        if row < count - 1:
            strip.tick_params(labelbottom=False)
        strips[name] = strip
        _date_axis(strip)
    strip.set_xlabel("time (UTC)", fontsize=style.TEXT, color=style.on(ax).ink, loc="left")
    label = f"{seen.label}, log scale" if log else seen.label
    style.note(ax, label, (0, 0.5), (-48, 0), size=style.TEXT, ha="center", va="center").set(
        rotation=90
    )
    return strips


def _times(rows: pd.DataFrame) -> Values:
    known = rows["started_at"].dropna().dt.tz_convert(None)
    return np.asarray(date2num(known.to_numpy()), dtype=np.float64)  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped


def _scale(strip: Axes, seen: View, log: bool) -> None:
    known = [style.finite(ms) for ms in seen.series.values()]
    known = [ms for ms in known if len(ms)]
    top = max((quantile(ms, 0.99) for ms in known), default=1.0) * 1.25
    low = min((float(ms[0]) for ms in known), default=1.0)
    if log:
        strip.set_yscale("log")
        strip.set_ylim(low * 0.8, top * 1.6)
        strip.yaxis.set_major_locator(LogLocator(subs=(1, 3) if top / low < 30 else (1,)))
        strip.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
        strip.yaxis.set_minor_formatter(NullFormatter())
    else:
        strip.set_ylim(0, top)
        strip.locator_params(axis="y", nbins=3)
    strip.tick_params(axis="y", which="major", labelsize=style.SMALL)


def _date_axis(strip: Axes) -> None:
    left, right = (edge * SECONDS for edge in strip.get_xlim())
    step = next((s for s in STEPS if (right - left) / s <= 7), STEPS[-1])
    ticks = np.arange(np.ceil(left / step) * step, right, step) / SECONDS
    strip.xaxis.set_major_locator(FixedLocator(list(ticks)))
    form = "%H:%M:%S" if step < 60 else "%H:%M" if right - left < SECONDS else "%m-%d %H:%M"
    strip.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped


def _strip(strip: Axes, seen: View, name: str) -> None:
    kind = seen.looks[name]
    rows = seen.rows[(seen.rows["endpoint"] == name).to_numpy()].dropna(subset=["started_at"])
    times, ms = _times(rows), latency_ms(rows, seen.stratum.metric)
    answered = np.isfinite(ms)
    few = slice(None, None, max(1, -(-int(answered.sum()) // style.MOST_POINTS)))
    strip.plot(
        times[answered][few],
        ms[answered][few],
        linestyle="none",
        marker=kind.marker,
        markersize=3.2,
        markeredgewidth=0,
        color=kind.color,
        alpha=0.45,
        rasterized=True,
    )
    _bands(strip, kind, times, ms)
    _failures(strip, rows, times)
    text = f"{name}: n = {len(rows)}, {int(np.isinf(ms).sum())} failed"
    title = strip.text(0, 1.04, style.plain(text), transform=strip.transAxes, va="bottom")
    title.set(fontsize=style.SMALL + 0.5, fontweight="bold", color=kind.color)
    title.set_path_effects([*style.halo(strip)])
    title.set_zorder(9)


def _bands(strip: Axes, kind: Look, times: Values, ms: Values) -> None:
    left, right = strip.get_xlim()
    edges = np.linspace(left, right, min(BINS, max(1, len(times) // PER_BIN)) + 1)
    bins = np.clip(np.digitize(times, edges) - 1, 0, len(edges) - 2)
    found = np.array([_band(ms[bins == i]) for i in range(len(edges) - 1)]).T
    middles = (edges[:-1] + edges[1:]) / 2
    strip.fill_between(middles, found[0], found[2], color=kind.color, alpha=0.2, linewidth=0)
    strip.plot(
        middles, found[1], color=kind.color, linewidth=kind.width, path_effects=style.halo(strip)
    )
    for i in range(len(edges) - 1):
        if not (bins == i).any():
            strip.axvspan(
                edges[i], edges[i + 1], facecolor="none", edgecolor=style.on(strip).pale, hatch="//"
            )


def _band(ms: Values) -> tuple[float, float, float]:
    answered = ms[np.isfinite(ms)]
    if len(answered) < FEWEST:
        return np.nan, np.nan, np.nan
    return quantile(answered, 0.1), quantile(answered, 0.5), quantile(answered, 0.9)


def _failures(strip: Axes, rows: pd.DataFrame, times: Values) -> None:
    outcomes = rows["outcome"].astype(str).to_numpy()
    for outcome in sorted(set(outcomes) - {"ok"}):
        _, marker, color = CLASSES.get(outcome, OTHER)
        at = times[outcomes == outcome][: style.MOST_POINTS]
        strip.plot(
            at,
            np.full(len(at), 0.9),
            transform=strip.get_xaxis_transform(),
            linestyle="none",
            marker=marker,
            markersize=7,
            color=style.on(strip)[color],
            markeredgecolor=style.on(strip).paper,
            markeredgewidth=0.7,
            clip_on=False,
            zorder=8,
        )


def _legend(ax: Axes, seen: View) -> None:
    present = sorted(set(seen.rows["outcome"].astype(str)) - {"ok"})
    kinds = dict.fromkeys(CLASSES.get(outcome, OTHER) for outcome in present)
    if not kinds:
        return
    options: dict[str, Any] = {"linestyle": "none", "markersize": 7}
    handles = [
        Line2D([], [], marker=m, color=style.on(ax)[c], label=text, **options)
        for text, m, c in kinds
    ]
    style.legend(ax, columns=5, handles=handles)


def _finding(seen: View) -> str:
    lost = sum(map(seen.failures, seen.series))
    total = sum(map(len, seen.series.values()))
    failed = f"{lost} of {total} requests failed" if lost else f"All {total} requests were answered"
    rounds = table(seen.rows, seen.stratum).replace(np.inf, np.nan).median(axis=1).dropna()
    change = drift(rounds.to_numpy(dtype=np.float64))
    if rounds.empty:
        return failed
    if change is None:
        return f"{failed}; no drift to speak of"
    return f"{failed}; the median moved by {100 * change:+.0f} % from first to last third"
