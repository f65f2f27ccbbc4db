"""A year of watching, made from a seed: runs in the store's own format, whole columns at a time."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.model import COLUMNS, Connection, Endpoint, Plan, Run
from bench.store import parquet, runfile
from bench.store.columns import arrow_type

RUNS = 300
ENDPOINTS = ("global", "us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1")
CONNECTIONS: tuple[Connection, ...] = ("warm", "cold")
MEDIANS_MS = np.array([190.0, 240.0, 330.0, 160.0, 410.0])
FAILING = 0.004
_PER_ROUND = len(ENDPOINTS) * len(CONNECTIONS)
_FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_SECOND_NS = 1_000_000_000


def make(results: Path, rows: int, runs: int = RUNS) -> Path:
    """A results folder of ``runs`` runs with about ``rows`` rows in all, unless it is there."""
    done = results / "made"
    if not done.exists():
        rounds = max(1, round(rows / runs / _PER_ROUND))
        for number in range(runs):
            _write(results, number, rounds)
        done.touch()
    return results


def _write(results: Path, number: int, rounds: int) -> None:
    began = _FIRST + dt.timedelta(days=number)
    run = _run(f"{began:%Y%m%dT%H%M%S}-{number:06x}", began, rounds)
    data = parquet.encode_table(_table(run, began, rounds, np.random.default_rng(number)))
    folder = results / run.run_id
    folder.mkdir(parents=True)
    (folder / parquet.NAME).write_bytes(data)
    facts = {"rows": run.scheduled, "parquet": {"rows": run.scheduled, **parquet.vouched(data)}}
    runfile.write(folder, runfile.document(run, **facts))


def _run(run_id: str, began: dt.datetime, rounds: int) -> Run:
    return Run(
        run_id=run_id,
        plan=Plan(catalogue="fleet", rounds=rounds, connections=CONNECTIONS, warmup_rounds=1),
        plan_sha256="0" * 64,
        provider="fleet",
        simulated=True,
        vantage="here",
        model="grok-4.3",
        endpoints=tuple(Endpoint(name, f"https://{name}.fleet.test") for name in ENDPOINTS),
        preflight=(),
        scheduled=rounds * _PER_ROUND,
        started_at=began.isoformat(timespec="microseconds"),
        versions={},
        clock={},
        platform={},
        status="complete",
    )


def _table(run: Run, began: dt.datetime, rounds: int, rng: np.random.Generator) -> pa.Table:
    n = run.scheduled
    seq = np.arange(n)
    # Each round in an order of its own
    order = rng.permuted(np.tile(np.arange(_PER_ROUND), (rounds, 1)), axis=1).ravel()
    endpoint, cold = order % len(ENDPOINTS), order >= len(ENDPOINTS)
    found = {**_names(run, rng, n), **_times(rng, seq, endpoint, cold)}
    found |= {
        "seq": pa.array(seq),
        "round": pa.array(seq // _PER_ROUND),
        "endpoint": _coded(endpoint, ENDPOINTS),
        "region": _coded(endpoint, (None, *ENDPOINTS[1:])),
        "connection": _coded(cold.astype(int), CONNECTIONS),
        "reused": pa.array(~cold),
        "warmup": pa.array(seq < _PER_ROUND),
        "started_at": _started(began, seq),
    }
    columns = [
        found[name].cast(arrow_type(name)) if name in found else pa.nulls(n, arrow_type(name))
        for name in COLUMNS
    ]
    return pa.Table.from_arrays(columns, schema=parquet.schema())


def _names(run: Run, rng: np.random.Generator, n: int) -> dict[str, Any]:
    same: dict[str, Any] = {"run_id": run.run_id, "kind": "chat", "client": "httpx"}
    same |= {"vantage": "here", "http_version": "HTTP/1.1", "tls_version": "TLSv1.3"}
    same |= {"streamed": True, "ttfb_layer": "kernel", "clock_step": False}
    rounds = [hashlib.sha256(f"{run.run_id}{i}".encode()).hexdigest() for i in range(n // 10)]
    tokens = rng.integers(3, 40, n)
    return {
        **{name: pa.repeat(pa.scalar(value), n) for name, value in same.items()},
        "request_sha256": _coded(np.arange(n) // _PER_ROUND, rounds),
        "request_id": pa.array([one.hex() for one in _ids(rng, n)]),
        "peer_ip": _coded(rng.integers(0, 8, n), [f"10.0.0.{i}" for i in range(8)]),
        "bytes": pa.array(900 + 100 * tokens),
        "prompt_tokens": pa.repeat(pa.scalar(24), n),
        "completion_tokens": pa.array(tokens),
        "reasoning_tokens": pa.repeat(pa.scalar(0), n),
        "cached_tokens": pa.repeat(pa.scalar(0), n),
        "cost_usd": pa.array(1e-6 * tokens),
    }


def _ids(rng: np.random.Generator, n: int) -> list[bytes]:
    raw = rng.bytes(16 * n)
    return [raw[16 * i : 16 * i + 16] for i in range(n)]


def _times(rng: np.random.Generator, seq: Any, endpoint: Any, cold: Any) -> dict[str, Any]:
    """Lognormal answers with a tail and a drift; a failure has no time to first token."""
    n = len(seq)
    work_ms = MEDIANS_MS[endpoint] * np.exp(rng.normal(0, 0.2, n))
    work_ms = work_ms * (1 + 0.05 * np.sin(seq / 4000)) + rng.exponential(600, n) * (
        rng.random(n) < 0.02
    )
    rtt_ms = 10 + 0.1 * MEDIANS_MS[endpoint] * rng.uniform(0.95, 1.2, n)
    set_up_ms = np.where(cold, 3 + 2.4 * rtt_ms, 0.0)
    bad = rng.random(n) < FAILING
    answered = {
        "ttft_ns": set_up_ms + work_ms,
        "first_event_ns": set_up_ms + 0.99 * work_ms,
        "last_token_ns": set_up_ms + work_ms * 1.3,
    }
    every = {
        "send_ns": rng.uniform(0.05, 0.2, n),
        "ttfb_ns": 0.8 * work_ms,
        "ttfb_kernel_ns": 0.799 * work_ms,
        "total_ns": set_up_ms + work_ms * 1.32,
        "min_rtt_ns": rtt_ms,
        "rtt_ns": rtt_ms * 1.1,
        "wakeup_late_ns": rng.exponential(0.05, n),
        "late_ns": rng.exponential(0.2, n),
    }
    opened = {"dns_ns": 3 * rng.uniform(0.5, 2, n), "tcp_ns": rtt_ms, "tls_ns": 1.4 * rtt_ms}
    first_ns = np.repeat(_ns(set_up_ms + work_ms), 4)
    offsets: Any = pa.array(first_ns + np.tile(np.arange(4), n) * 9_000_000)
    places: Any = np.arange(0, 4 * n + 1, 4, dtype=np.int32)
    return {
        **{name: pa.array(_ns(ms), mask=bad) for name, ms in answered.items()},
        **{name: pa.array(_ns(ms)) for name, ms in every.items()},
        **{name: pa.array(_ns(ms), mask=~cold) for name, ms in opened.items()},
        "token_offsets_ns": pa.ListArray.from_arrays(places, offsets),
        "server_e2e_ms": pa.array(work_ms * 1.25, mask=bad),
        "outcome": _coded(bad.astype(int), ("ok", "server_error")),
        "failed_phase": _coded(bad.astype(int), (None, "ttfb")),
        "status": pa.array(np.where(bad, 503, 200)),
        "model": _coded(bad.astype(int), ("grok-4.3", None)),
    }


def _ns(ms: Any) -> Any:
    return np.rint(ms * 1e6).astype(np.int64)


def _coded(codes: Any, names: Any) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()))


def _started(began: dt.datetime, seq: Any) -> Any:
    """As the store writes instants: microseconds and the zone."""
    start_ns = np.datetime64(began.replace(tzinfo=None), "us")
    texts = np.datetime_as_string(start_ns + seq * 500_000, unit="us")
    return pa.array(np.strings.add(texts, "+00:00"))
