"""One endpoint in one stratum: the smallest thing a summary says numbers about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.memory import effective_n
from bench.stats.metrics import METRICS, coded, failed, latency_ms, not_reused, plain_ms
from bench.stats.quantiles import Estimate, Values, estimate, quantile
from bench.stats.rates import Rate, rate
from bench.stats.strata import Stratum

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
TOKENS = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "cost_usd")

_READ = {"outcome", "reused", "connection", "flags", *TOKENS, *(m.column for m in METRICS.values())}
"""What a cell is made of: no other column need be taken apart by endpoint."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one endpoint in one stratum.

    ``n`` counts requests, failures among them; ``n_latency`` those that stand in the quantiles
    (failures as +∞; without the ``n_not_reused`` that opened a connection although warm, and the
    ``n_no_value`` that were answered without ever having the metric), worth ``n_effective``
    independent ones (`bench.stats.memory`). ``median_ms`` is the bare
    median, known from one value on: it orders a table and decides nothing. ``phases`` are medians
    over answered requests in ms. ``reason`` says why ``n`` is 0.
    """

    stratum: Stratum
    endpoint: str
    n: int
    n_latency: int
    n_effective: float
    n_not_reused: int
    n_no_value: int
    failures: Rate
    outcomes: Mapping[str, int]
    median_ms: float | None
    quantiles: Mapping[str, Estimate]
    phases: Mapping[str, float | None]
    tokens: Mapping[str, float | None]
    reason: str | None = None

    @property
    def p50(self) -> Estimate:
        """The median with its interval."""
        return self.quantiles["p50"]


def cells_of(stratum: Stratum, df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """The cells of one stratum: every endpoint of the frame's category, measured or not."""
    reasons = dropped(runs)
    codes, known = coded(df["endpoint"])
    seen: Any = np.bincount(codes[codes >= 0], minlength=len(known)) if len(known) else []
    names = [str(name) for name in df["endpoint"].cat.categories]
    names += [name for name in reasons if name not in names]
    places = {name: place for place, name in enumerate(known) if seen[place]}
    shown = [name for name in names if name in places or _asked(name, runs)]
    rows = {name: np.flatnonzero(codes == places.get(name, -2)) for name in shown}
    df = df[[name for name in df.columns if name in _READ]]
    return [_cell(stratum, name, df.take(rows[name]), reasons.get(name)) for name in shown]


def dropped(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Endpoints that the preflight of some run found unfit, and why, in one phrase."""
    checks = [check for run in runs for check in run.get("preflight") or ()]
    unfit = [check for check in checks if check.get("outcome") not in ("ok", None)]
    return {str(check["endpoint"]): _why(check) for check in unfit if check.get("endpoint")}


def _why(check: Mapping[str, Any]) -> str:
    detail = str(check.get("detail") or "")
    return f"{check['outcome']}: {detail}" if detail else str(check["outcome"])


def _asked(name: str, runs: Sequence[Mapping[str, Any]]) -> bool:
    listed = [item.get("name") for run in runs for item in run.get("endpoints") or ()]
    return name in listed or name in dropped(runs)


def _cell(stratum: Stratum, endpoint: str, df: pd.DataFrame, reason: str | None) -> Cell:
    values = latency_ms(df, stratum.metric)
    known = values[~np.isnan(values)]
    bad = failed(df)
    fresh = int(not_reused(df).sum())
    answered = ~bad.to_numpy()
    ordered = np.sort(known)
    return Cell(
        stratum=stratum,
        endpoint=endpoint,
        n=len(df),
        n_latency=len(known),
        n_effective=effective_n(known),
        n_not_reused=fresh,
        n_no_value=len(df) - len(known) - fresh,
        failures=rate(int(bad.sum()), len(df)),
        outcomes={str(k): int(v) for k, v in _counts(df[bad]).items()},
        median_ms=_median(ordered),
        quantiles={name: estimate(ordered, q) for name, q in QUANTILES.items()},
        phases={
            name: _median(_present(plain_ms(df, name)[answered])) if one.column in df else None
            for name, one in METRICS.items()
        },
        tokens=tokens_of(df),
        reason=None if len(df) else reason or "no request of it was recorded",
    )


def _counts(df: pd.DataFrame) -> pd.Series[int]:
    counts = df["outcome"].value_counts()
    return counts[counts > 0].rename(index=str).sort_index()


def _present(values: Values) -> Values:
    return values[~np.isnan(values)]


def _median(values: Values) -> float | None:
    if len(values) == 0:
        return None
    middle = quantile(values, 0.5)
    return None if math.isnan(middle) else middle


def tokens_of(df: pd.DataFrame) -> dict[str, float | None]:
    """Sums of tokens and money over all rows; None where no row knows."""
    known = [name for name in TOKENS if name in df and df[name].notna().any()]
    return {name: _number(df[name].sum()) if name in known else None for name in TOKENS}


def _number(value: Any) -> float:
    return int(value) if float(value).is_integer() else float(value)
