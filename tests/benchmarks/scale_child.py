"""One contestant of `scale`, in a process of its own: prints what it found, and what that cost."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS = ("ttft_ns", "total_ns")
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}

SQL = """
WITH rows AS (
    SELECT run_id, round, endpoint, connection, outcome, started_at,
           CASE WHEN outcome <> 'ok' THEN 'infinity'::DOUBLE ELSE ttft_ns / 1e6 END AS ms
    FROM read_parquet('{files}')
    WHERE NOT warmup AND outcome NOT IN ('cancelled', 'client_fault')
      AND kind = 'chat' AND streamed AND (outcome <> 'ok' OR connection = 'cold' OR reused)
), cells AS (
    SELECT connection, endpoint, count(*) AS n,
           count(*) FILTER (outcome <> 'ok') AS failed,
           quantile_disc(ms, {shares}) AS low, quantile_disc(ms, {nexts}) AS high,
           min(started_at) AS first_at, max(started_at) AS last_at
    FROM rows GROUP BY ALL
), pairs AS (
    SELECT one.connection, one.endpoint, count(*) AS n_pairs,
           count(*) FILTER (one.ms < base.ms) AS faster
    FROM rows AS one JOIN rows AS base USING (run_id, round, connection)
    WHERE base.endpoint = 'global' AND one.endpoint <> 'global'
      AND NOT (isinf(one.ms) AND isinf(base.ms))
    GROUP BY ALL
)
SELECT * FROM cells LEFT JOIN pairs USING (connection, endpoint)
"""


def by_bench(folder: str) -> dict[str, Any]:
    """Ours."""
    import bench

    df = bench.load(folder, COLUMNS)
    load_s = time.process_time()
    found = bench.summarise(df)
    numbers: dict[str, Any] = {}
    for cell in found.cells:
        key = f"{cell.stratum.connection} {cell.endpoint}"
        numbers |= {f"{key} n": cell.n, f"{key} failed": cell.failures.failed}
        numbers |= {f"{key} {q}": cell.quantiles[q].value_ms for q in QUANTILES}
    for one in found.differences:
        key = f"{one.stratum.connection} {one.endpoint}"
        numbers |= {f"{key} pairs": one.n_pairs}
        numbers |= {f"{key} faster": one.faster.value_percent}
    return {"rows": len(df), "load_s": load_s, "numbers": numbers | {"first": found.first_at}}


def by_duckdb(folder: str) -> dict[str, Any]:
    """The same question in SQL."""
    import duckdb

    sql = SQL.format(files=f"{folder}/*/samples.parquet", shares=_SHARES, nexts=_SHARES)
    table = duckdb.sql(sql).fetchall()
    return {"numbers": table}


def by_polars(folder: str) -> dict[str, Any]:
    """The same question of polars' lazy frames."""
    import polars as pl

    return {"numbers": {}}


def keep(folder: str, file: str) -> dict[str, Any]:
    """The frame that plots are drawn of."""
    import bench
    from bench.plots import NEEDS

    bench.load(folder, NEEDS).to_pickle(file)
    return {}
