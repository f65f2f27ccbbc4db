"""Quantiles of small samples with failures in them, and intervals that assume no distribution.

A failed request has no latency; it counts as +∞, so that an endpoint cannot become fast by
failing. Everything here therefore works with ranks only.

Sources: J. D. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, The American
Statistician 50 (1996), definition 2, for the estimate; H. A. David and H. N. Nagaraja, Order
Statistics, 3rd ed. (2003), §7.1, for the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

Values = npt.NDArray[np.float64]

LEVEL = 0.95
"""Confidence of every interval that does not say otherwise."""

TIMEOUT_NOTE = "> timeout"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, in milliseconds.

    ``None`` is "not known" and ``note`` then says why. ``inf`` is "among the failures": greater
    than any timeout. In a difference ``-inf`` is "the other one failed".
    """

    value_ms: float | None
    low_ms: float | None
    high_ms: float | None
    note: str = ""


def quantile(values: Values, q: float) -> float:
    """The q-quantile of ``values`` (any shape (n,), n ≥ 1, may hold ±∞; 0 < q < 1).

    The order statistic x₍⌈nq⌉₎, or the middle of two neighbours when nq is whole (definition 2 of
    Hyndman and Fan). It is +∞ exactly when the share of +∞ is at least 1 − q, and it mirrors:
    the median of −x is minus the median of x. NaN: half of the values are −∞, half are +∞.
    """
    place = round(len(values) * q, 9)
    upper = min(math.floor(place), len(values) - 1)
    lower = upper - 1 if place == upper and upper > 0 else upper
    ordered = values if _is_ordered(values) else np.partition(values, (lower, upper))
    low, high = float(ordered[lower]), float(ordered[upper])
    if low == high:
        return low
    return math.nan if low == -math.inf and high == math.inf else low / 2 + high / 2


@lru_cache(maxsize=4096)
def interval_ranks(n: int, q: float, level: float = LEVEL) -> tuple[int, int] | None:
    """Ranks (l, u), from 1, such that P(x₍l₎ ≤ q-quantile ≤ x₍u₎) ≥ ``level``; None: n too small.

    The number of values below the quantile is binomial(n, q), so the coverage is
    P(l ≤ B ≤ u − 1) whatever the distribution. Tails of equal probability where n allows it;
    else the interval reaches the outermost value on the side of the quantile and spends the
    rest of the error on the other side, which makes p90 known from n = 29 and p99 from n = 299.
    """
    if n < 1:
        return None
    tail = (1 - level) / 2
    low, high = int(binom.ppf(tail, n, q)), int(binom.ppf(1 - tail, n, q)) + 1
    if low >= 1 and high <= n:
        return low, high
    return _outermost(n, q, level)


def _outermost(n: int, q: float, level: float) -> tuple[int, int] | None:
    if q < 0.5:
        mirrored = _outermost(n, 1 - q, level)
        return None if mirrored is None else (n + 1 - mirrored[1], n + 1 - mirrored[0])
    spare = 1 - level - q**n
    if spare < 0:
        return None
    low = int(binom.ppf(spare, n, q))
    low = low + 1 if binom.cdf(low, n, q) <= spare else low
    return (low, n) if low >= 1 else None


@lru_cache(maxsize=256)
def smallest_n(q: float, level: float = LEVEL) -> int:
    """The fewest values from which order statistics bound the q-quantile at ``level``."""
    n = max(1, math.floor(math.log(1 - level) / math.log(max(q, 1 - q))))
    while interval_ranks(n, q, level) is None:
        n += 1
    return n


def in_order(values: Values) -> Values:
    """``values`` from the lowest on: themselves, where they are so already."""
    return values if _is_ordered(values) else np.sort(values)


def _is_ordered(values: Values) -> bool:
    return len(values) < 2 or bool((values[:-1] <= values[1:]).all())


def estimate(values: Values, q: float, level: float = LEVEL) -> Estimate:
    """The q-quantile of ``values`` in ms, shape (n,), failures as ±∞, with its interval.

    All None, with a note, when n is too small for the interval: a quantile that cannot be bounded
    is not reported.
    """
    ranks = interval_ranks(len(values), q, level)
    if ranks is None:
        return Estimate(None, None, None, _too_small(len(values), q, level))
    ordered = in_order(values)
    value = quantile(ordered, q)
    low, high = float(ordered[ranks[0] - 1]), float(ordered[ranks[1] - 1])
    if math.isnan(value):
        return Estimate(None, low, high, "as many failures on one side as on the other")
    return Estimate(value, low, high, _note(value, high))


def _too_small(n: int, q: float, level: float) -> str:
    return "no data" if n == 0 else f"n too small: {n} of {smallest_n(q, level)}"


def _note(value: float, high: float) -> str:
    if value == math.inf:
        return TIMEOUT_NOTE
    return "upper end > timeout" if high == math.inf else ""
