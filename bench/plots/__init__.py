"""Figures: a tidy frame in, a matplotlib Figure out. The only place that imports matplotlib.

Every function takes ``ax=`` to draw into axes of yours, ``stratum=`` to choose what may be compared
and ``theme=`` ("light" or "dark") for the paper. A frame without rows, with one
row or with failures only gives a figure that says so.
"""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from bench.plots.cadence import cadence
from bench.plots.difference import difference
from bench.plots.ecdf import ecdf
from bench.plots.hours import hours
from bench.plots.images import to_png, to_svg
from bench.plots.layers import layers
from bench.plots.phases import phases
from bench.plots.quantiles import quantiles
from bench.plots.race import race
from bench.plots.ridgeline import ridgeline
from bench.plots.routing import routing
from bench.plots.smoke import smoke
from bench.plots.spillover import spillover
from bench.plots.style import finding, is_empty
from bench.plots.tail import tail
from bench.plots.timeline import timeline
from bench.plots.trend import trend
from bench.plots.vantages import vantages
from bench.stats.metrics import MAIN_COLUMNS, SEGMENT_COLUMNS
from bench.stats.routing import EVIDENCE
from bench.stats.travel import WAY

PLOTS: dict[str, Callable[..., Figure]] = {
    "ecdf": ecdf,
    "tail": tail,
    "ridgeline": ridgeline,
    "difference": difference,
    "quantiles": quantiles,
    "timeline": timeline,
    "smoke": smoke,
    "phases": phases,
    "layers": layers,
    "cadence": cadence,
    "routing": routing,
    "spillover": spillover,
    "hours": hours,
    "vantages": vantages,
    "race": race,
    "trend": trend,
}

_WAY = (*WAY, *EVIDENCE)

COLUMNS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(PLOTS, MAIN_COLUMNS),
    "timeline": (*MAIN_COLUMNS, *_WAY, "wakeup_late_ns", "late_ns"),
    "phases": SEGMENT_COLUMNS,
    "layers": (*MAIN_COLUMNS, "ttfb_ns", "ttfb_kernel_ns", "server_ms", "network_ms", "think_ms"),
    "cadence": (*MAIN_COLUMNS, "token_offsets_ns", "token_coalesced"),
    "routing": (*MAIN_COLUMNS, *_WAY),
    "spillover": (*MAIN_COLUMNS, *_WAY),
}
"""What each plot reads, besides `bench.frame.KEYS`: all that a frame of many rows needs to have."""

__all__ = [
    "COLUMNS",
    "PLOTS",
    "cadence",
    "difference",
    "ecdf",
    "finding",
    "hours",
    "is_empty",
    "layers",
    "phases",
    "quantiles",
    "race",
    "ridgeline",
    "routing",
    "smoke",
    "spillover",
    "tail",
    "timeline",
    "to_png",
    "to_svg",
    "trend",
    "vantages",
]
