"""Rows → what was measured, per endpoint and stratum, with an interval on every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.model import GLOBAL, Caution
from bench.stats import encode
from bench.stats.cautions import cautions
from bench.stats.cells import QUANTILES, Cell, cells_of, tokens_of
from bench.stats.fit import field_of
from bench.stats.metrics import bare, counts, left_out
from bench.stats.pairs import Difference, Paired, table
from bench.stats.quantiles import LEVEL
from bench.stats.ranks import Rank, ranks
from bench.stats.strata import (
    NOWHERE,
    Stratum,
    order,
    planned,
    runs_from,
    runs_of,
    stratify,
    vantages_in,
)


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything the outputs say in numbers.

    ``cells`` are ordered by stratum, then endpoint. ``differences`` compare every other endpoint
    with global, each interval at 95 %. ``contrasts`` compare, within a stratum, the fit endpoint
    (`bench.stats.fit`) of the lowest median with each of its rivals; their intervals hold together
    at 95 %, because who is lowest was chosen after looking. ``ranks`` are the places that each fit
    endpoint may have. ``left_out`` counts rows that stand in no number.
    """

    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]
    contrasts: tuple[Difference, ...]
    ranks: tuple[Rank, ...]
    cautions: tuple[Caution, ...]
    strata: tuple[Stratum, ...]
    rows: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, float | None] = field(default_factory=dict)
    first_at: str | None = None
    last_at: str | None = None
    vantages: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    simulated: bool | None = None

    def cells_in(self, stratum: Stratum) -> tuple[Cell, ...]:
        """The cells of one stratum, global first."""
        return tuple(cell for cell in self.cells if cell.stratum == stratum)

    def difference(self, stratum: Stratum, endpoint: str) -> Difference | None:
        """How ``endpoint`` differs from global, or None where that was not compared."""
        found = (d for d in self.differences if (d.stratum, d.endpoint) == (stratum, endpoint))
        return next(found, None)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only: what is unknown or infinite is None beside a ``note``."""
        found: dict[str, Any] = encode.plain(self)
        return found

    def to_frame(self) -> pd.DataFrame:
        """One row per cell: stratum, endpoint, counts, and quantiles in ms (NA: not known)."""
        return pd.DataFrame([_flat(cell) for cell in self.cells], columns=FRAME_COLUMNS)

    def _repr_html_(self) -> str:
        from bench.stats import cards  # knows every result, so none of them may know it earlier

        return cards.summary_card(self)


FRAME_COLUMNS = [
    *("kind", "streamed", "connection", "client", "model", "arm", "vantage", "endpoint", "metric"),
    *("n", "n_failed", "failure_rate", "failure_low", "failure_high"),
    *(f"{name}{part}_ms" for name in QUANTILES for part in ("", "_low", "_high")),
    *("cost_usd", "reason"),
]


def summarise(df: pd.DataFrame) -> Summary:
    """Summarise a tidy frame (`bench.frame.tidy`); never raises for want of rows.

    Warm-up rows, cancelled requests and faults of the client stand in no number. Runs in
    ``df.attrs["runs"]`` tell which endpoints were asked for and not measured.
    """
    runs, given = runs_of(df), df
    df = bare(df)
    groups = stratify(df, runs, counts(df))
    several = len(vantages_in(df, runs)) > 1
    wanted = {s for run in runs for s in planned(run, _vantage(run) if several else None)}
    strata = tuple(sorted({stratum for stratum, _ in groups} | wanted, key=order))
    rows, none = dict(groups), df[:0]
    cells = tuple(
        cell for s in strata for cell in cells_of(s, rows.get(s, none), runs_from(s, runs))
    )
    rounds = {stratum: table(part, stratum) for stratum, part in groups}
    paired = {stratum: Paired(table, stratum) for stratum, table in rounds.items()}
    differences = tuple(d for s in rounds for d in _against_global(s, paired[s], cells))
    contrasts = tuple(d for s in rounds for d in _against_lowest(s, paired[s], cells))
    places = tuple(r for s in rounds for r in ranks(paired[s], s, _fit(s, cells)))
    return Summary(
        cells=cells,
        differences=differences,
        contrasts=contrasts,
        ranks=places,
        cautions=cautions(given, groups, cells, differences, rounds),
        strata=strata,
        rows=len(df),
        left_out=left_out(df),
        totals=tokens_of(df),
        **_circumstances(df, runs),
    )


def _vantage(run: Mapping[str, Any]) -> str:
    return str(run.get("vantage") or NOWHERE)


def _against_global(stratum: Stratum, paired: Paired, cells: tuple[Cell, ...]) -> list[Difference]:
    names = _measured(stratum, cells)
    others = [name for name in names if name != GLOBAL] if GLOBAL in names else []
    return [paired(name, GLOBAL) for name in others]


def _against_lowest(stratum: Stratum, paired: Paired, cells: tuple[Cell, ...]) -> list[Difference]:
    if not (fit := _fit(stratum, cells)):
        return []
    lowest = fit[0]
    rivals = [name for name in _measured(stratum, cells) if name != lowest]
    level = 1 - (1 - LEVEL) / max(1, len(rivals))
    return [paired(name, lowest, level) for name in rivals]


def _measured(stratum: Stratum, cells: tuple[Cell, ...]) -> list[str]:
    return [cell.endpoint for cell in cells if cell.stratum == stratum and cell.n > 0]


def _fit(stratum: Stratum, cells: tuple[Cell, ...]) -> list[str]:
    found = field_of(cell for cell in cells if cell.stratum == stratum)
    return [cell.endpoint for cell in found.fit]


def _circumstances(df: pd.DataFrame, runs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """When, from where and on what the rows were measured."""
    times = df["started_at"].dropna()
    marks = {bool(run["simulated"]) for run in runs if run.get("simulated") is not None}
    return {
        "first_at": _utc(times.min()) if len(times) else None,
        "last_at": _utc(times.max()) if len(times) else None,
        "vantages": tuple(map(str, df["vantage"].dropna().unique())),
        "run_ids": tuple(map(str, df["run_id"].dropna().unique()))
        or tuple(str(run["run_id"]) for run in runs if run.get("run_id")),
        "simulated": any(marks) if marks else None,
    }


def _utc(moment: pd.Timestamp) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _flat(cell: Cell) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(cell.stratum, name) for name in FRAME_COLUMNS[:7]}
    row |= {"endpoint": cell.endpoint, "metric": cell.stratum.metric, "n": cell.n}
    row |= {"n_failed": cell.failures.failed, "failure_rate": cell.failures.share}
    row |= {"failure_low": cell.failures.low, "failure_high": cell.failures.high}
    for name in QUANTILES:
        found = cell.quantiles[name]
        row[f"{name}_ms"] = found.value_ms
        row[f"{name}_low_ms"], row[f"{name}_high_ms"] = found.low_ms, found.high_ms
    return row | {"cost_usd": cell.tokens.get("cost_usd"), "reason": cell.reason}
