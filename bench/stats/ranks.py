"""Which places an endpoint can have: a ranking that says how far it may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.stats.pairs import Difference, Paired
from bench.stats.quantiles import LEVEL
from bench.stats.strata import Stratum


@dataclass(frozen=True, slots=True)
class Rank:
    """The places, from 1 for the fastest, that ``endpoint`` may have within its stratum.

    All places of a stratum hold together at ``level``.
    """

    stratum: Stratum
    endpoint: str
    best: int
    worst: int
    level: float = LEVEL


def ranks(paired: Paired, stratum: Stratum, names: Sequence[str]) -> tuple[Rank, ...]:
    """The places of ``names``, columns of `bench.stats.pairs.table`, fastest first.

    One is behind all that every two-sided comparison, each at 1 − 0.05 / number of pairs, shows to
    be faster than it, and ahead of all that are shown to be slower.

    Source: M. Mogstad, J. Romano, A. Shaikh and D. Wilhelm, Inference for Ranks, Review of Economic
    Studies 91 (2024), § 3, with Bonferroni's correction.
    """
    pairs = list(combinations(names, 2))
    level = 1 - (1 - LEVEL) / max(1, len(pairs))
    found = [paired(slower, faster, level) for faster, slower in pairs]
    places = [_place(stratum, name, len(names), found) for name in names]
    return tuple(sorted(places, key=lambda rank: (rank.best + rank.worst, rank.best)))


def _place(stratum: Stratum, name: str, of: int, found: Sequence[Difference]) -> Rank:
    signs = [d.sign if d.endpoint == name else -d.sign for d in found if name in _both(d)]
    return Rank(stratum, name, 1 + signs.count(1), of - signs.count(-1))


def _both(difference: Difference) -> tuple[str, str]:
    return difference.endpoint, difference.baseline
