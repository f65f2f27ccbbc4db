"""The race with a proof: an error rate that holds at every round, whatever the distributions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaln

from bench.stats.quantiles import Values
from bench.stats.race_scores import Look, Margin, race_order, robust_scores, settle

Counts = npt.NDArray[np.int64]

WEIGHT = 8.0
"""The mixture is Beta(8, 8) above one half: most of its mass lies where races are, p = .55–.75."""


def judge_strict(logs: Values, margin: Margin) -> Look:
    """Risk as anytime-valid p-value of "this endpoint is faster than the leader by the margin".

    Claim. Let b be the best endpoint, K their number, and let the race name the leader ℓ once the
    p-value of every other endpoint against ℓ is at most α/(K − 1). The chance that the race ever
    names an endpoint that is worse than b by more than the margin is at most α.

    Proof. Let ℓ be worse than b by more than the margin, in the sense that in a round in which both
    are asked, given all rounds before, P(max(x_b(1 + w), x_b + w_ms) > x_ℓ) ≤ 1/2. Count n such
    rounds and in S of them the event (rounds with equal values, as when both failed, are left out).
    For p > 1/2 the factor (2p)^X (2(1 − p))^(1 − X) has conditional expectation at most 1, so its
    product is a nonnegative supermartingale, and so is its mixture over p with a Beta(a, a) density
    cut to p > 1/2,

        M = 2ⁿ · 2 B(S + a, n − S + a)/B(a, a) · (1 − I½(S + a, n − S + a)).

    By Ville's inequality P(some n: M ≥ (K − 1)/α) ≤ α/(K − 1). The race errs only where this
    happens for b against some of the at most K − 1 such ℓ: together at most α. Whom to ask next is
    decided from rounds that are over, which the condition allows. ∎

    Sources: J. Ville, Étude critique de la notion de collectif (1939); H. Robbins, Statistical
    methods related to the law of the iterated logarithm, Annals of Mathematical Statistics 41
    (1970); S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform, nonparametric,
    nonasymptotic confidence sequences, Annals of Statistics 49 (2021).
    """
    scores, places = robust_scores(logs)
    leader, behind, error, pairs = race_order(scores, places)
    risk = p_values(np.exp(logs), leader, margin)
    return Look(leader, behind, error, settle(risk, leader, pairs))


def p_values(ms: Values, leader: int, margin: Margin) -> Values:
    """1/M of each column of ``ms``, shape (rounds, endpoints), against column ``leader``."""
    theirs = ms[:, [leader]]
    handicapped = np.maximum(ms * (1 + margin.within), ms + margin.within_ms)
    counted = ~np.isnan(ms - theirs) & (ms != theirs) & (handicapped != theirs)
    slower = counted & (handicapped > theirs)
    return mixture_p(slower.sum(axis=0), counted.sum(axis=0))


def mixture_p(slower: Counts, rounds: Counts) -> Values:
    """min(1, 1/M) for S = ``slower`` of n = ``rounds``."""
    a, b = slower + WEIGHT, rounds - slower + WEIGHT
    above = np.maximum(betainc(b, a, 0.5), np.finfo(np.float64).tiny)  # 1 − I½(a, b), exactly
    log_m = (rounds + 1) * np.log(2) + betaln(a, b) - betaln(WEIGHT, WEIGHT) + np.log(above)
    return np.asarray(np.exp(-np.maximum(log_m, 0.0)), dtype=np.float64)
