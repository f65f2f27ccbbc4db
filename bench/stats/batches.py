"""What history keeps of a run: a few numbers per endpoint and stratum, not its requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.stats import encode
from bench.stats.cells import QUANTILES, dropped
from bench.stats.metrics import countable, failed, latency_ms
from bench.stats.quantiles import quantile
from bench.stats.strata import Stratum, runs_of, stratify, vantages_in

SMALLEST_N = {"p50": 6, "p90": 29, "p95": 300}
"""Requests from which a quantile is kept: what bounds it at 95 %, and the reference's for p95.
History itself then tells how much such a quantile varies."""


@dataclass(frozen=True, slots=True)
class BatchCell:
    """One endpoint in one stratum: ``n`` requests, ``failed`` of them, and quantiles in ms by
    name (`QUANTILES`), inf when so many failed; a quantile that n is too small for is absent."""

    endpoint: str
    stratum: Stratum
    n: int
    failed: int
    quantiles: Mapping[str, float]

    @property
    def key(self) -> tuple[str, Stratum]:
        """What makes it the same cell in another batch."""
        return self.endpoint, self.stratum


@dataclass(frozen=True, slots=True)
class Batch:
    """One run, which should have been measured in three ``sittings`` hours apart.

    ``dropped``: endpoints that could not be measured in any sitting, and why.
    """

    name: str
    sittings: int
    cells: tuple[BatchCell, ...]
    dropped: Mapping[str, str]

    def cell(self, key: tuple[str, Stratum]) -> BatchCell | None:
        """The cell of that endpoint and stratum, None where there is none."""
        return next((one for one in self.cells if one.key == key), None)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        found: dict[str, Any] = encode.plain(self)
        return found


def batch(df: pd.DataFrame, name: str, *, by_vantage: bool | None = None) -> Batch:
    """Everything of a tidy frame as one batch; never raises for want of rows.

    Cells of several vantages are apart; ``by_vantage`` says so of a frame that holds one of them.
    """
    rows = countable(df)
    cells = [
        _cell(str(endpoint), stratum, part)
        for stratum, group in stratify(rows, runs_of(df), by_vantage=by_vantage)
        for endpoint, part in group.groupby(group["endpoint"].astype("string"))
    ]
    measured = {one.endpoint for one in cells}
    unfit = {name: why for name, why in dropped(runs_of(df)).items() if name not in measured}
    return Batch(name, int(df["run_id"].nunique()), tuple(cells), unfit)


def batches(df: pd.DataFrame) -> list[Batch]:
    """The batches of a frame in order of time: runs whose plans name the same batch are one."""
    runs = runs_of(df)
    named = {str(run.get("run_id")): batch_of(run) for run in runs}
    ids = df["run_id"].astype("string").fillna("")
    names = ids.map(lambda run_id: named.get(str(run_id), str(run_id)))
    first = df["started_at"].groupby(names).min().sort_values()
    apart = len(vantages_in(df, runs)) > 1 or None
    return [
        batch(_with_runs(df[names == name], runs), str(name), by_vantage=apart)
        for name in first.index
    ]


def batch_of(run: Mapping[str, Any]) -> str:
    """The batch that a run belongs to, of its run.json: its own id where its plan names none."""
    plan = run.get("plan")
    named = plan.get("batch") if isinstance(plan, Mapping) else None
    return named if isinstance(named, str) and named else str(run.get("run_id") or "")


def _with_runs(df: pd.DataFrame, runs: list[Mapping[str, Any]]) -> pd.DataFrame:
    present = set(df["run_id"].astype("string"))
    part = df.copy(deep=False)
    part.attrs = {"runs": [run for run in runs if run.get("run_id") in present]}
    return part


def _cell(endpoint: str, stratum: Stratum, rows: pd.DataFrame) -> BatchCell:
    values = latency_ms(rows, stratum.metric)
    known = values[~np.isnan(values)]
    kept = {
        name: quantile(known, QUANTILES[name]) for name, n in SMALLEST_N.items() if len(known) >= n
    }
    return BatchCell(endpoint, stratum, len(rows), int(failed(rows).sum()), kept)
