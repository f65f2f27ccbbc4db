"""Are promises kept? Objectives of the plan against what was measured.

An objective is missed (regressed) when its value is beyond the bound with the whole 95 % interval,
ok when the value is within it, and inconclusive when only the value is beyond it: then the rows
cannot tell a missed promise from bad luck, and more rounds can.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import PlanError
from bench.objective import Objective
from bench.stats.cells import QUANTILES, dropped
from bench.stats.metrics import countable, failed, latency_ms, plain_ms
from bench.stats.quantiles import Estimate, estimate
from bench.stats.rates import Rate, rate, smallest_seen
from bench.stats.shift import Z_POWER
from bench.stats.strata import Stratum, planned, runs_of, stratify
from bench.stats.vantages import by_vantage
from bench.stats.verdict import Judged, State, Verdict, placed

Z_LEVEL = 1.959963984540054
"""The ends of a 95 % interval, in standard errors."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value with its 95 % interval; None is not known and ``untold`` says why, inf is
    "> timeout". ``detectable`` as in `bench.stats.verdict.Judged`."""

    value: float | None
    low: float | None
    high: float | None
    detectable: float | None
    untold: str = ""


Group = tuple[str, Stratum, pd.DataFrame]


def judge_objectives(df: pd.DataFrame, objectives: Sequence[Objective]) -> Verdict:
    """Each objective for each endpoint × stratum that has its metric, of a tidy frame.

    What was asked for and could not be measured, and an objective that no request can answer, are
    inconclusive. Raises PlanError when an objective names an endpoint that nobody asked for.
    """
    _reject_unknown(df, objectives)
    parts = by_vantage(df)
    judged = [
        placed(one, name if len(parts) > 1 else None)
        for name, part in parts.items()
        for one in _judge_all(part, objectives)
    ]
    return Verdict("objective", "objectives", "this run", True, tuple(judged))


def _judge_all(df: pd.DataFrame, objectives: Sequence[Objective]) -> list[Judged]:
    """Of one vantage: each keeps the promise, or misses it, by itself."""
    groups = [
        (str(name), stratum, part)
        for stratum, rows in stratify(countable(df), runs_of(df))
        for name, part in rows.groupby(rows["endpoint"].astype("string"))
    ]
    return [one for wanted in objectives for one in _judge(wanted, groups, runs_of(df))]


def _reject_unknown(df: pd.DataFrame, objectives: Sequence[Objective]) -> None:
    runs = runs_of(df)
    known = {str(item.get("name")) for run in runs for item in run.get("endpoints") or ()}
    known |= {*map(str, df["endpoint"].dropna().unique()), *dropped(runs)}
    for wanted in objectives:
        if wanted.endpoint is not None and wanted.endpoint not in known:
            near = difflib.get_close_matches(wanted.endpoint, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise PlanError(f"objective {wanted.text!r}: no endpoint {wanted.endpoint!r}; {hint}")


def _judge(
    wanted: Objective, groups: Sequence[Group], runs: Sequence[Mapping[str, Any]]
) -> list[Judged]:
    ours = [group for group in groups if wanted.endpoint in (None, group[0])]
    found = [
        _judged(wanted, name, stratum, len(rows), _held(wanted, rows))
        for name, stratum, rows in ours
        if _applies(wanted, rows)
    ]
    return [*(found or _unanswered(wanted, ours)), *_unmeasured(wanted, groups, runs)]


def _applies(wanted: Objective, rows: pd.DataFrame) -> bool:
    """Whether some request has the metric; where all failed, any of them would have had it."""
    if wanted.metric is None:
        return True
    bad = failed(rows)
    return bool(bad.all()) or not np.isnan(plain_ms(rows[~bad], wanted.metric)).all()


def _unmeasured(
    wanted: Objective, groups: Sequence[Group], runs: Sequence[Mapping[str, Any]]
) -> list[Judged]:
    """The endpoints that could not be measured at all."""
    measured = {name for name, _, _ in groups}
    strata = dict.fromkeys(stratum for run in runs for stratum in planned(run))
    return [
        _judged(wanted, name, stratum, 0, Held(None, None, None, None, f"not measured: {why}"))
        for name, why in dropped(runs).items()
        if name not in measured and wanted.endpoint in (None, name)
        for stratum in strata
    ]


def _unanswered(wanted: Objective, ours: Sequence[Group]) -> list[Judged]:
    """Said once for each cell: no request of it has the metric."""
    untold = f"no request here has {wanted.metric}: it belongs to other kinds or connections"
    held = Held(None, None, None, None, untold)
    return [_judged(wanted, name, stratum, len(rows), held) for name, stratum, rows in ours]


def _held(wanted: Objective, rows: pd.DataFrame) -> Held:
    if wanted.metric is None:
        return _rate_held(rate(int(failed(rows).sum()), len(rows)), wanted.bound)
    values = latency_ms(rows, wanted.metric)
    found = estimate(values[~np.isnan(values)], QUANTILES[wanted.measure])
    if found.value_ms is None:
        return Held(None, None, None, None, found.note)
    return Held(found.value_ms, found.low_ms, found.high_ms, _detectable(found))


def _detectable(found: Estimate) -> float | None:
    """exp((z.975 + z.80) · SE) − 1, with SE from the width of the interval in logs."""
    if found.low_ms is None or found.high_ms is None or not 0 < found.low_ms <= found.high_ms:
        return None
    error = math.log(found.high_ms / found.low_ms) / (2 * Z_LEVEL)
    return math.expm1((Z_LEVEL + Z_POWER) * error) if math.isfinite(error) else None


def _rate_held(found: Rate, bound: float) -> Held:
    seen = smallest_seen(found.n, lambda k: _missed(rate(k, found.n), bound))
    few = found.n * bound < 1 and bound > 0 and not _missed(found, bound)
    untold = f"n too small: {100 * bound:g} % of {found.n} requests is less than one" if few else ""
    rise = None if seen is None else max(0.0, seen - bound)
    return Held(found.share, found.low, found.high, rise, untold)


def _missed(found: Rate, bound: float) -> bool:
    return found.low is not None and found.low > bound


def _judged(wanted: Objective, name: str, stratum: Stratum, n: int, held: Held) -> Judged:
    state, reason = _state(wanted, held)
    change, low, high = (_beside(wanted, end) for end in (held.value, held.low, held.high))
    return Judged(
        endpoint=name,
        stratum=stratum,
        measure=wanted.measure,
        state=state,
        baseline=wanted.bound,
        observed=held.value,
        change=change,
        low=low,
        high=high,
        p=None,
        p_adjusted=None,
        detectable=held.detectable if state == "ok" else None,
        n=n,
        n_baseline=0,
        reason=reason,
        objective=wanted.text,
    )


def _state(wanted: Objective, held: Held) -> tuple[State, str]:
    if held.untold or held.value is None or held.low is None:
        return "inconclusive", held.untold
    if not _beyond(wanted, held.value):
        if held.detectable is None:
            return "inconclusive", "kept so far, yet too many failures or too few requests to tell"
        return "ok", ""
    if _beyond(wanted, held.low):
        return "regressed", "missed"
    return "inconclusive", "missed by the value, while its interval reaches the bound: more rounds"


def _beyond(wanted: Objective, value: float) -> bool:
    return value >= wanted.bound if wanted.strict else value > wanted.bound


def _beside(wanted: Objective, end: float | None) -> float | None:
    """A value as its change from the bound: a ratio less one, for rates in points."""
    if end is None:
        return None
    return end - wanted.bound if wanted.metric is None else end / wanted.bound - 1
