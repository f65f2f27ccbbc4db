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
from bench.stats.looks import Look
from bench.stats.quantiles import Values
from bench.stats.rates import SMALLEST_RISE, fisher, smallest_seen
from bench.stats.shift import ALPHA, logs
from bench.stats.verdict import Measure

FEWEST = 10
"""Past batches without which there is no baseline (reference, mode B)."""

LATENCY_FLOOR = math.log(1.05)

FDR = 0.10
"""Of Benjamini and Hochberg, over the cells of a verdict."""

Z_TWICE = 0.9944578832097532
"""The normal quantile of .84 = .80 / .95."""


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


def expect(values: Values) -> Expected:
    """From those of two or more past batches: s √(1 + 1/H) with H − 1 degrees of freedom."""
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
    bare = Look(measure, new.n, len(known), observed=new.quantiles.get(measure))
    if bare.observed is None:
        return replace(bare, untold=f"n too small: {new.n}")
    if len(finite) < FEWEST:
        return replace(bare, untold=no_baseline(len(finite)))
    # A past batch whose quantile was among the failures counts as the slowest of the others.
    before = expect(logs(np.minimum(known, max(finite))))
    timed_out = _p_failures(past, new.failed, new.n) if bare.observed == math.inf else None
    return _latency(bare, before, timed_out)


def no_baseline(batches: int) -> str:
    """What is said instead of a silent pass."""
    return f"no baseline yet ({batches} of {FEWEST} runs)"


def _latency(bare: Look, expected: Expected, timed_out: float | None) -> Look:
    """A quantile among the failures, ``timed_out``, is as unlikely as so many failures are."""
    value = math.inf if bare.observed is None else math.log(bare.observed)
    rise, reach = value - expected.mean, expected.t()
    p = expected.p(value) if timed_out is None else timed_out
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

    Fisher alone takes batches for alike, and alarms on every bad day of a service that has them
    (5 to 11 % of cells); the interval alone takes a history without failures for certainty, so that
    one failure of thirty requests alarms. Measured in tests/benchmarks/gate.py, part "bursts".
    """
    share = new.failed / new.n if new.n else None
    bare = Look("failure_rate", new.n, len(past), observed=share)
    if share is None:
        return replace(bare, untold="no request was counted")
    if len(past) < FEWEST:
        return replace(bare, untold=no_baseline(len(past)))
    before, p = _pooled(past), _p_failures(past, new.failed, new.n)
    reach = _share(_expected(past)) - before
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
    """The larger p of the two."""
    all_failed, all_n = sum(one.failed for one in past), sum(one.n for one in past)
    return max(fisher(failed, n, all_failed, all_n), _expected(past).p(_steady(failed, n)))


def _expected(past: Sequence[BatchCell]) -> Expected:
    return expect(np.array([_steady(one.failed, one.n) for one in past]))


def _steady(failed: int, n: int) -> float:
    """A share on the scale on which its variance does not depend on it (Anscombe)."""
    return math.asin(math.sqrt((failed + 0.375) / (n + 0.75)))


def _share(expected: Expected) -> float:
    """The share at the upper end of what is expected."""
    return math.sin(min(expected.mean + expected.t(), math.pi / 2)) ** 2


def detectable_back(one: Look, past: Sequence[BatchCell], cells: int) -> float | None:
    """The smallest change that would have been found with a chance of 80 %; None: none would.

    exp((t(1 − α) + z.84) · SE) − 1: t and not z, because SE is itself learned from few batches, α
    at most what Benjamini and Hochberg leave to the first of ``cells``, and .84 because the
    confirmation agrees with 95 of 100 such suspects; and at least what lifts the estimate over the
    floor so often.
    """
    alpha = min(ALPHA, FDR / max(1, cells))
    if one.measure == "failure_rate":
        return _detectable_failures(one, past, alpha)
    if one.error is None:
        return None
    bound = float(stdtrit(one.n_baseline - 1, 1 - alpha)) * one.error
    return math.expm1(max(LATENCY_FLOOR, bound) + Z_TWICE * one.error)


def _detectable_failures(one: Look, past: Sequence[BatchCell], alpha: float) -> float | None:
    before = _pooled(past)

    def alarms(k: int) -> bool:
        return k / one.n - before >= SMALLEST_RISE and _p_failures(past, k, one.n) < alpha

    seen = smallest_seen(one.n, alarms)
    return None if seen is None else seen - before
