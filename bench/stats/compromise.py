"""One endpoint for all vantages, or one each: what is given up, and whether the rows can tell.

The cost of an endpoint at a vantage is by how much it is slower there than that vantage's fastest.

minimax   the endpoint whose largest cost is smallest
mean      the endpoint whose weighted mean cost is smallest

Each is named only when every other candidate was shown not to be better by more than a margin;
each claim by itself is wrong in at most a third of ``error``, and all together in at most that.

Why the chances stated bound the error: a wrong name needs that the truly best candidate looks worse
than it is, in one particular contrast of locations, whose p is Φ(−t). Which of the others is named,
and at which vantage the contrast is made, is chosen after looking; that is the factor (Bonferroni).
Who is fastest at that vantage is taken as seen. For all that has to hold at once (every vantage,
every rival of the name) the largest p decides, without a factor, because one of them alone is the
true one: an intersection-union test. Measured in tests/benchmarks/decisions.py, part vantages.

Sources: J. C. Hsu, Multiple Comparisons (1996), § 4, for comparisons with the best; R. L. Berger,
Multiparameter Hypothesis Testing and Acceptance Sampling, Technometrics 24 (1982), for the
intersection-union test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from bench.stats.race_scores import Flags
from bench.stats.sites import Site, Sum, combined

Rule = Literal["minimax", "mean"]
Kind = Literal["one", "each", "undecided"]
"""
one        the minimax endpoint is within the margin of the fastest at every vantage
each       every candidate is slower by more than the margin somewhere
undecided  the rows cannot tell
"""

CLAIMS = 3
"""The kind, the minimax and the mean compromise: each may err in a third of the error."""


@dataclass(frozen=True)
class Tour:
    """What is asked: ``sites`` in the order of ``weights``, shape (vantages,), which sum to 1.

    ``fit``, shape (vantages, endpoints), are those that may be fastest there, and ``answers`` those
    that were shown to answer; candidates are fit everywhere.
    """

    sites: Sequence[Site]
    weights: Sequence[float]
    fit: Flags
    answers: Flags
    margin_ms: float
    error: float = 0.05

    @property
    def candidates(self) -> list[int]:
        """The endpoints that every vantage can use."""
        return [int(k) for k in np.flatnonzero(self.fit.all(axis=0))]

    def rivals(self, at: int) -> list[int]:
        """The endpoints that one vantage can use."""
        return [int(k) for k in np.flatnonzero(self.fit[at])]

    def fastest(self, at: int) -> int:
        """That vantage's lowest location."""
        return min(self.rivals(at), key=lambda k: float(self.sites[at].ms[k]))

    def cost_ms(self, at: int, endpoint: int) -> float:
        """By how much it is slower there than the fastest."""
        ms = self.sites[at].ms
        return float(ms[endpoint] - ms[self.fastest(at)])


@dataclass(frozen=True, slots=True)
class Named:
    """``leader`` looks best; ``risks`` are, per other candidate, the corrected chance that it is
    better by more than the margin. ``wrong`` is the largest, 1 where the leader may not answer."""

    leader: int
    risks: dict[int, float]
    wrong: float


def by_mean(tour: Tour) -> Named:
    """The smallest weighted mean cost, which is the smallest weighted mean latency."""
    leader = min(tour.candidates, key=lambda k: _mean_ms(tour, k))
    others = [k for k in tour.candidates if k != leader]
    terms = {k: [(at, k, leader, w) for at, w in enumerate(tour.weights)] for k in others}
    lead = {k: _sum(tour, terms[k]) for k in others}
    return _named(tour, leader, {k: _p(lead[k], tour.margin_ms) for k in others}, len(others))


def by_minimax(tour: Tour) -> Named:
    """The smallest largest cost."""
    leader = min(tour.candidates, key=lambda k: max(_costs(tour, k)))
    others = [k for k in tour.candidates if k != leader]
    chosen = len(others) * len(tour.sites)
    return _named(tour, leader, {k: _may_be_better(tour, k, leader) for k in others}, chosen)


