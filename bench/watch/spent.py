"""What a day has cost so far, from the rows: a watch that is started again knows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.budget import UNBILLED
from bench.errors import StoreError
from bench.model import Trial
from bench.prepare import Prepared
from bench.store import read_heads
from bench.store.reader import read_lines
from bench.store.writer import SAMPLES
from bench.watch.pace import LONGEST_S
from bench.wire.clock import utc_text


def spent_usd(results: Path, prepared: Prepared, utc_ns: int) -> float:
    """By rows of watches that began on this day (UTC), those of unknown cost at their worst."""
    day = utc_text(utc_ns)[:10]
    earliest = utc_text(utc_ns - 2 * round(LONGEST_S * 1e9))
    total_usd = 0.0
    for head in read_heads(results)[0]:
        if head.run.get("watch") and str(head.run.get("started_at")) >= earliest:
            total_usd += sum(_usd(row, prepared) for row in _rows(head.folder, day))
    return total_usd


def _rows(folder: Path, day: str) -> list[Mapping[str, Any]]:
    """Of the lines, which need no library to be read."""
    try:
        rows, _ = read_lines(folder / SAMPLES)
    except StoreError:
        return []
    return [row for row in rows if str(row["started_at"])[:10] == day]


def _usd(row: Mapping[str, Any], prepared: Prepared) -> float:
    if row["cost_usd"] is not None:
        return float(row["cost_usd"])
    known = {endpoint.name for endpoint in prepared.endpoints}
    if row["outcome"] in (*UNBILLED, "cancelled") or row["endpoint"] not in known:
        return 0.0
    names = ("seq", "round", "endpoint", "kind", "connection", "client", "warmup", "arm")
    asked = {name: row[name] for name in names}
    return prepared.worst_usd(Trial(due_ns=None, **asked)) if row["arm"] in prepared.models else 0.0
