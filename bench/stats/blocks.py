"""By what factor the tail of one set of latencies is slower: a bootstrap over blocks of rounds.

Requests of neighbouring rounds are alike (drift, spells of spillover), so whole blocks are drawn,
and where both variants were asked in the same rounds, the same blocks for both.

Sources: H. R. Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals
of Statistics 17 (1989); B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), §13
for the percentile interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from bench.stats.quantiles import Values, quantile
from bench.stats.shift import ALPHA, TINY, Z_ALPHA, Shift, logs

Floats = npt.NDArray[np.float32]

ROUNDS = 10
"""Rounds in a block (reference, mode A)."""

REPLICATES = 2000
_SEED = 20260314


@dataclass(frozen=True, slots=True)
class Side:
    """The requests of one variant: ``ms``, +inf for failures, NaN for "no value", and which block
    each was sent in, both of shape (n,). Blocks are numbered from 0."""

    ms: Values
    block: npt.NDArray[np.int64]

    @property
    def n(self) -> int:
        """Requests, those without a value among them."""
        return len(self.ms)

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return int(np.isinf(self.ms).sum())

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return int(self.block.max()) + 1 if len(self.block) else 0

    @property
    def known(self) -> Values:
        """Those with a value, failures among them."""
        return self.ms[~np.isnan(self.ms)]


def aligned(a: Side, b: Side) -> tuple[Side, Side]:
    """Both sides with the median of each block, of both together, divided out.

    What drifts over blocks then no longer stands in the spread of either, and a shift between them
    is seen from fewer requests. Source: J. L. Hodges and E. L. Lehmann, Rank Methods for
    Combination of Independent Experiments, Annals of Mathematical Statistics 33 (1962).
    """
    ms, block = np.concatenate([a.ms, b.ms]), np.concatenate([a.block, b.block])
    level = _medians(ms[np.isfinite(ms)], block[np.isfinite(ms)], max(a.blocks, b.blocks))
    return replace(a, ms=a.ms / level[a.block]), replace(b, ms=b.ms / level[b.block])


def _medians(ms: Values, block: npt.NDArray[np.int64], blocks: int) -> Values:
    """The median of each block, 1 where it has no value or none above nought."""
    ordered = ms[np.lexsort((ms, block))]
    size = np.bincount(block, minlength=blocks)
    begin = size.cumsum() - size
    middle = np.zeros(blocks)
    some = size > 0
    for place in ((size - 1) // 2, size // 2):
        middle[some] += ordered[(begin + place)[some]] / 2
    return np.where(middle > 0, middle, 1.0)


def tail_shift(a: Side, b: Side, q: float, together: bool, margin: float = 0.0) -> Shift:
    """The shift of the q-quantile (q > .5) by the percentile interval; seeds are fixed.

    ``together``: both sides' blocks are the same rounds and are drawn alike. The point estimate is
    exact. Few blocks make replicates too sure of the lower end, so it lies at least half the
    interval's width below the estimate, and ``p`` takes the shift for normal with that width.
    """
    ours = _weights(max(a.blocks, b.blocks) if together else a.blocks, 0)
    theirs = ours if together else _weights(b.blocks, 1)
    drawn = np.sort(_difference(_tail(a, q, ours), _tail(b, q, theirs)))
    low, high = (float(drawn[round(share * (REPLICATES - 1))]) for share in (ALPHA, 1 - ALPHA))
    value = float(_difference(np.array(quantile(a.known, q)), np.array(quantile(b.known, q))))
    if not math.isfinite(high - low):
        within = int(np.searchsorted(drawn, margin, side="right"))
        return Shift(value, low, high, (1 + within) / (1 + REPLICATES), math.inf)
    error = max((high - low) / (2 * Z_ALPHA), TINY)
    p = float(ndtr((margin - value) / error))
    return Shift(value, min(low, value - Z_ALPHA * error), high, p, error)


def _difference(a: Values, b: Values) -> Values:
    """log b − log a; where both are among the failures there is none."""
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(logs(b) - logs(a), posinf=np.inf, neginf=-np.inf)
    return np.asarray(apart, dtype=np.float64)


@lru_cache(maxsize=16)
def _weights(blocks: int, stream: int) -> Floats:
    """How often each block is drawn in each replicate, shape (replicates, blocks)."""
    rng = np.random.default_rng((_SEED, stream, blocks))
    counts = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=REPLICATES)
    return np.asarray(counts, dtype=np.float32)


def _tail(side: Side, q: float, weights: Floats) -> Values:
    """The q-quantile of each replicate, shape (replicates,), from the top value down.

    ``above`` counts, for each of the top values, what is drawn of it and of those above. Only the
    upper part is looked at: so much that no replicate in practice reaches below it, and where one
    does, the lowest value looked at stands in.
    """
    known = ~np.isnan(side.ms)
    ms, block = side.ms[known], side.block[known]
    drawn = weights @ np.bincount(block, minlength=weights.shape[1]).astype(np.float32)
    top = np.argsort(-ms, kind="stable")[: max(10, math.ceil(4 * (1 - q) * len(ms)))]
    standing = block[top][:, None] == np.arange(weights.shape[1])
    above = weights @ standing.cumsum(axis=0, dtype=np.float32).T
    place = (above < (1 - q) * drawn[:, None] * (1 - TINY)).sum(axis=1)
    return np.asarray(ms[top][np.minimum(place, len(top) - 1)], dtype=np.float64)
