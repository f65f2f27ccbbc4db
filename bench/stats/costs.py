"""What an endpoint costs at a vantage: by how much it is slower there than the fastest, in ms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from bench.stats.blocks import ROUNDS, Side, tail_shift
from bench.stats.compromise import Tour
from bench.stats.quantiles import LEVEL, Estimate, quantile, smallest_n
from bench.stats.sites import Sum, combined

TAIL = 0.95
FEW = "too few rounds asked both"


@dataclass(frozen=True, slots=True)
class Cost:
    """By how much ``endpoint`` is slower at ``vantage`` than ``fastest``, the lowest there.

    All intervals of p50 hold together at 95 %, over vantages and pairs of endpoints, and so do
    those of p95. p95 may be lower than that of the fastest, which is so by p50.
    """

    vantage: str
    endpoint: str
    fastest: str
    p50: Estimate
    p95: Estimate


def cost_at(tour: Tour, at: int, endpoint: int) -> Estimate:
    """The cost at one vantage: over its seemingly fastest, and no less than over any other."""
    value = _over(tour, at, endpoint, tour.fastest(at))
    every = [_over(tour, at, endpoint, k) for k in tour.rivals(at)]
    ends = largest(every)
    return value if value.value_ms is None else replace(ends, value_ms=value.value_ms)


def _over(tour: Tour, at: int, endpoint: int, other: int) -> Estimate:
    weights = {endpoint: 1.0, other: -1.0} if endpoint != other else {}
    return estimated(combined(tour.sites[at], weights), tour)


def largest(each: Sequence[Estimate]) -> Estimate:
    """The largest of several costs; its interval holds since theirs hold together."""
    found = [(one.value_ms, one.low_ms, one.high_ms) for one in each]
    ends = [[end for end in column if end is not None] for column in zip(*found, strict=True)]
    if any(len(column) < len(each) for column in ends):
        return Estimate(None, None, None, next(one.note for one in each if one.note))
    value, low, high = map(max, ends)
    return Estimate(value, low, high)


def estimated(found: Sum, tour: Tour) -> Estimate:
    """A cost with its interval, which like the cost itself does not go below nought."""
    if not math.isfinite(found.error):
        return Estimate(None, None, None, FEW)
    reach = _z(tour) * found.error
    return Estimate(found.ms, max(0.0, found.ms - reach), found.ms + reach)


def _z(tour: Tour) -> float:
    """Of intervals that hold together for each ordered pair at each vantage (Bonferroni)."""
    pairs = sum(len(tour.rivals(at)) * (len(tour.rivals(at)) - 1) for at in range(len(tour.sites)))
    return float(ndtri(1 - (1 - LEVEL) / max(2, pairs)))


def costs_of(
    tour: Tour, names: Sequence[str], rounds: Mapping[str, pd.DataFrame]
) -> Iterator[Cost]:
    """Of every endpoint at every vantage that can use it."""
    for at, (place, part) in enumerate(rounds.items()):
        for k in tour.rivals(at):
            fastest = tour.fastest(at)
            tail = _tail(part, names[k], names[fastest], _z(tour))
            yield Cost(place, names[k], names[fastest], cost_at(tour, at, k), tail)


def _tail(rounds: pd.DataFrame, endpoint: str, fastest: str, z: float) -> Estimate:
    """The difference of two p95, in the rounds that asked both, by blocks of rounds."""
    if endpoint == fastest:
        return Estimate(0.0, 0.0, 0.0)
    both = rounds[[endpoint, fastest]].dropna().to_numpy(dtype=np.float64)
    if len(both) < smallest_n(TAIL):
        return Estimate(None, None, None, f"n too small: {len(both)} of {smallest_n(TAIL)}")
    block = np.arange(len(both), dtype=np.int64) // ROUNDS
    base = quantile(both[:, 1], TAIL)
    found = tail_shift(Side(both[:, 1], block), Side(both[:, 0], block), TAIL, together=True)
    if not math.isfinite(base) or not math.isfinite(found.error + found.value):
        return Estimate(None, None, None, "failures")
    logs = (found.value, found.value - z * found.error, found.value + z * found.error)
    value, low, high = (math.expm1(log) * base for log in logs)
    return Estimate(value, low, high)
