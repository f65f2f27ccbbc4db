"""Differences between endpoints, request by request of the same round.

What drifts drifts for all requests of a round alike, so it falls out of the difference of two of
them; that is why a round asks every endpoint once (reference: "The design beats the estimator").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.memory import effective_n
from bench.stats.metrics import Flags, coded, latency_ms
from bench.stats.quantiles import LEVEL, Estimate, Values, quantile, smallest_n
from bench.stats.rates import Rate, fails_more, fails_often, rate
from bench.stats.strata import Stratum
from bench.stats.walsh import Middle, Ranked, middle_at, ranked

ROUND = ("run_id", "round", "endpoint")
"""What says where in `table` a row has its place."""


@dataclass(frozen=True, slots=True)
class Percent:
    """As `Estimate`, in percent of the baseline."""

    value_percent: float | None
    low_percent: float | None
    high_percent: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much longer ``endpoint`` takes than ``baseline``, paired by round, in one stratum.

    ``percent`` is Hodges and Lehmann's estimate on differences of logs (`bench.stats.walsh`), and
    ``ms`` the same of the baseline's median. Negative is faster. ``n_pairs`` rounds have both, as
    good as ``n_effective`` independent ones, which the intervals take into account; in
    ``n_both_failed`` more both failed, which says nothing about either. ``level`` is the confidence
    of ``ms`` and ``percent``; they hold for the sittings measured, since endpoints drift apart in
    hours. ``faster`` is the chance that of two requests at one time the endpoint's ends first, at
    95 %. ``endpoint_fails``: more than a tenth of its requests, or significantly more of them than
    the baseline.
    """

    stratum: Stratum
    endpoint: str
    baseline: str
    n_pairs: int
    n_both_failed: int
    n_effective: float
    ms: Estimate
    percent: Percent
    faster: Percent
    level: float = LEVEL
    endpoint_fails: bool = False

    @property
    def sign(self) -> int:
        """-1: its answers come sooner, 1: later, 0: not known."""
        low, high = self.percent.low_percent, self.percent.high_percent
        if low is None or high is None:
            return 0
        return 1 if low > 0 else -1 if high < 0 else 0

    @property
    def direction(self) -> int:
        """-1: faster, 1: slower, 0: not known; what fails too often is never faster."""
        return 0 if self.endpoint_fails and self.sign < 0 else self.sign


def table(df: pd.DataFrame, stratum: Stratum) -> pd.DataFrame:
    """Rounds × endpoints in ms: the stratum's main metric, +inf for failures, NaN for none."""
    return tabled(df, latency_ms(df, stratum.metric))


def tabled(df: pd.DataFrame, ms: Values) -> pd.DataFrame:
    """As `table`, of rows whose times in ms, shape (rows,), are known; they say their `ROUND`."""
    filled = _Filled.of(df, ms)
    names = pd.Index(filled.columns, name="endpoint", dtype=object)
    return pd.DataFrame(filled.ms, filled.index(), names, copy=False)[sorted(filled.asked)]


def grid(df: pd.DataFrame, ms: Values) -> Values:
    """The numbers of `tabled` alone, shape (rounds, names), the rounds in its order: half of its
    work is to say whose they are."""
    return _Filled.of(df, ms).ms