def kind_of(tour: Tour) -> tuple[Kind, float]:
    """One endpoint for all, one each, or undecided; and the chance of being wrong."""
    allowed = tour.error / CLAIMS
    leader = by_minimax(tour).leader
    if _answers(tour, leader):
        wrong = len(tour.candidates) * _costs_more(tour, leader)
        if wrong <= allowed:
            return "one", wrong
    pairs = sum(max(1, len(tour.rivals(at)) - 1) for at in range(len(tour.sites)))
    wrong = pairs * max(_costs_less(tour, k) for k in tour.candidates)
    return ("each", wrong) if wrong <= allowed else ("undecided", 1.0)


def _named(tour: Tour, leader: int, risks: dict[int, float], chosen: int) -> Named:
    corrected = {k: min(1.0, chosen * p) for k, p in risks.items()}
    wrong = max(corrected.values(), default=0.0)
    return Named(leader, corrected, wrong if _answers(tour, leader) else 1.0)


def _answers(tour: Tour, endpoint: int) -> bool:
    return bool(tour.answers[:, endpoint].all())


def _costs(tour: Tour, endpoint: int) -> list[float]:
    return [tour.cost_ms(at, endpoint) for at in range(len(tour.sites))]


def _mean_ms(tour: Tour, endpoint: int) -> float:
    return sum(w * float(s.ms[endpoint]) for s, w in zip(tour.sites, tour.weights, strict=True))


def _may_be_better(tour: Tour, rival: int, leader: int) -> float:
    """The p of: at no vantage does the rival cost what the leader's worst vantage costs it.

    The rival's largest cost is at least that at its seemingly worst vantage over the seemingly
    fastest there; the leader's is no more than that at any vantage over anyone.
    """
    costs = _costs(tour, rival)
    worst = costs.index(max(costs))
    base = (worst, rival, tour.fastest(worst), 1.0)
    return max(
        _p(_sum(tour, [base, (at, other, leader, 1.0)]), tour.margin_ms)
        for at, other in _rivals(tour)
    )


def _costs_more(tour: Tour, endpoint: int) -> float:
    """The p of: somewhere it costs more than the margin."""
    return max(
        _p(_sum(tour, [(at, other, endpoint, 1.0)]), tour.margin_ms) for at, other in _rivals(tour)
    )


def _costs_less(tour: Tour, endpoint: int) -> float:
    """The p of: nowhere does it cost more than the margin."""
    return min(
        _p(_sum(tour, [(at, endpoint, other, 1.0)]), -tour.margin_ms) for at, other in _rivals(tour)
    )


def _rivals(tour: Tour) -> Iterator[tuple[int, int]]:
    return ((at, k) for at in range(len(tour.sites)) for k in tour.rivals(at))


Term = tuple[int, int, int, float]
"""At a vantage, an endpoint less another, with a weight."""


def _sum(tour: Tour, terms: Sequence[Term]) -> Sum:
    """Terms of one vantage stand or fall together; vantages are independent."""
    found = []
    for at in dict.fromkeys(term[0] for term in terms):
        weights: dict[int, float] = {}
        for _, endpoint, other, weight in (term for term in terms if term[0] == at):
            weights[endpoint] = weights.get(endpoint, 0.0) + weight
            weights[other] = weights.get(other, 0.0) - weight
        found.append(combined(tour.sites[at], weights))
    return Sum(sum(one.ms for one in found), math.hypot(*(one.error for one in found)))


def _p(lead: Sum, margin_ms: float) -> float:
    """Φ(−(lead + margin) / error): what is unknown is 1, what is certain 0 or 1."""
    if math.isnan(lead.ms) or math.isinf(lead.error):
        return 1.0
    if lead.error == 0:
        return 0.0 if lead.ms + margin_ms > 0 else 1.0
    return float(ndtr(-(lead.ms + margin_ms) / lead.error))


def mean_cost(tour: Tour, endpoint: int) -> Sum:
    """The weighted mean of what it costs, over each vantage's seemingly fastest."""
    weights = enumerate(tour.weights)
    return _sum(tour, [(at, endpoint, tour.fastest(at), w) for at, w in weights])
