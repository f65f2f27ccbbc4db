"""Failure rates, and when one is higher than another."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from scipy.special import betaincinv, ndtri

from bench.stats.quantiles import LEVEL

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


@lru_cache(maxsize=4096)
def rate(failed: int, n: int) -> Rate:
    """The share of failures with Wilson's 95 % interval.

    Source: L. D. Brown, T. T. Cai and A. DasGupta, Interval Estimation for a Binomial
    Proportion, Statistical Science 16 (2001).
    """
    if n == 0:
        return Rate(0, 0, None, None, None)
    low, high = _wilson(failed, n)
    return Rate(failed, n, failed / n, low if failed else 0.0, high if failed < n else 1.0)


def _wilson(failed: int, n: int) -> tuple[float, float]:
    p, z = failed / n, float(ndtri(0.5 + 0.5 * LEVEL))
    of = 2 * (n + z**2)
    middle, reach = (2 * n * p + z**2) / of, z / of * math.sqrt(4 * n * p * (1 - p) + z**2)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def fails_often(one: Rate) -> bool:
    """Whether the failures alone forbid to speak of speed."""
    return one.n > 1 and one.share is not None and one.share > UNFIT_SHARE


def fails_more(one: Rate, other: Rate) -> bool:
    """Whether ``one`` fails more often than ``other``: Fisher's exact test, one-sided."""
    if one.share is None or other.share is None or one.share - other.share < SMALLEST_RISE:
        return False
    return fisher(one.failed, one.n, other.failed, other.n) < FISHER_ALPHA


@lru_cache(maxsize=100_000)
def fisher(failed: int, n: int, other_failed: int, other_n: int) -> float:
    """The one-sided p of Fisher's exact test that ``failed`` of ``n`` is no more than the other."""
    from scipy.stats import hypergeom  # takes long to import, and few rates are that far apart

    both = failed + other_failed
    return float(hypergeom.sf(failed - 1, n + other_n, both, n))


def smallest_seen(n: int, alarms: Callable[[int], bool]) -> float | None:
    """The failure share that ``n`` requests show with a chance of 80 %; None: none.

    ``alarms`` says whether so many failures would be one, and goes on saying so for more. The share
    at which the smallest such count k, or more, is seen so often is a quantile of
    beta(k, n − k + 1).
    """
    k = max(1, bisect_left(range(n + 1), True, key=alarms))
    return float(betaincinv(k, n - k + 1, 0.8)) if k <= n else None
