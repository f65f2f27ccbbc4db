"""Figures: a tidy frame in, a matplotlib Figure out. The only place that imports matplotlib.

Every function takes ``ax=`` to draw into axes of yours, ``stratum=`` to choose what may be compared
and ``theme=`` ("light" or "dark") for the paper. A frame without rows, with one
row or with failures only gives a figure that says so.
"""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from bench.plots.difference import difference
from bench.plots.ecdf import ecdf
from bench.plots.images import to_png, to_svg
from bench.plots.phases import phases
from bench.plots.race import race
from bench.plots.ridgeline import ridgeline
from bench.plots.routing import routing
from bench.plots.spillover import spillover
from bench.plots.style import finding
from bench.plots.timeline import timeline
from bench.plots.trend import trend

PLOTS: dict[str, Callable[..., Figure]] = {
    "ecdf": ecdf,
    "ridgeline": ridgeline,
    "difference": difference,
    "timeline": timeline,
    "phases": phases,
    "routing": routing,
    "spillover": spillover,
    "race": race,
    "trend": trend,
}

__all__ = [
    "PLOTS",
    "difference",
    "ecdf",
    "finding",
    "phases",
    "race",
    "ridgeline",
    "routing",
    "spillover",
    "timeline",
    "to_png",
    "to_svg",
    "trend",
]
