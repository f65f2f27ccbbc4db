"""What a watch stored against what its metrics say and what its fleet was asked."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.store import StoredRun, read_run
from bench.watch.metrics import PHASE_SECONDS, PHASES, SECONDS
from tests.watch_kit import Series

Row = dict[str, Any]


def stored(results: Path) -> list[StoredRun]:
    """Every run folder, in the order in which they were begun."""
    runs = [read_run(folder) for folder in results.iterdir() if folder.is_dir()]
    return sorted(runs, key=lambda one: str(one.run["started_at"]))


def missing(runs: Iterable[StoredRun]) -> int:
    """Trials of which there is no row, by the rows' numbers."""
    return sum(max(r["seq"] for r in run.rows) + 1 - len(run.rows) for run in runs if run.rows)


def lost(rows: Sequence[Row], asked: Sequence[str]) -> tuple[int, int]:
    """Of requests that the fleet was asked: without a row, and rows that nobody asked for. A row
    that failed without having heard the request's name stands for one that was asked."""
    known = {row["request_id"] for row in rows if row["request_id"]}
    nameless = sum(row["outcome"] != "ok" and not row["request_id"] for row in rows)
    answered = {row["request_id"] for row in rows if row["outcome"] == "ok"}
    return max(0, len(set(asked) - known) - nameless), len(answered - set(asked))


def expected(runs: Sequence[StoredRun], models: dict[str | None, str]) -> dict[Series, float]:
    """The series that follow from the rows, as a scrape gives them; zeros are left out."""
    found: dict[Series, float] = defaultdict(float)
    for run in runs:
        for row in run.rows:
            _count(found, row, models)
    return {series: value for series, value in found.items() if value}


def _count(found: dict[Series, float], row: Row, models: dict[str | None, str]) -> None:
    model = models[row["arm"]] if row["kind"] in ("chat", "responses") else ""
    each = {"endpoint": row["endpoint"], "model": model}
    found[series("rows_total")] += 1
    found[series("spend_usd_total", **each)] += row["cost_usd"] or 0.0
    if row["warmup"]:
        return
    found[series("requests_total", **each, outcome=row["outcome"])] += 1
    if row["outcome"] != "ok":
        return
    for name in ("ttft", "total"):
        _observe(found, f"{name}_seconds", row[f"{name}_ns"], SECONDS, **each)
    for phase in PHASES:
        labels = each | {"phase": phase, "model": model if phase == "ttfb" else ""}
        _observe(found, "phase_seconds", row[f"{phase}_ns"], PHASE_SECONDS, **labels)


def _observe(
    found: dict[Series, float],
    name: str,
    value_ns: int | None,
    bounds: Sequence[float],
    **labels: str,
) -> None:
    if value_ns is None:
        return
    found[series(f"{name}_count", **labels)] += 1
    found[series(f"{name}_sum", **labels)] += value_ns / 1e9
    for bound in bounds[bisect.bisect_left(bounds, value_ns / 1e9) :]:
        found[series(f"{name}_bucket", le=f"{bound}", **labels)] += 1
    found[series(f"{name}_bucket", le="+Inf", **labels)] += 1


def series(name: str, **labels: str) -> Series:
    """The key of one series."""
    return f"regionbench_{name}", tuple(sorted(labels.items()))


FROM_ROWS = ("rows_total", "spend_usd_total", "requests_total", "ttft_", "total_s", "phase_")


def disagreements(scraped: dict[Series, float], wanted: dict[Series, float]) -> list[str]:
    """Series that follow from rows and are not what follows; sums to a billionth."""
    names = tuple(f"regionbench_{name}" for name in FROM_ROWS)
    of_rows = {key: v for key, v in scraped.items() if key[0].startswith(names) and v}
    keys = sorted(of_rows.keys() | wanted.keys())
    return [
        f"{key}: {of_rows.get(key)} and not {wanted.get(key)}"
        for key in keys
        if abs(of_rows.get(key, 0.0) - wanted.get(key, 0.0)) > 1e-9 * (1 + wanted.get(key, 0.0))
    ]


def gaps(runs: Iterable[StoredRun]) -> Counter[str]:
    """Cause → how many, by run.json."""
    return Counter(gap["cause"] for run in runs for gap in run.run["watch"]["gaps"])


def missed_rounds(runs: Iterable[StoredRun]) -> int:
    """By run.json."""
    return sum(gap["missed_rounds"] for run in runs for gap in run.run["watch"]["gaps"])
