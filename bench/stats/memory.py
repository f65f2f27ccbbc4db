"""How much requests resemble those just before them, and how many independent ones they are worth.

Queues, spillover and drift last longer than one request, so 300 in a row can know as little as 60
that were asked far apart; an interval that takes them for 300 is too narrow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import fft

from bench.stats.quantiles import Values

FEWEST = 20
"""Values below which a memory cannot be told from chance."""

EXACT = 50_000
"""Values up to which each has a rank of its own. Of more, those of one of 65 536 equal classes
between their extremes share their middle rank: sorting them would take most of the time."""

_CLASSES = 1 << 16


def effective_n(values: Values) -> float:
    """How many independent values ``values``, shape (n,), in order of time, are worth: 1 … n.

    n / (1 + 2 Σ ρ), over the autocorrelations of their ranks (a failure, +inf, is the slowest) as
    long as sums of neighbouring ones stay positive and fall. NaN are left out. Up to 19 values are
    taken for independent.

    Source: C. J. Geyer, Practical Markov Chain Monte Carlo, Statistical Science 7 (1992), § 3.3,
    the initial monotone sequence.
    """
    known = values[~np.isnan(values)]
    n = len(known)
    if n < FEWEST or np.all(known == known[0]):
        return float(n)
    pairs = _initial_sums(_ranks(known))
    return float(np.clip(n / (2 * pairs.sum() - 1), 1.0, n))


def _ranks(values: Values) -> Values:
    if len(values) <= EXACT:
        return np.asarray(pd.Series(values).rank(), dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    width = (high - low) / _CLASSES or 1.0
    # The outermost classes are those of -inf and +inf
    classes = (np.clip((values - low) / width, -1, _CLASSES) + 1).astype(np.int64)
    classes[values == high] = _CLASSES  # its own upper edge is not a failure
    counts = np.bincount(classes, minlength=_CLASSES + 2)
    middle = np.cumsum(counts) - counts / 2 + 0.5
    return np.asarray(middle[classes], dtype=np.float64)


def _initial_sums(ranks: Values) -> Values:
    """ρ₂ₖ + ρ₂ₖ₊₁ while positive, never rising; the first holds lag 0.

    Of many values first the lags up to an eighth of them, which takes half the time and nearly
    always holds the end.
    """
    n = len(ranks)
    for lags in (n // 8, n) if n > EXACT else (n,):
        sums = _autocorrelation(ranks, lags)[: lags // 2 * 2].reshape(-1, 2).sum(axis=1)
        negative = np.flatnonzero(sums <= 0)
        if len(negative):
            sums = sums[: negative[0]]
            break
    return np.minimum.accumulate(sums) if len(sums) else np.array([1.0])


def _autocorrelation(ranks: Values, lags: int) -> Values:
    """ρ at lags 0 … ``lags`` − 1, by the discrete Fourier transform: with as many noughts behind
    the values as lags, so that none meets the beginning again."""
    size = fft.next_fast_len(len(ranks) + lags, real=True)
    spectrum = fft.rfft(ranks - ranks.mean(), size)
    covariance = fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:lags]
    return np.asarray(covariance / covariance[0], dtype=np.float64)
