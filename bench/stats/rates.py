"""Failure rates, and when one is higher than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv
from scipy.stats import binomtest, hypergeom

from bench.stats.quantiles import LEVEL, Values

Counts = npt.NDArray[np.int64]

FISHER_ALPHA = 0.01
SMALLEST_RISE = 0.02
"""A failure rate counts as higher with p < .01 and at least 2 points (reference, mode A)."""


UNFIT_SHARE = 0.10
"""An endpoint that fails more than a tenth of its requests is never called fast."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``failed`` of ``n``, as a share between 0 and 1 with its interval; None: nothing counted."""

    failed: int
    n: int
    share: float | None
    low: float | None
    high: float | None


def rate(failed: int, n: int) -> Rate:
    """The share of failures with Wilson's 95 % interval.

    Source: L. D. Brown, T. T. Cai and A. DasGupta, Interval Estimation for a Binomial
    Proportion, Statistical Science 16 (2001).
    """
    if n == 0:
        return Rate(0, 0, None, None, None)
    interval = binomtest(failed, n).proportion_ci(confidence_level=LEVEL, method="wilson")
    low, high = max(0.0, float(interval.low)), min(1.0, float(interval.high))
    return Rate(failed, n, failed / n, low if failed else 0.0, high if failed < n else 1.0)


def fails_often(one: Rate) -> bool:
    """Whether the failures alone forbid to speak of speed."""
    return one.n > 1 and one.share is not None and one.share > UNFIT_SHARE


def fails_more(one: Rate, other: Rate) -> bool:
    """Whether ``one`` fails more often than ``other``: Fisher's exact test, one-sided."""
    if one.share is None or other.share is None or one.share - other.share < SMALLEST_RISE:
        return False
    return fisher(one.failed, one.n, other.failed, other.n) < FISHER_ALPHA


def fisher(failed: int, n: int, other_failed: int, other_n: int) -> float:
    """The one-sided p of Fisher's exact test that ``failed`` of ``n`` is no more than the other."""
    return float(fishers(np.array([failed]), n, other_failed, other_n)[0])


def fishers(failed: Counts, n: int, other_failed: int, other_n: int) -> Values:
    """`fisher` for each of several counts, shape (k,)."""
    found = hypergeom.sf(failed - 1, n + other_n, failed + other_failed, n)
    return np.asarray(found, dtype=np.float64)


def smallest_seen(fewest: int, n: int) -> float | None:
    """The failure share of which ``fewest`` or more of ``n`` requests fail in 80 % of samples.

    ``fewest`` is the smallest count that would be an alarm; None: not even n would. The share is
    the quantile .8 of beta(k, n − k + 1).
    """
    k = max(1, fewest)
    return float(betaincinv(k, n - k + 1, 0.8)) if k <= n else None


def first(alarms: npt.NDArray[np.bool_]) -> int:
    """The smallest count that alarms, of counts from nought; their number when none does."""
    return int(alarms.argmax()) if alarms.any() else len(alarms)
