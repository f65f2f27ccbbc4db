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
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy import fft
from scipy.special import ndtri

from bench.stats.quantiles import LEVEL, Values

FAR = 1e6
"""Stands for a difference of ±∞, so that one of each sign cancel to nought."""

EXACT = 40
"""Pairs up to which the null distribution is counted out instead of taken as normal."""

LISTED = 2_000
"""Pairs up to which ranks are found among the averages themselves. Of more, averages are counted in
131 072 equal classes and lie evenly within theirs; the error is less than the width of one, far
less than a hundredth of the interval."""

_CLASSES = 1 << 17
_PLACES = np.arange(1.0, 2 * _CLASSES + 1)
_HALVINGS = 80

Ranked = Callable[[int], float]


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
    return middle_at(ranked(differences), len(differences), level, stretch)


def middle_at(at: Ranked, n: int, level: float = LEVEL, stretch: float = 1.0) -> Middle:
    """As `middle`, of ``n`` differences that are `ranked`: for one who asks at several levels."""
    cut = cut_off(n, level)
    averages = n * (n + 1) // 2
    rank = averages / 2 - (averages / 2 - cut) * math.sqrt(max(1.0, stretch))
    if cut < 1 or rank < 1:
        return Middle(None, None, None)
    low, high = math.floor(rank), averages + 1 - math.floor(rank)
    lower, upper = (averages + 1) // 2, averages // 2 + 1
    return Middle(*(_far(x) for x in ((at(lower) + at(upper)) / 2, at(low), at(high))))


def ranked(differences: Values) -> Ranked:
    """The Walsh average of a rank, from 1, of differences as `middle` takes them."""
    if len(differences) <= LISTED:
        return partial(_average, np.sort(np.clip(differences, -FAR, FAR)))
    finite = np.isfinite(differences)
    if not finite.any() or not differences[finite].any():
        return partial(_average, np.sort(np.clip(differences, -FAR, FAR)))
    return _counted(differences)


def _counted(differences: Values) -> Ranked:
    """As `ranked`, by classes: how often each sum of two occurs is a convolution with itself."""
    finite = differences[np.isfinite(differences)]
    worst, best = (int((differences == end).sum()) for end in (math.inf, -math.inf))
    low, high = min(finite.min(), 0.0), max(finite.max(), 0.0)
    width = (high - low) / _CLASSES
    counts = _classified(finite, low, width)
    sums = fft.irfft(fft.rfft(counts, 2 * _CLASSES) ** 2, 2 * _CLASSES)
    sums[::2] += counts  # one with itself is an average too, and stands in the square once
    sums = np.clip(sums / 2, 0, None)
    sums[round(-2 * low / width) - 1] += worst * best  # of a failure on each side: nought
    below = best * (best + 1) // 2 + best * len(finite)
    up_to = below + np.cumsum(sums)

    def at(rank: int) -> float:
        if not below < rank <= up_to[-1] + 0.5:
            return math.copysign(math.inf, rank - below - 0.5)
        return float(low + width / 4 + width / 2 * np.interp(rank, up_to, _PLACES))

    return at


def _classified(finite: Values, low: float, width: float) -> Values:
    classes = np.minimum((finite - low) / width, _CLASSES - 1).astype(np.int64)
    return np.bincount(classes, minlength=_CLASSES).astype(np.float64)


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
