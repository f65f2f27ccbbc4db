"""How far behind the leader each endpoint is: paired, robust, and with what error.

A judge takes logs of latency, shape (rounds, endpoints) with NaN where an endpoint was not asked
and the log of the timeout where it failed, and gives a `Look`. All judges ask one question of each
endpoint: can it be faster than the leader by more than the margin?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from bench.stats.quantiles import Values

FEWEST = 12
"""Paired rounds before anything is said of a pair (reference: the first look is at round 12)."""

TUNING = 1.345
"""Huber's constant for 95 % efficiency at the normal distribution."""

WANDER = 0.01
"""Share by which endpoints drift apart within one sitting, whatever the number of rounds: own
drift outlasts a race, so no mean averages it out (reference: own drift 2 % over 60 rounds)."""

GRAIN = 0.02
"""Smallest standard error of one round, as a share (reference: s is floored at .02/√t)."""

_FINEST = 1e-9
_STEPS = 12

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Look:
    """Against the endpoint in column ``leader``: per column, shape (endpoints,).

    ``behind`` difference of logs · ``error`` its standard error · ``risk`` the chance (with a
    strict judge: the anytime-valid p-value) that it is faster by more than the margin. The
    leader's own risk is 0, that of an endpoint with too few pairs 1 and its ``behind`` NaN.
    """

    leader: int
    behind: Values
    error: Values
    risk: Values


Judge = Callable[[Values, "Margin"], Look]


@dataclass(frozen=True, slots=True)
class Margin:
    """The indifference zone: the larger of a share and a time."""

    within: float
    within_ms: float

    def log(self, leader_ms: float) -> float:
        """μ = log(1 + max(share, time / leader's latency)) (reference: "Which region?")."""
        return float(np.log1p(max(self.within, self.within_ms / leader_ms)))


def judge_median(logs: Values, margin: Margin) -> Look:
    """Risk by Φ(−(m + μ)/s) from the mean m and standard error s of paired scores."""
    scores, places = robust_scores(logs)
    leader, behind, error, pairs = race_order(scores, places)
    mu = margin.log(float(np.exp(places[leader])))
    with np.errstate(invalid="ignore"):
        risk = ndtr(-(behind + mu) / error)
    return Look(leader, behind, error, settle(risk, leader, pairs))


def settle(risk: Values, leader: int, pairs: Values) -> Values:
    """``risk`` with 1 where too little is known, and 0 for the leader."""
    found = np.where((pairs < FEWEST) | np.isnan(risk), 1.0, risk)
    found[leader] = 0.0
    return found


def race_order(scores: Values, places: Values) -> tuple[int, Values, Values, Values]:
    """Leader, and per column: mean paired difference to it, its standard error, paired rounds.

    The lowest place leads, unless in their common rounds another one is ahead of it: endpoints that
    were not asked lately met another weather.
    """
    leader = int(np.nanargmin(places)) if not np.isnan(places).all() else 0
    behind, error, pairs = _paired(scores, leader)
    known = np.where(pairs < FEWEST, np.inf, behind)
    if known.min() < 0:
        leader = int(known.argmin())
        behind, error, pairs = _paired(scores, leader)
    return leader, behind, error, pairs


def _paired(scores: Values, leader: int) -> tuple[Values, Values, Values]:
    """√(s²/n + wander² + grain²/n): chance, drift of their own, and what clocks cannot tell."""
    apart = scores - scores[:, [leader]]
    both = ~np.isnan(apart)
    pairs = both.sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(both, apart, 0.0).sum(axis=0) / pairs
        spread = np.where(both, (apart - mean) ** 2, 0.0).sum(axis=0) / (pairs - 1)
        error = np.sqrt((spread + GRAIN**2) / pairs + WANDER**2)
    return mean, error, pairs


def robust_scores(logs: Values) -> tuple[Values, Values]:
    """Each value's score, shape of ``logs``, and each column's place: their means are equal.

    The place is Huber's M-estimate of location with one scale for all columns; the score is
    place + ψ(residual)/mean ψ′, the linearised contribution of one request to it, so that means and
    standard errors of paired differences of scores are those of the estimates. A tail or a failure
    counts as slow, but no more than 1.345 scales. In these worlds the variance is a tenth less than
    that of the trimmed mean of differences.

    Source: P. J. Huber and E. M. Ronchetti, Robust Statistics, 2nd ed. (2009), §§ 3.2, 6.4, 7.6.
    """
    asked = ~np.isnan(logs)
    n = asked.sum(axis=0)
    places, known = column_medians(logs), np.where(asked, logs, 0.0)
    scale = max(1.4826 * float(np.median(np.abs(logs - places)[asked])), _FINEST)
    bent, steep = _bend(known, places, scale, asked)
    for _ in range(_STEPS):
        step = scale * bent.sum(axis=0) / np.maximum(n, 1) / steep
        places = places + step
        bent, steep = _bend(known, places, scale, asked)
        if np.nanmax(np.abs(step)) < scale / 1000:
            break
    return np.where(asked, places + scale * bent / steep, np.nan), places


def _bend(known: Values, places: Values, scale: float, asked: Flags) -> tuple[Values, float]:
    """ψ of every residual, and mean ψ′: the share that is not bent, bounded for many equals."""
    residual = np.where(asked, (known - places) / scale, 0.0)
    bent = np.minimum(np.maximum(residual, -TUNING), TUNING)
    inside = int(np.count_nonzero((np.abs(residual) < TUNING) & asked))
    return bent, max(inside / max(1, int(np.count_nonzero(asked))), 0.3)


def column_medians(logs: Values) -> Values:
    """The median of each column's known values; NaN for a column without any."""
    ordered = np.sort(logs, axis=0)  # NaN last
    n = (~np.isnan(logs)).sum(axis=0)
    columns = np.arange(logs.shape[1])
    lower, upper = ordered[np.maximum(n - 1, 0) // 2, columns], ordered[n // 2 * (n > 0), columns]
    return np.asarray((lower + upper) / 2, dtype=np.float64)