@dataclass(frozen=True, slots=True)
class _Filled:
    """Rounds × endpoints in ms. ``there`` are the rounds by run and number: the place of the run in
    ``ids`` times ``width``, and the number less ``first``; ``asked`` have a time in any of them."""

    ms: Values
    columns: list[str]
    asked: list[str]
    there: npt.NDArray[np.int64]
    ids: list[str]
    first: int
    width: int

    @classmethod
    def of(cls, df: pd.DataFrame, ms: Values) -> Self:
        runs, run_ids = coded(df["run_id"])
        endpoints, columns = coded(df["endpoint"])
        has = ~np.isnan(ms) & (endpoints >= 0) & df["round"].notna().to_numpy()
        some = slice(None) if has.all() else has
        rounds = df["round"].to_numpy(dtype=np.int64, na_value=0)[some]
        first, width = (int(rounds.min()), int(np.ptp(rounds)) + 1) if len(rounds) else (0, 1)
        ids = ["", *sorted(run_ids)]  # rows of no run come first
        places = np.array([*map(ids.index, run_ids), 0])
        keys = (places * width - first)[runs[some]]
        keys += rounds
        there, cells = _distinct(keys, width * len(ids))
        cells *= len(columns)
        cells += endpoints[some]
        values = np.full((len(there), len(columns)), np.nan)
        # Backwards, so that of a round that was asked twice the first stands
        values.ravel()[cells[::-1]] = ms[some][::-1]
        asked = [columns[at] for at in np.flatnonzero(np.bincount(endpoints[some]))]
        return cls(values, columns, asked, there, ids, first, width)

    def index(self) -> pd.MultiIndex:
        """The rounds, as run and number."""
        levels: Any = [
            pd.Index(self.ids, dtype=object),
            pd.RangeIndex(self.first, self.first + self.width),
        ]
        codes: Any = [self.there // self.width, self.there % self.width]
        return pd.MultiIndex(levels, codes, names=["run_id", "round"], verify_integrity=False)


def _distinct(
    keys: npt.NDArray[np.int64], below: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The keys in order, each once, and where each one's is. By marking where keys are dense."""
    if below > 8 * len(keys) + 1000:
        there, rows = np.unique(keys, return_inverse=True)
        return there, rows
    marks = np.zeros(below, dtype=np.bool_)
    marks[keys] = True
    return np.flatnonzero(marks), (np.cumsum(marks) - 1)[keys]


@dataclass(frozen=True, slots=True)
class _Column:
    """One endpoint's column of `table`: in ms, as logs, and what of it failed."""

    ms: Values
    logs: Values
    failures: Rate

    @classmethod
    def of(cls, ms: Values) -> Self:
        with np.errstate(divide="ignore"):
            logs = np.asarray(np.log(ms), dtype=np.float64)
        failed, n = _count(np.isinf(ms)), _count(~np.isnan(ms))
        return cls(ms, logs, rate(failed, n))


@dataclass(frozen=True, slots=True)
class _Pair:
    """What two columns say together, at whatever level."""

    n: int
    n_both_failed: int
    worth: float
    at: Ranked
    baseline_ms: float
    faster: Percent
    endpoint_fails: bool


class Paired:
    """The differences of a stratum's rounds: of any two columns of `table`, at any level.

    What does not depend on the level is found once, for they are compared again and again: with
    global, with the lowest, and each with each.
    """

    def __init__(self, rounds: pd.DataFrame, stratum: Stratum) -> None:
        self._rounds, self._stratum = rounds, stratum
        self._columns: dict[str, _Column] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def __call__(self, endpoint: str, baseline: str, level: float = LEVEL) -> Difference:
        """The difference of two; an endpoint without rows has no pairs."""
        pair = self._pair(endpoint, baseline)
        found = middle_at(pair.at, pair.n, level, pair.n / pair.worth if pair.worth else 1.0)
        return Difference(
            self._stratum,
            endpoint,
            baseline,
            pair.n,
            pair.n_both_failed,
            pair.worth,
            _ms(found, pair, level),
            _percent(found, pair.n, level),
            pair.faster,
            level,
            pair.endpoint_fails,
        )

    def _pair(self, endpoint: str, baseline: str) -> _Pair:
        if (endpoint, baseline) not in self._pairs:
            other = self._pairs.get((baseline, endpoint))
            columns = self._column(endpoint), self._column(baseline)
            self._pairs[endpoint, baseline] = _pair(*columns, other.worth if other else None)
        return self._pairs[endpoint, baseline]

    def _column(self, name: str) -> _Column:
        if name not in self._columns:
            self._columns[name] = _Column.of(_column(self._rounds, name))
        return self._columns[name]


def _pair(ours: _Column, theirs: _Column, worth: float | None) -> _Pair:
    """``worth`` is known where the two have been compared the other way round."""
    either = np.isinf(ours.ms) & np.isinf(theirs.ms)
    used = ~(np.isnan(ours.ms) | np.isnan(theirs.ms) | either)
    a, b = ours.ms[used], theirs.ms[used]
    logs = ours.logs[used] - theirs.logs[used]
    return _Pair(
        len(a),
        _count(either),
        effective_n(logs) if worth is None else worth,
        ranked(logs),
        quantile(b, 0.5) if len(b) else math.nan,
        _faster(a, b),
        fails_often(ours.failures) or fails_more(ours.failures, theirs.failures),
    )


def paired(
    rounds: pd.DataFrame, stratum: Stratum, endpoint: str, baseline: str, level: float = LEVEL
) -> Difference:
    """As `Paired` tells it, of one who asks but once."""
    return Paired(rounds, stratum)(endpoint, baseline, level)


def _ms(found: Middle, pair: _Pair, level: float) -> Estimate:
    value, low, high = (_times(x, pair.baseline_ms) for x in (found.value, found.low, found.high))
    return Estimate(value, low, high, _note(found, pair.n, level))


def _times(log: float | None, at_ms: float) -> float | None:
    """What a factor is in ms of the baseline; a baseline that mostly fails has none."""
    if log is None or math.isinf(log):
        return log
    return None if math.isinf(at_ms) else math.expm1(log) * at_ms


def _percent(found: Middle, n: int, level: float) -> Percent:
    value, low, high = (_hundredfold(x) for x in (found.value, found.low, found.high))
    return Percent(value, low, high, _note(found, n, level))


def _hundredfold(log: float | None) -> float | None:
    return log if log is None or math.isinf(log) else 100 * math.expm1(log)


def _note(found: Middle, n: int, level: float) -> str:
    """What an unknown or infinite end means: in a difference ±∞ is that one of the two failed."""
    if found.value is None or found.low is None or found.high is None:
        return "no data" if n == 0 else f"n too small: {n} of {smallest_n(0.5, level)}"
    if math.isinf(found.value):
        return "fails in too many rounds" if found.value > 0 else "baseline fails in too many"
    return "interval reaches into the failures" if math.isinf(found.high - found.low) else ""


def _faster(ours: Values, theirs: Values) -> Percent:
    """The share of rounds in which ours ended first, in percent, with Wilson's interval."""
    found = rate(_count(ours < theirs), len(ours))
    if found.share is None or found.low is None or found.high is None:
        return Percent(None, None, None, "no data")
    return Percent(100 * found.share, 100 * found.low, 100 * found.high)


def differences_ms(rounds: pd.DataFrame, endpoint: str, baseline: str) -> Values:
    """endpoint − baseline of each round in ms, shape (pairs,); ±inf where one of them failed."""
    ours, theirs = _column(rounds, endpoint), _column(rounds, baseline)
    some = ~(np.isnan(ours) | np.isnan(theirs)) & ~(np.isinf(ours) & np.isinf(theirs))
    return np.asarray(ours[some] - theirs[some], dtype=np.float64)


def _column(rounds: pd.DataFrame, endpoint: str) -> Values:
    if endpoint not in rounds.columns:
        return np.full(len(rounds), np.nan)
    return rounds[endpoint].to_numpy(dtype=np.float64)


def _count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))
