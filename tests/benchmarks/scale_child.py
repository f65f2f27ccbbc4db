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
           quantile_disc(ms, {below}) AS lower, quantile_disc(ms, {above}) AS upper,
           min(started_at) AS first_at, max(started_at) AS last_at
    FROM rows GROUP BY ALL
), pairs AS (
    SELECT one.connection, one.endpoint AS endpoint, other.endpoint AS other, count(*) AS pairs,
           count(*) FILTER (one.ms < other.ms) AS faster,
           median(ln(one.ms) - ln(other.ms)) AS ratio
    FROM rows AS one JOIN rows AS other USING (run_id, round, connection)
    WHERE one.endpoint < other.endpoint AND NOT (isinf(one.ms) AND isinf(other.ms))
    GROUP BY ALL
)
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
        numbers |= {f"{key} {q}": _disc(cell.quantiles[q].value_ms) for q in QUANTILES}
    for one in (*found.differences, *found.contrasts):
        key = f"{one.stratum.connection} {' '.join(sorted((one.endpoint, one.baseline)))}"
        numbers[f"{key} pairs"] = one.n_pairs
    return {"rows": len(df), "load_s": load_s, "numbers": numbers}


def _disc(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def by_duckdb(folder: str) -> dict[str, Any]:
    """The same question in SQL, all of it in one pass over one temporary table."""
    import duckdb

    base = duckdb.connect()
    rows, _, rest = SQL.partition("), cells AS (")
    base.execute(f"CREATE TEMP TABLE rows AS {_inner(rows, folder)}")
    cells, _, pairs = rest.partition("), pairs AS (")
    numbers: dict[str, Any] = {}
    # Where n·q is whole the quantile is the middle of two neighbours: those on its two sides
    below, above = ([q + beside for q in QUANTILES.values()] for beside in (-1e-9, 1e-9))
    asked = cells.format(below=below, above=above)
    for connection, endpoint, n, failed, lower, upper, *_ in base.execute(asked).fetchall():
        quantiles = [a / 2 + b / 2 for a, b in zip(lower, upper, strict=True)]
        key = f"{connection} {endpoint}"
        numbers |= {f"{key} n": n, f"{key} failed": failed}
        numbers |= {f"{key} {q}": _disc(ms) for q, ms in zip(QUANTILES, quantiles, strict=True)}
    for connection, one, other, n, *_ in base.execute(pairs.rstrip().rstrip(")")).fetchall():
        numbers[f"{connection} {one} {other} pairs"] = n
    return {"numbers": numbers}


def _inner(rows: str, folder: str) -> str:
    return rows.partition("(")[2].format(files=f"{folder}/*/samples.parquet")


def by_polars(folder: str) -> dict[str, Any]:
    """The same question of polars' lazy frames."""
    import polars as pl

    ok = pl.col("outcome") == "ok"
    ms = pl.when(ok).then(pl.col("ttft_ns") / 1e6).otherwise(float("inf")).alias("ms")
    meant = (
        ~pl.col("warmup")
        & ~pl.col("outcome").is_in(["cancelled", "client_fault"])
        & (pl.col("kind") == "chat")
        & pl.col("streamed")
        & (~ok | (pl.col("connection") == "cold") | pl.col("reused"))
    )
    keys = ["run_id", "round", "endpoint", "connection", "outcome", "started_at"]
    rows = pl.scan_parquet(f"{folder}/*/samples.parquet").filter(meant).select(*keys, ms).collect()
    cells = rows.group_by("connection", "endpoint").agg(
        pl.len().alias("n"),
        (pl.col("outcome") != "ok").sum().alias("failed"),
        *(_ranked(pl, q).alias(name) for name, q in QUANTILES.items()),
        pl.col("started_at").min().alias("first"),
        pl.col("started_at").max().alias("last"),
    )
    numbers: dict[str, Any] = {}
    for one in cells.to_dicts():
        key = f"{one['connection']} {one['endpoint']}"
        numbers |= {f"{key} {name}": one[name] for name in ("n", "failed")}
        numbers |= {f"{key} {name}": _disc(one[name]) for name in QUANTILES}
    short = rows.select("run_id", "round", "connection", "endpoint", "ms")
    pairs = short.join(short, on=["run_id", "round", "connection"], suffix="_other").filter(
        (pl.col("endpoint") < pl.col("endpoint_other"))
        & ~(pl.col("ms").is_infinite() & pl.col("ms_other").is_infinite())
    )
    counted = pairs.group_by("connection", "endpoint", "endpoint_other").agg(
        pl.len().alias("n"),
        (pl.col("ms") < pl.col("ms_other")).sum().alias("faster"),
        (pl.col("ms").log() - pl.col("ms_other").log()).median().alias("ratio"),
    )
    for one in counted.to_dicts():
        numbers[f"{one['connection']} {one['endpoint']} {one['endpoint_other']} pairs"] = one["n"]
    return {"numbers": numbers}


def _ranked(pl: Any, q: float) -> Any:
    """The order statistic, or the middle of two where n·q is whole."""
    place, ordered = (pl.len() * q).round(9), pl.col("ms").sort()
    lower, upper = place.ceil().cast(pl.Int64) - 1, place.floor().cast(pl.Int64)
    return ordered.get(lower) / 2 + ordered.get(upper) / 2


def highest_mb() -> float:
    """What this process had in memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plot(folder: str, name: str, picture: str) -> dict[str, Any]:
    """One plot of a folder of runs: the columns that it reads, and then the written file.

    Matplotlib is asked for a small picture before: what it does once a process is not the plot's.
    """
    import bench
    from bench.plots import COLUMNS, PLOTS, to_png

    began = time.monotonic()
    df = bench.load(folder, COLUMNS[name])
    loaded = {"loaded_s": time.monotonic() - began, "loading_mb": highest_mb()}
    to_png(PLOTS["ecdf"](df[:100]))
    began, cpu_s = time.monotonic(), time.process_time()
    Path(picture).write_bytes(to_png(PLOTS[name](df)))
    spent = {"drawn_s": time.monotonic() - began, "drawing_s": time.process_time() - cpu_s}
    return {"name": name, "rows": len(df)} | loaded | spent


def report(folder: str, output: str) -> dict[str, Any]:
    """What ``regionbench report`` writes."""
    import bench
    from bench.report import COLUMNS, Findings, write_report

    began = time.monotonic()
    df = bench.load(folder, COLUMNS)
    files = write_report(Path(output), Findings(df))
    html_kb = sum(file.stat().st_size for file in files.values() if file.suffix == ".html") / 1024
    return {"rows": len(df), "took_s": time.monotonic() - began, "html_kb": html_kb}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "bench": by_bench,
    "duckdb": by_duckdb,
    "polars": by_polars,
    "plot": plot,
    "report": report,
}


if __name__ == "__main__":
    told = PARTS[sys.argv[1]](*sys.argv[2:])
    spent = {
        "cpu_s": time.process_time(),
        "mb": highest_mb(),
    }
    print(json.dumps(spent | told))
