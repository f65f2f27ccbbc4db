"""By what factor the tail of one set of latencies is slower: a bootstrap over blocks of rounds.

Requests of neighbouring rounds are alike (drift, spells of spillover), so whole blocks are drawn,
and where both variants were asked in the same rounds, the same blocks for both.

Sources: H. R. Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals
of Statistics 17 (1989); B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), §13
for the percentile interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bench.stats.quantiles import Values, quantile
from bench.stats.shift import ALPHA, Shift

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


def tail_shift(a: Side, b: Side, q: float, together: bool, margin: float = 0.0) -> Shift:
    """The shift of the q-quantile (q > .5) with its percentile interval; seeds are fixed.

    ``together``: both sides' blocks are the same rounds and are drawn alike. The point estimate is
    exact; ``p`` is the share of replicates, one added, whose shift is within the margin.
    """
    blocks = max(a.blocks, b.blocks) if together else a.blocks
    ours = _weights(blocks, 0)
    theirs = ours if together else _weights(b.blocks, 1)
    drawn = np.sort(_difference(_tail(a, q, ours), _tail(b, q, theirs)))
    last = REPLICATES - 1
    low, high = (float(drawn[round(share * last)]) for share in (ALPHA, 1 - ALPHA))
    within = int(np.searchsorted(drawn, margin, side="right"))
    value = _difference(np.array(quantile(a.known, q)), np.array(quantile(b.known, q)))
    return Shift(float(value), low, high, (1 + within) / (1 + REPLICATES))


def _difference(a: Values, b: Values) -> Values:
    """log b − log a; where both are among the failures there is none."""
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.log(b) - np.log(a), posinf=np.inf, neginf=-np.inf)
    return np.asarray(apart, dtype=np.float64)


@lru_cache(maxsize=16)
def _weights(blocks: int, stream: int) -> Values:
    """How often each block is drawn in each replicate, shape (blocks, replicates)."""
    rng = np.random.default_rng((_SEED, stream, blocks))
    counts = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=REPLICATES)
    return np.ascontiguousarray(counts.T, dtype=np.float64)


def _tail(side: Side, q: float, weights: Values) -> Values:
    """The q-quantile of each replicate, shape (replicates,), from the top value down.

    Only the upper part is summed: so much that no replicate in practice reaches below it, and where
    one does, the lowest value looked at stands in.
    """
    known = ~np.isnan(side.ms)
    ms, block = side.ms[known], side.block[known]
    total = np.bincount(block, minlength=len(weights)).astype(np.float64) @ weights
    top = np.argsort(-ms, kind="stable")[: max(10, math.ceil(4 * (1 - q) * len(ms)))]
    above = np.cumsum(weights[block[top]], axis=0)
    place = (above <= (1 - q) * total - 1e-9).sum(axis=0)
    return np.asarray(ms[top][np.minimum(place, len(top) - 1)], dtype=np.float64)
