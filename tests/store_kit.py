"""What the store's tests share: small runs and rows, likely ones and unlikely ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bench.model import COLUMNS, Plan, Run, Sample
from bench.store import RunWriter
from bench.store.lines import column_types, item_types

REQUIRED = {f.name for f in dataclasses.fields(Sample) if f.default is dataclasses.MISSING} - {
    "region",
    "due_ns",
    "late_ns",
}


def sample(seq: int, **changes: Any) -> Sample:
    """A likely row, different for each ``seq``."""
    values: dict[str, Any] = {
        "run_id": "r1",
        "seq": seq,
        "round": seq // 4,
        "endpoint": ("global", "us-east-1", "eu-west-1", "us-west-2")[seq % 4],
        "region": None,
        "kind": "chat",
        "streamed": True,
        "client": "httpx",
        "connection": "warm",
        "warmup": seq < 4,
        "vantage": "here",
        "started_at": "2025-01-01T00:00:00.000000Z",
        "due_ns": None,
        "late_ns": None,
        "request_sha256": f"{seq:064x}",
        "outcome": "ok",
        "status": 200,
        "ttft_ns": 150_000_000 + seq,
        "total_ns": 900_000_000 + seq,
        "token_offsets_ns": (150_000_000, 150_000_000 + seq),
        "token_coalesced": (False, True),
        "cost_usd": 0.000123,
        "model": "grok-4",
    }
    return Sample(**(values | changes))


def run(scheduled: int = 10, **changes: Any) -> Run:
    """A likely run."""
    values: dict[str, Any] = {
        "run_id": "r1",
        "plan": Plan(),
        "plan_sha256": "0" * 64,
        "provider": "xai",
        "simulated": True,
        "vantage": "here",
        "model": "grok-4",
        "endpoints": (),
        "preflight": (),
        "scheduled": scheduled,
        "started_at": "2025-01-01T00:00:00.000000Z",
        "versions": {"regionbench": "0.1.0"},
        "clock": {},
        "platform": {},
    }
    return Run(**(values | changes))


def row(of: Sample) -> dict[str, Any]:
    """The row that a reader must give for a sample."""
    return {name: getattr(of, name) for name in COLUMNS}


def written(results: Path, count: int = 10, status: str | None = "complete") -> Path:
    """A run folder with ``count`` rows; without a status it was left as by a kill."""
    with RunWriter.create(results, run(count)) as writer:
        for seq in range(count):
            writer.append(sample(seq))
        if status is not None:
            writer.finish(status, finished_at="2025-01-01T00:01:00.000000Z")
    return writer.folder


def _values(name: str) -> st.SearchStrategy[Any]:
    plain: dict[type, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(-1e18, 1e18),
        bool: st.booleans(),
        str: st.text(),
    }
    kind = column_types()[name]
    if kind is tuple:
        return st.lists(plain[item_types()[name]], max_size=4).map(tuple)
    return plain[kind]


def samples() -> st.SearchStrategy[Sample]:
    """Every row that the types allow."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        name: _values(name) if name in REQUIRED else st.none() | _values(name) for name in COLUMNS
    }
    return st.fixed_dictionaries(fields).map(_sample)


def _sample(values: dict[str, Any]) -> Sample:
    return Sample(**values)
