"""Batches in the order of time: what each endpoint took in each, and how much of it failed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.batches import batch_of
from bench.stats.metrics import coded, failed, latency_ms
from bench.stats.quantiles import Estimate, estimate
from bench.stats.rates import Rate, rate
from bench.stats.strata import Stratum, runs_of

Places = npt.NDArray[np.intp]


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
    ms, lost = latency_ms(rows, stratum.metric), failed(rows).to_numpy()
    sent = rows["started_at"].dt.tz_convert(None).to_numpy()
    parts = _parts(df, rows)
    found = [
        Point(
            *(batch, pd.Timestamp(sent[at].min(), tz="UTC"), endpoint),
            *(estimate(known, 0.5), estimate(known, 0.9)),
            rate(int(lost[at].sum()), len(at)),
        )
        for (batch, endpoint), at in parts.items()
        for known in [np.sort(ms[at][~np.isnan(ms[at])])]
    ]
    return sorted(found, key=lambda point: (point.at, point.endpoint))


def _parts(df: pd.DataFrame, rows: pd.DataFrame) -> dict[tuple[str, str], Places]:
    """Batch and endpoint → which rows with a time are theirs, in the order in which they appear."""
    named = {str(run.get("run_id")): batch_of(run) for run in runs_of(df)}
    (runs, ids), (who, endpoints) = coded(rows["run_id"]), coded(rows["endpoint"])
    batches = [named.get(one, one) for one in (*ids, "nan")]
    known = list(dict.fromkeys(batches))
    small = np.min_scalar_type(len(known) * len(endpoints))  # for the sort: the smaller the faster
    keys = np.array([known.index(one) * len(endpoints) for one in batches], small)[runs]
    keys += who.astype(small)
    timed = np.flatnonzero(rows["started_at"].notna().to_numpy())
    timed = timed[np.argsort(keys[timed], kind="stable")]
    there, first = np.unique(keys[timed], return_index=True)
    parts = zip(there, np.split(timed, first[1:]), strict=True) if len(there) else ()
    return {
        (known[key // len(endpoints)], endpoints[key % len(endpoints)]): at
        for key, at in sorted(parts, key=lambda part: int(part[1][0]))
    }
