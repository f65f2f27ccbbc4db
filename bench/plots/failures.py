"""Failures on a time axis: one glyph and one colour per class, never on the axis of times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.plots import style
from bench.plots.dates import moments
from bench.stats.metrics import coded

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


def mark_failures(strip: Axes, rows: pd.DataFrame) -> None:
    """Each failure of ``rows`` at its time, near the strip's upper edge."""
    times, (codes, names) = moments(rows["started_at"]), coded(rows["outcome"])
    theme = style.on(strip)
    for outcome in _present(rows["outcome"]):
        _, marker, color = CLASSES.get(outcome, OTHER)
        at = style.thin(times[codes == names.index(outcome)])
        style.marks(
            strip,
            at,
            0.9,
            transform=strip.get_xaxis_transform(),
            marker=marker,
            markersize=7,
            color=theme[color],
            markeredgecolor=theme.paper,
            markeredgewidth=0.7,
            clip_on=False,
            zorder=8,
        )


def failure_handles(ax: Axes, outcomes: pd.Series[Any]) -> list[Line2D]:
    """Entries of a legend for the classes that there are."""
    kinds = dict.fromkeys(CLASSES.get(outcome, OTHER) for outcome in _present(outcomes))
    options: dict[str, Any] = {"linestyle": "none", "markersize": 7}
    return [
        Line2D([], [], marker=marker, color=style.on(ax)[color], label=text, **options)
        for text, marker, color in kinds
    ]


def _present(outcomes: pd.Series[Any]) -> Iterable[str]:
    return sorted(set(map(str, outcomes.unique())) - {"ok"})
