"""One measure of one cell against the same in past batches: what the next one was to be expected.

Sources: G. J. Hahn and W. Q. Meeker, Statistical Intervals (1991), §4.8, for the prediction
interval; F. J. Anscombe, The Transformation of Poisson, Binomial and Negative-Binomial Data,
Biometrika 35 (1948), for failure shares; the reference, "Mode B", for the rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.stats.batches import BatchCell
from bench.stats.looks import FLOOR, Look
from bench.stats.rates import SMALLEST_RISE, fisher, smallest_seen
from bench.stats.shift import ALPHA, Z_POWER
from bench.stats.verdict import Measure

FEWEST = 10
"""Past batches without which there is no baseline (reference, mode B)."""

LATENCY_FLOOR = math.log(1.05)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the next value is expected to be: ``mean`` ± t · ``error`` with ``dof``."""

    mean: float
    error: float
    dof: int

    def p(self, value: float) -> float:
        """One-sided, that a value so high comes from the same history."""
        if self.error == 0:
            return 0.0 if value > self.mean else 1.0
        return float(stdtr(self.dof, -(value - self.mean) / self.error))

    def t(self, alpha: float = ALPHA) -> float:
        """How far above the mean, in logs or what the values are in, is beyond 1 − alpha."""
        return float(stdtrit(self.dof, 1 - alpha)) * self.error


def expect(past: Sequence[float]) -> Expected:
    """From the values of two or more past batches: s √(1 + 1/H) with H − 1 degrees of freedom."""
    values = np.asarray(past, dtype=np.float64)
    spread = float(values.std(ddof=1)) * math.sqrt(1 + 1 / len(values))
    return Expected(float(values.mean()), spread, len(values) - 1)


def look_back(past: Sequence[BatchCell], new: BatchCell, measure: Measure) -> Look:
    """Judge ``new`` by one measure against the same cell of past batches.

    ``flagged``: beyond t(.99) and by enough to matter. Fewer than ten batches that have the
    measure: untold.
    """
    if measure == "failure_rate":
        return _failures(past, new)
    known = [one.quantiles[measure] for one in past if measure in one.quantiles]
    finite = [value for value in known if value < math.inf]
    bare = Look(measure, new.n, len(finite), observed=new.quantiles.get(measure))
    if bare.observed is None:
        return replace(bare, untold=f"n too small: {new.n}")
    if len(finite) < FEWEST:
        return replace(bare, untold=no_baseline(len(finite)))
    return _latency(bare, np.log(finite).tolist(), math.log(bare.observed))


def no_baseline(batches: int) -> str:
    """What is said instead of a silent pass."""
    return f"no baseline yet ({batches} of {FEWEST} runs)"


def _latency(bare: Look, past: Sequence[float], value: float) -> Look:
    expected = expect(past)
    rise, p, reach = value - expected.mean, expected.p(value), expected.t()
    return replace(
        bare,
        baseline=math.exp(expected.mean),
        change=math.expm1(rise),
        low=math.expm1(rise - reach),
        high=math.expm1(rise + reach),
        p=p,
        error=expected.error,
        flagged=rise >= LATENCY_FLOOR and p < ALPHA,
    )


def _failures(past: Sequence[BatchCell], new: BatchCell) -> Look:
    """Both Fisher's test against all past requests and the prediction interval have to be beaten.

    Fisher alone takes batches for alike, and alarms on every bad day of a service that has them;
    the interval alone knows nothing of small counts. Measured in tests/benchmarks/gate.py.
    """
    share = new.failed / new.n if new.n else None
    bare = Look("failure_rate", new.n, len(past), observed=share)
    if share is None:
        return replace(bare, untold="no request was counted")
    if len(past) < FEWEST:
        return replace(bare, untold=no_baseline(len(past)))
    before, p = _pooled(past), _p_failures(past, new.failed, new.n)
    reach = _share(expect([_steady(one.failed, one.n) for one in past])) - before
    rise = share - before
    return replace(
        bare,
        baseline=before,
        change=rise,
        low=max(-1.0, rise - reach),
        high=min(1.0, rise + reach),
        p=p,
        flagged=rise >= SMALLEST_RISE and p < ALPHA,
    )


def _pooled(past: Sequence[BatchCell]) -> float:
    return sum(one.failed for one in past) / max(1, sum(one.n for one in past))


def _p_failures(past: Sequence[BatchCell], failed: int, n: int) -> float:
    all_failed, all_n = sum(one.failed for one in past), sum(one.n for one in past)
    expected = expect([_steady(one.failed, one.n) for one in past])
    return max(fisher(failed, n, all_failed, all_n), expected.p(_steady(failed, n)))


def _steady(failed: int, n: int) -> float:
    """A share on the scale on which its variance does not depend on it (Anscombe)."""
    return math.asin(math.sqrt((failed + 0.375) / (n + 0.75)))


def _share(expected: Expected) -> float:
    """The share at the upper end of what is expected."""
    return math.sin(min(expected.mean + expected.t(), math.pi / 2)) ** 2


def detectable_back(one: Look, past: Sequence[BatchCell]) -> float | None:
    """The smallest change that would have been suspected with a chance of 80 %; None: none would.

    exp((t(.99) + z.80) · SE) − 1: t and not z, because SE is itself learned from few batches; and
    at least what lifts the estimate over the floor so often.
    """
    if one.measure == "failure_rate":
        return _detectable_failures(one, past)
    if one.error is None:
        return None
    bound = float(stdtrit(one.n_baseline - 1, 1 - ALPHA)) * one.error
    return math.expm1(max(FLOOR["p50"], bound) + Z_POWER * one.error)


def _detectable_failures(one: Look, past: Sequence[BatchCell]) -> float | None:
    before = _pooled(past)

    def found(k: int) -> bool:
        return k / one.n - before >= SMALLEST_RISE and _p_failures(past, k, one.n) < ALPHA

    seen = smallest_seen(one.n, found)
    return None if seen is None else seen - before
