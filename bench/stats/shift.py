"""By what factor one set of latencies is slower than another, in ranks alone.

Failures are +∞ and rank above everything, so that failing can never look like speed.

Sources: J. L. Hodges and E. L. Lehmann, Estimates of Location Based on Rank Tests, Annals of
Mathematical Statistics 34 (1963); M. Hollander, D. A. Wolfe and E. Chicken, Nonparametric
Statistical Methods, 3rd ed. (2014), §4.2–4.3, for test and interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bench.stats.quantiles import Values

ALPHA = 0.01
"""One-sided, of every cell (reference, mode A)."""

Z_ALPHA, Z_POWER = 2.3263478740408408, 0.8416212335729143
"""Normal quantiles of .99 and .80: an effect of (Z_ALPHA + Z_POWER) · SE is found with 80 %."""

TINY = 1e-6
_LARGEST = 2000


@dataclass(frozen=True, slots=True)
class Shift:
    """log(b / a) with its bounds, each at one-sided 99 %; +inf: b fails where a does not.

    ``p`` is one-sided, of "no more than the margin that was asked for". ``error`` is the standard
    error in logs, inf where an end of the interval lies among the failures.
    """

    value: float
    low: float
    high: float
    p: float
    error: float


def hodges_lehmann(a: Values, b: Values, margin: float = 0.0, aligned: int = 0) -> Shift:
    """The median of all log b − log a, shapes (n,) and (m,) in ms, +inf for failures, n and m ≥ 1.

    The interval inverts the Mann-Whitney test in its normal approximation, good from 20 a side:
    its ends are the differences of rank nm/2 ∓ z · √(nm(n + m + 1) / 12). No correction for ties,
    which errs towards "no difference". ``margin`` moves the hypothesis tested, not the interval.
    ``aligned``: of how many blocks the medians were divided out before, which leaves the values so
    much less free.
    """
    x, y = np.sort(logs(a)), np.sort(logs(b))
    pairs, total = len(x) * len(y), len(x) + len(y)
    spread = math.sqrt(pairs * (total + 1) / 12 * total / (total - aligned))
    share = Z_ALPHA * spread / pairs
    low, value, high = _ranked(_thinned(x), _thinned(y), (0.5 - share, 0.5, 0.5 + share))
    wins = _wins(x, y - margin)
    p = float(ndtr((pairs / 2 + 0.5 - wins) / spread))
    return Shift(value, low, high, p, (high - low) / (2 * Z_ALPHA))


def logs(values: Values) -> Values:
    """Of times in ms; a time of nought, which no clock here can tell from 1 ns, is that."""
    return np.asarray(np.log(np.maximum(values, TINY)), dtype=np.float64)


def _wins(x: Values, y: Values) -> float:
    """In how many pairs y is the slower one; ties count half."""
    below = np.searchsorted(x, y, side="left").sum()
    return float(below + np.searchsorted(x, y, side="right").sum()) / 2


def _ranked(x: Values, y: Values, shares: tuple[float, ...]) -> list[float]:
    """The differences y − x that stand at ``shares`` of all, from below; ∞ − ∞ is none."""
    with np.errstate(invalid="ignore"):
        differences = np.nan_to_num(np.subtract.outer(y, x).ravel(), posinf=np.inf, neginf=-np.inf)
    last = len(differences) - 1
    places = [min(max(math.ceil(share * len(differences)) - 1, 0), last) for share in shares]
    differences.partition(places)
    return [float(differences[place]) for place in places]


def _thinned(ordered: Values) -> Values:
    """At most 2,000 evenly spaced order statistics: four million differences are precise enough."""
    if len(ordered) <= _LARGEST:
        return ordered
    places = (np.arange(_LARGEST) + 0.5) * len(ordered) / _LARGEST
    return ordered[places.astype(np.int64)]
