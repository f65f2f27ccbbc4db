"""The race for a quantile in the tail: by resampling rounds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.stats.quantiles import Values
from bench.stats.race_scores import FEWEST, Look, Margin, settle

QUANTILE = 0.9
REPLICATES = 1000
_SEED = 20260314


def judge_tail(logs: Values, margin: Margin) -> Look:
    """Risk as the share of bootstrap samples in which an endpoint's p90 beats the leader's by μ.

    Whole rounds are drawn, so that what a round does to all stays together. Each sample weighs
    round r by its own Poisson(1) variable (D. B. Rubin, The Bayesian bootstrap, Annals of
    Statistics 9 (1981), has exponential weights; N. Oza and S. Russell, Online bagging, AISTATS
    (2001), Poisson); fixed seeds, so that equal rounds give equal verdicts.
    """
    weights = _weights(-(-len(logs) // 64) * 64)[: len(logs)]
    samples = np.stack([_tail(column, weights) for column in logs.T])
    places = np.array([_quantile(column) for column in logs.T])
    leader = int(np.nanargmin(places)) if not np.isnan(places).all() else 0
    mu = margin.log(float(np.exp(places[leader])))
    ahead = samples < samples[leader] - mu
    error = np.sqrt(((samples - samples[leader] - (places - places[leader])[:, None]) ** 2).mean(1))
    pairs = (~np.isnan(logs + logs[:, [leader]])).sum(axis=0).astype(np.float64)
    risk = settle(ahead.mean(axis=1), leader, np.where(np.isnan(places), 0.0, pairs))
    behind = np.where(pairs < FEWEST, np.nan, places - places[leader])
    return Look(leader, behind, np.maximum(error, 1e-9), risk)


@lru_cache(maxsize=8)
def _weights(rounds: int) -> Values:
    """Shape (rounds, replicates). Longer arrays begin with the shorter ones."""
    rng = np.random.default_rng(_SEED)
    return rng.poisson(1.0, (rounds, REPLICATES)).astype(np.float64)


def _tail(column: Values, weights: Values) -> Values:
    """The weighted p90 of one column in each replicate: from the top down, a tenth of the weight.

    Only the upper part is summed; no sample has nine tenths of its weight below it in practice, and
    where it has, the lowest value looked at stands in.
    """
    known = np.flatnonzero(~np.isnan(column))
    if not len(known):
        return np.full(weights.shape[1], np.inf)
    order = known[np.argsort(-column[known], kind="stable")]
    top = order[: max(4, round(0.3 * len(order)))]
    total = weights[known].sum(axis=0)
    above = np.cumsum(weights[top], axis=0)
    place = (above <= (1 - QUANTILE) * total).sum(axis=0)
    return np.asarray(column[top][np.minimum(place, len(top) - 1)], dtype=np.float64)


def _quantile(column: Values) -> float:
    known = column[~np.isnan(column)]
    return float(np.quantile(known, QUANTILE)) if len(known) else float("nan")
