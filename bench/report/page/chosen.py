"""Which figures earn their place: what these rows can show, and no more."""

from __future__ import annotations

import pandas as pd

from bench.report.page.spots import Spot

FOR_TAIL = 299
"""Requests of an endpoint from which its p99 can be bounded."""

FOR_SMOKE_H = 2.0
FOR_HOURS_H = 12.0
"""Hours of measuring from which marks become bands, and hours of the day can be compared."""


def chosen(spot: Spot) -> dict[str, tuple[str, ...]]:
    """Chapter → the names of its plots. All others are a ``regionbench plot`` away."""
    doc, hours = spot.doc, _hours(spot.df)
    many = max((cell["n_latency"] for cell in doc["cells"]), default=0) >= FOR_TAIL
    return {
        "distribution": (
            "ecdf",
            *(["tail"] if many else []),
            "difference",
        ),
        "time": (
            "timeline" if hours < FOR_SMOKE_H else "smoke",
            *(["hours"] if hours >= FOR_HOURS_H else []),
        ),
        "phases": ("phases",),
        "routing": ("routing", "spillover") if doc["routing"]["identifiable"] else (),
    }


def _hours(df: pd.DataFrame) -> float:
    times = df["started_at"].dropna()
    return float((times.max() - times.min()).total_seconds() / 3600) if len(times) else 0.0
