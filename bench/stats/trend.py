"""Batches in the order of time: what each endpoint took in each, and how much of it failed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.stats.batches import batch_of
from bench.stats.metrics import failed, latency_ms
from bench.stats.quantiles import Estimate, estimate
from bench.stats.rates import Rate, rate
from bench.stats.strata import Stratum, runs_of


@dataclass(frozen=True, slots=True)
class Point:
    """One endpoint in one batch. ``at`` is when its first request began."""

    batch: str
    at: pd.Timestamp
    endpoint: str
    p50: Estimate
    p90: Estimate
    failures: Rate


def trend(df: pd.DataFrame, rows: pd.DataFrame, stratum: Stratum) -> list[Point]:
    """The points of one stratum's countable ``rows``, by time, then endpoint.

    ``df`` is the frame they are from: its runs say which of them are one batch.
    """
    named = {str(run.get("run_id")): batch_of(run) for run in runs_of(df)}
    batches = rows["run_id"].astype(str).map(lambda run_id: named.get(run_id, run_id))
    timed = rows[rows["started_at"].notna().to_numpy()]
    endpoints = timed["endpoint"].astype(str)
    groups = timed.groupby([batches[timed.index], endpoints], sort=False)
    found = [_point(str(b), str(e), part, stratum.metric) for (b, e), part in groups]
    return sorted(found, key=lambda point: (point.at, point.endpoint))


def _point(batch: str, endpoint: str, rows: pd.DataFrame, metric: str) -> Point:
    values = latency_ms(rows, metric)
    known = values[~np.isnan(values)]
    return Point(
        batch,
        rows["started_at"].min(),
        endpoint,
        estimate(known, 0.5),
        estimate(known, 0.9),
        rate(int(failed(rows).sum()), len(rows)),
    )
