"""Where a series took another level: a slow second line, for pictures. Never a gate.

Source: R. Killick, P. Fearnhead and I. A. Eckley, Optimal Detection of Changepoints With a Linear
Computational Cost, JASA 107 (2012), as in the library ruptures, which the extra ``history`` brings;
its linear kernel is the squared error, in C.
"""

from __future__ import annotations

import math
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from bench.stats.quantiles import Values

FEWEST = 10
"""A shorter series has no level to leave."""

SHORTEST = 3
"""Batches that a level lasts: one odd day is none."""

SMALLEST = math.log(1.05)
"""The smallest change of level that matters, as everywhere."""

_PENALTY = 4.0
_QUIET = 0.01


def available() -> bool:
    """Whether the library is installed."""
    return find_spec("ruptures") is not None


def change_points(levels: Values) -> list[int]:
    """The positions at which another level begins, of logs of a latency, shape (n,), all finite.

    Empty for fewer than `FEWEST` values, and where the library is missing. The penalty is
    4 σ² log n, σ from the median difference of neighbours, which a step hardly moves: of 600 series
    of 30 without a change, 5 % between neighbours, 1.8 % show one; +25 % is found in 99.7 %.
    """
    if len(levels) < FEWEST or not available():
        return []
    steps = np.abs(np.diff(levels))
    sigma = max(float(np.median(steps)) / (0.6745 * math.sqrt(2)), _QUIET)
    search = import_module("ruptures").KernelCPD(kernel="linear", min_size=SHORTEST)
    ends = search.fit(levels.reshape(-1, 1)).predict(
        pen=_PENALTY * sigma**2 * math.log(len(levels))
    )
    return _large(levels, [int(end) for end in ends[:-1]])


def _large(levels: Values, found: list[int]) -> list[int]:
    """Those between levels that differ by enough, the smallest left out first."""
    while found:
        edges = [0, *found, len(levels)]
        middles = [float(np.median(levels[a:b])) for a, b in pairwise(edges)]
        sizes = [abs(b - a) for a, b in pairwise(middles)]
        if min(sizes) >= SMALLEST:
            return found
        found = [place for i, place in enumerate(found) if i != sizes.index(min(sizes))]
    return found
