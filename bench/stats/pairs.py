"""Differences between endpoints, request by request of the same round.

What drifts drifts for all requests of a round alike, so it falls out of the difference of two of
them; that is why a round asks every endpoint once (reference: "The design beats the estimator").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.stats.metrics import latency_ms
from bench.stats.quantiles import LEVEL, Estimate, Values, estimate
from bench.stats.rates import fails_more, fails_often, rate
from bench.stats.strata import Stratum


@dataclass(frozen=True, slots=True)
class Percent:
    """As `Estimate`, in percent of the baseline."""

    value_percent: float | None
    low_percent: float | None
    high_percent: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much longer ``endpoint`` takes than ``baseline`` in the median round of a stratum.

    Negative is faster. ``n_pairs`` rounds have both; in ``n_both_failed`` more both failed, which
    says nothing about either. ``level`` is the confidence of the intervals. ``endpoint_fails``:
    more than a tenth of its requests, or significantly more of them than the baseline.
    """

    stratum: Stratum
    endpoint: str
    baseline: str
    n_pairs: int
    n_both_failed: int
    ms: Estimate
    percent: Percent
    level: float = LEVEL
    endpoint_fails: bool = False

    @property
    def direction(self) -> int:
        """-1: faster, 1: slower, 0: not known; what fails too often is never faster."""
        low, high = self.ms.low_ms, self.ms.high_ms
        if low is None or high is None:
            return 0
        return 1 if low > 0 else -1 if high < 0 and not self.endpoint_fails else 0


def table(df: pd.DataFrame, stratum: Stratum) -> pd.DataFrame:
    """Rounds × endpoints in ms: the stratum's main metric, +inf for failures, NaN for none."""
    flat = pd.DataFrame(
        {
            "run_id": df["run_id"].astype("string").fillna(""),
            "round": df["round"],
            "endpoint": df["endpoint"].astype("string"),
            "ms": latency_ms(df, stratum.metric),
        }
    ).dropna(subset=["round", "ms"])
    once = flat.drop_duplicates(["run_id", "round", "endpoint"])
    return once.pivot(index=["run_id", "round"], columns="endpoint", values="ms")


def paired(
    rounds: pd.DataFrame, stratum: Stratum, endpoint: str, baseline: str, level: float = LEVEL
) -> Difference:
    """The difference of two columns of `table`; an endpoint without rows has no pairs."""
    ours, theirs = _column(rounds, endpoint), _column(rounds, baseline)
    complete = ~(np.isnan(ours) | np.isnan(theirs))
    both = complete & np.isinf(ours) & np.isinf(theirs)
    a, b = ours[complete & ~both], theirs[complete & ~both]
    return Difference(
        stratum,
        endpoint,
        baseline,
        len(a),
        int(both.sum()),
        _explained(estimate(a - b, 0.5, level)),
        _percent(estimate(_relative(a, b), 0.5, level)),
        level,
        _fails(ours, theirs),
    )


def _fails(ours: Values, theirs: Values) -> bool:
    one, other = (rate(int(np.isinf(x).sum()), int((~np.isnan(x)).sum())) for x in (ours, theirs))
    return fails_often(one) or fails_more(one, other)


def differences_ms(rounds: pd.DataFrame, endpoint: str, baseline: str) -> Values:
    """endpoint − baseline of each round in ms, shape (pairs,); ±inf where one of them failed."""
    ours, theirs = _column(rounds, endpoint), _column(rounds, baseline)
    some = ~(np.isnan(ours) | np.isnan(theirs)) & ~(np.isinf(ours) & np.isinf(theirs))
    return np.asarray(ours[some] - theirs[some], dtype=np.float64)


def _column(rounds: pd.DataFrame, endpoint: str) -> Values:
    if endpoint not in rounds.columns:
        return np.full(len(rounds), np.nan)
    return rounds[endpoint].to_numpy(dtype=np.float64)


def _relative(ours: Values, theirs: Values) -> Values:
    """Ours as percent above theirs; -inf where they failed, +inf where we did."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (ours / theirs - 1) * 100
    ratio = np.where(np.isinf(theirs), -np.inf, ratio)
    return np.where(
        np.isinf(ours), np.inf, np.nan_to_num(ratio, nan=0.0, posinf=np.inf, neginf=-np.inf)
    )


def _explained(found: Estimate) -> Estimate:
    """With the note of a difference: what ±∞ means there is that one of the two failed."""
    return Estimate(found.value_ms, found.low_ms, found.high_ms, _note(found))


def _percent(found: Estimate) -> Percent:
    return Percent(found.value_ms, found.low_ms, found.high_ms, _note(found))


def _note(found: Estimate) -> str:
    if found.value_ms is None:
        return found.note
    if math.isinf(found.value_ms):
        return "fails in most rounds" if found.value_ms > 0 else "baseline fails in most rounds"
    ends = [end for end in (found.low_ms, found.high_ms) if end is not None and math.isinf(end)]
    return "interval reaches into the failures" if ends else ""
