"""The harness' own lateness in a strip: what of the times is this machine and not the service."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bench.plots import style
from bench.plots.dates import moments
from bench.plots.strips import scale_ms, title
from bench.plots.view import View
from bench.stats import quantile
from bench.stats.quantiles import Values
from bench.units import NS_PER_MS, format_ms

SOURCES = {
    "wakeup_late_ns": ("waking", ".", "grey"),
    "late_ns": ("sending", "+", "ochre"),
}
"""How late this process noticed an answer, and how late it sent an open loop's request."""


def noisy(seen: View) -> bool:
    """Whether the rows say anything of the harness."""
    known = (seen.df[name].notna().to_numpy() for name in SOURCES)
    return any(bool(has[seen.places].any()) for has in known)


def noise_strip(strip: Axes, seen: View) -> None:
    """Every lateness as a dot on a scale of its own; p95 in words."""
    timed = seen.places[seen.df["started_at"].notna().to_numpy()[seen.places]]
    few = timed[:: max(1, -(-len(timed) // style.MOST_POINTS))]
    late = {name: _in_order(seen.df[name].take(timed)) for name in SOURCES}
    late = {name: ms for name, ms in late.items() if len(ms)}
    log = style.wants_log(list(late.values()))
    scale_ms(strip, list(late.values()), log)
    times = moments(seen.df["started_at"].take(few))
    for name in late:
        _dots(strip, name, times, _ms(seen.df[name].take(few)))
    words = ", ".join(_words(name, ms) for name, ms in late.items())
    unit = "ms, log scale" if log else "ms"
    title(strip, f"this machine, late by ({unit}): {words}", style.on(strip).grey)


def _in_order(late_ns: pd.Series[Any]) -> Values:
    ms = _ms(late_ns)
    ms.sort()  # in place: there may be millions
    return style.finite(ms)


def _ms(late_ns: pd.Series[Any]) -> Values:
    """Lateness in ms; no time is earlier than nought, so that a log axis has a place."""
    known = late_ns.to_numpy(dtype=np.float64, na_value=np.nan) / NS_PER_MS
    return np.maximum(known, 1e-3, out=known)


def _dots(strip: Axes, name: str, times: Values, ms: Values) -> None:
    marker, color = SOURCES[name][1:]
    strip.plot(
        times,
        ms,
        linestyle="none",
        marker=marker,
        markersize=4,
        color=style.on(strip)[color],
        alpha=style.on(strip).cloud,
        rasterized=True,
    )


def _words(name: str, ms: Values) -> str:
    return f"{SOURCES[name][0]} p95 {format_ms(quantile(ms, 0.95))}"
