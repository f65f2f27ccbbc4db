"""The harness' own lateness in a strip: what of the times is this machine and not the service."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bench.plots import style
from bench.plots.dates import moments
from bench.plots.strips import scale_ms, title
from bench.plots.view import Places, View
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
    """Lateness as dots on a scale that fits them; p95 of all in words."""
    places = {name: at for name in SOURCES if len(at := _known(seen, name))}
    few = {name: at[:: -(-len(at) // style.MOST_POINTS)] for name, at in places.items()}
    late = {name: _ms(seen.df[name].take(at)) for name, at in few.items()}
    known = [*map(style.finite, late.values())]
    log = style.wants_log(known)
    scale_ms(strip, known, log)
    for name, ms in late.items():
        _dots(strip, name, moments(seen.df["started_at"].take(few[name])), ms)
    words = ", ".join(_words(name, _ms(seen.df[name].take(at))) for name, at in places.items())
    unit = "ms, log scale" if log else "ms"
    title(strip, f"this machine, late by ({unit}): {words}", style.on(strip).grey)


def _known(seen: View, name: str) -> Places:
    """The rows that say when they were sent, and how late."""
    known = (seen.df["started_at"].notna() & seen.df[name].notna()).to_numpy()
    here = known[seen.places]
    return seen.places if here.all() else seen.places[here]


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
