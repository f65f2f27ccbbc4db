"""The middle of paired differences: Hodges and Lehmann's estimate, with the signed-rank interval.

Both are ranks of the n(n + 1)/2 Walsh averages (dᵢ + dⱼ)/2, i ≤ j. A third fewer requests than the
median of differences needs for the same interval, and still no third of them can carry it away.
Assumes that the differences lie evenly around their middle, as those of two endpoints do that
differ by a factor, since they then trade places by chance.

Sources: J. L. Hodges and E. L. Lehmann, Estimates of Location Based on Rank Tests, Annals of
Mathematical Statistics 34 (1963); M. Hollander, D. A. Wolfe and E. Chicken, Nonparametric
Statistical Methods, 3rd ed. (2014), §§ 3.2, 3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from bench.stats.quantiles import LEVEL, Values

FAR = 1e6
"""Stands for a difference of ±∞, so that one of each sign cancel to nought."""

EXACT = 40
"""Pairs up to which the null distribution is counted out instead of taken as normal."""

_HALVINGS = 80


@dataclass(frozen=True, slots=True)
class Middle:
    """The estimate and its interval, in the unit of the differences; ±inf: among the failures.

    All None when there are too few differences for an interval at the level.
    """

    value: float | None
    low: float | None
    high: float | None


def middle(differences: Values, level: float = LEVEL, stretch: float = 1.0) -> Middle:
    """Of paired ``differences``, shape (n,), which may hold ±inf but no NaN.

    ``stretch`` is n over the effective number of pairs (`bench.stats.memory`): the variance grows
    by it, and the interval by its root.
    """
    cut = cut_off(len(differences), level)
    averages = len(differences) * (len(differences) + 1) // 2
    rank = averages / 2 - (averages / 2 - cut) * math.sqrt(max(1.0, stretch))
    if cut < 1 or rank < 1:
        return Middle(None, None, None)
    ordered = np.sort(np.clip(differences, -FAR, FAR))
    low, high = math.floor(rank), averages + 1 - math.floor(rank)
    lower, upper = (averages + 1) // 2, averages // 2 + 1
    value = (_average(ordered, lower) + _average(ordered, upper)) / 2
    return Middle(*(_far(x) for x in (value, _average(ordered, low), _average(ordered, high))))


def _far(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) > FAR / 4 else value


def _average(ordered: Values, rank: int) -> float:
    """The Walsh average of that rank, from 1: by halving, as there are too many to list them."""
    low, high = float(ordered[0]), float(ordered[-1])
    for _ in range(_HALVINGS):
        at = low / 2 + high / 2
        if _at_most(ordered, at) >= rank:
            high = at
        else:
            low = at
    return high


def _at_most(ordered: Values, value: float) -> int:
    """How many Walsh averages are no larger than ``value``."""
    both_orders = int(np.searchsorted(ordered, 2 * value - ordered, side="right").sum())
    alone = int(np.searchsorted(ordered, value, side="right"))
    return (both_orders + alone) // 2


@lru_cache(maxsize=1024)
def cut_off(n: int, level: float) -> int:
    """The rank of the interval's lower end among n(n + 1)/2 averages; 0: n is too small.

    It is the largest c with P(T < c) ≤ (1 − level)/2 for the signed-rank statistic T.
    """
    tail = (1 - level) / 2
    if n > EXACT:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(0, math.floor(n * (n + 1) / 4 + float(ndtri(tail)) * spread))
    below = np.cumsum(_signed_rank(n))
    return int(np.searchsorted(below, tail, side="right"))


def _signed_rank(n: int) -> Values:
    """P(T = t) for t = 0 … n(n + 1)/2: every rank is positive with chance one half."""
    chances = np.ones(1)
    for rank in range(1, n + 1):
        step = np.zeros(rank + 1)
        step[[0, rank]] = 0.5
        chances = np.convolve(chances, step)
    return chances
