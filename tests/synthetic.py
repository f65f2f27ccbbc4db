"""Rows as a run would leave them, made from a seed: food for tests of frame, stats, plots, report.

The world: every region has a median; global sends each round to one of the regions by weight, so
its distribution is the mixture that the product is meant to show.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

MEDIANS_MS = {"us-east-1": 240.0, "eu-west-1": 160.0, "us-west-2": 330.0}
WEIGHTS = {"us-east-1": 0.3, "eu-west-1": 0.55, "us-west-2": 0.15}
START = datetime(2026, 3, 14, 9, 0, 0, tzinfo=UTC)
RUN_ID = "20260314T090000Z-demo"


def run(
    endpoints: Sequence[str] = ("global", *MEDIANS_MS),
    dropped: Mapping[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The content of a ``run.json``; ``dropped`` maps an endpoint to its preflight's outcome."""
    unfit = dropped or {}
    plan = {
        "catalogue": "local",
        "endpoints": list(endpoints),
        "kinds": ["chat"],
        "connections": ["warm"],
        "clients": ["httpx"],
        "stream": True,
        "rounds": 40,
        "warmup_rounds": 1,
        "seed": 1,
        "timeout_s": 60.0,
    }
    plan |= changes.pop("plan", {})
    return {
        "run_id": RUN_ID,
        "plan": plan,
        "plan_sha256": "c0ffee" * 10 + "c0ff",
        "provider": "local",
        "simulated": True,
        "vantage": "test-host",
        "model": "grok-sim",
        "endpoints": [{"name": n, "url": f"https://{n}.example/v1"} for n in (*endpoints, *unfit)],
        "preflight": [
            *({"endpoint": n, "host": f"{n}.example", "outcome": "ok"} for n in endpoints),
            *(
                {"endpoint": n, "host": f"{n}.example", "outcome": outcome, "detail": "no address"}
                for n, outcome in unfit.items()
            ),
        ],
        "scheduled": 0,
        "started_at": START.isoformat(),
        "versions": {"regionbench": "0.1.0", "python": "3.11"},
        "clock": {"source": "monotonic_raw", "resolution_ns": 1},
        "platform": {"system": "Linux", "cpus": 2},
        "status": "finished",
        "schema_version": 1,
    } | changes


def rows(
    rounds: int = 40,
    endpoints: Sequence[str] = ("global", *MEDIANS_MS),
    *,
    seed: int = 1,
    medians_ms: Mapping[str, float] = MEDIANS_MS,
    fail: Mapping[str, float] | None = None,
    outcome: str = "server_error",
    kind: str = "chat",
    connections: Sequence[str] = ("warm",),
    sigma: float = 0.2,
    warmup_rounds: int = 1,
    drift: float = 0.0,
    tail: float = 0.03,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Rows of one run: ``rounds`` of every endpoint per connection, after the warm-up rounds.

    ``fail`` is each endpoint's failure share, ``drift`` the relative rise of latency over the run,
    ``changes`` overwrite columns of every row.
    """
    rng = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(-warmup_rounds, rounds):
        slow = 1 + drift * max(0, number) / max(1, rounds)
        for connection in connections:
            for endpoint in rng.sample(list(endpoints), len(endpoints)):
                region = _served(rng, endpoint, medians_ms)
                ms = medians_ms[region] * slow * math.exp(rng.gauss(0, sigma))
                ms += rng.expovariate(1 / 600) if rng.random() < tail else 0
                failed = rng.random() < (fail or {}).get(endpoint, 0)
                row = _row(len(made), number, endpoint, kind, connection, ms, rng)
                row |= _failure(outcome) if failed else {}
                made.append(row | {"warmup": number < 0} | changes)
    return made


def _served(rng: random.Random, endpoint: str, medians: Mapping[str, float]) -> str:
    if endpoint in medians:
        return endpoint
    names = list(medians)
    return rng.choices(names, [WEIGHTS.get(name, 0.2) for name in names])[0]


def _row(
    seq: int, number: int, endpoint: str, kind: str, connection: str, ms: float, rng: random.Random
) -> dict[str, Any]:
    cold = connection == "cold"
    rtt = 12.0 + 0.1 * ms
    set_up = {"dns_ns": _ns(4), "tcp_ns": _ns(rtt), "tls_ns": _ns(1.4 * rtt)} if cold else {}
    extra = (4 + 2.4 * rtt) if cold else 0.0
    chat = kind == "chat"
    total = extra + ms + (18 * rng.uniform(2, 4) if chat else 1.0)
    return {
        "run_id": RUN_ID,
        "seq": seq,
        "round": number,
        "endpoint": endpoint,
        "region": None if endpoint == "global" else endpoint,
        "kind": kind,
        "streamed": chat,
        "client": "httpx",
        "connection": connection,
        "vantage": "test-host",
        "started_at": (START + timedelta(seconds=seq * 0.5)).isoformat(),
        "outcome": "ok",
        "status": 200,
        **set_up,
        "send_ns": _ns(0.1),
        "ttfb_ns": _ns(0.8 * ms),
        "ttft_ns": _ns(extra + ms) if chat else None,
        "total_ns": _ns(total),
        "min_rtt_ns": _ns(rtt),
        "server_e2e_ms": total - extra - rtt,
        "wakeup_late_ns": _ns(0.05),
        "reused": not cold,
        "http_version": "HTTP/1.1",
        "model": "grok-sim" if chat else None,
        "prompt_tokens": 24 if chat else None,
        "completion_tokens": 4 if chat else None,
        "cached_tokens": 0 if chat else None,
        "cost_usd": 0.0001 if chat else None,
        "request_sha256": "ab" * 32,
    }


def _failure(outcome: str) -> dict[str, Any]:
    status = {"server_error": 500, "capacity": 503, "rate_limited": 429}.get(outcome)
    return {
        "outcome": outcome,
        "failed_phase": "ttfb",
        "status": status,
        "error": f"{outcome} by design",
        "ttft_ns": None,
        "model": None,
        "prompt_tokens": None,
        "completion_tokens": None,
        "cached_tokens": None,
        "cost_usd": None,
        "server_e2e_ms": None,
    }


def _ns(ms: float) -> int:
    return round(ms * 1e6)
