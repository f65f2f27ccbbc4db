"""One vantage's endpoints as locations in ms, and what any difference of them is worth.

A location is Huber's, as in a race (`bench.stats.race_scores`); requests of one round stand or fall
together, so the error of a difference is that of the rounds' differences and not of two numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.stats.memory import effective_n
from bench.stats.quantiles import Values
from bench.stats.race_scores import FEWEST, robust_scores

DRIFT, DRIFT_ROUNDS = 0.02, 60
"""By how much of its latency, and for how long, an endpoint drifts on its own (reference, "Which
region?"): that lasts too long for the rounds' own spread to show all of it."""

_FASTEST_MS = 1e-6


@dataclass(frozen=True)
class Site:
    """``ms`` are the locations, shape (endpoints,), NaN where nothing was asked; ``variance`` of
    the difference of two, shape (endpoints, endpoints), inf where too few rounds asked both."""

    ms: Values
    variance: Values


@dataclass(frozen=True, slots=True)
class Sum:
    """A difference of locations in ms with its standard error; NaN and inf: not known."""

    ms: float
    error: float


def site(rounds: Values, timeout_ms: float) -> Site:
    """Of latencies in ms, shape (rounds, endpoints): NaN not asked, +inf failed.

    In ms by d exp(x) = exp(x) dx, of the scores in logs.
    """
    logs = np.log(np.clip(rounds, _FASTEST_MS, timeout_ms))
    scores, places = robust_scores(logs)
    ms = np.exp(places)
    parts = ms * (1 + scores - places)
    variance = np.zeros((len(ms), len(ms)))
    for one, other in combinations(range(len(ms)), 2):
        found = _variance(parts[:, one] - parts[:, other], ms[[one, other]])
        variance[one, other] = variance[other, one] = found
    return Site(ms, variance)


def _variance(apart: Values, ms: Values) -> float:
    """s²/n + drift² of one pair's differences, shape (rounds,), with locations ``ms``.

    n is what the rounds are worth, as spells of spillover outlast a round (`bench.stats.memory`);
    drift² is that of a mean of n₀ rounds of two endpoints that each drift by themselves with a
    correlation time τ: DRIFT² min(1, 2τ/n₀).
    """
    known = apart[~np.isnan(apart)]
    if len(known) < FEWEST:
        return math.inf
    chance = float(known.var(ddof=1)) / max(effective_n(known), 2.0)
    lasting = min(1.0, 2 * DRIFT_ROUNDS / len(known))
    return chance + lasting * DRIFT**2 * float((ms**2).sum())


def combined(at: Site, weights: Mapping[int, float]) -> Sum:
    """Σ weight · location, for weights that sum to nought.

    Its variance is −½ Σ wᵢ wⱼ Vᵢⱼ, of the variances V of the pairs: the identity of a variogram
    (N. Cressie, Statistics for Spatial Data, 1993, § 2.3.1).
    """
    used = {k: w for k, w in weights.items() if w}
    if not used:
        return Sum(0.0, 0.0)
    columns, factors = list(used), np.array(list(used.values()))
    pairs = at.variance[np.ix_(columns, columns)]
    if not np.isfinite(pairs).all():
        return Sum(math.nan, math.inf)
    ms, variance = factors @ at.ms[columns], -0.5 * factors @ pairs @ factors
    # Pairs are each worth their own n, so that a sum of four may come out too small, even below 0
    least = float(pairs[pairs > 0].min()) * float((factors**2).sum()) / 2 if pairs.any() else 0.0
    return Sum(float(ms), math.sqrt(max(float(variance), least if len(used) > 2 else 0.0)))
