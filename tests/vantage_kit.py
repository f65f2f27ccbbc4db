"""What the tests of vantages make: a run, its trials and samples, without any server."""

from __future__ import annotations

import ssl
from typing import Any

from bench.catalogue import load_catalogue
from bench.clients import Settings
from bench.model import Endpoint, Run, Sample, Trial
from bench.plan import make_plan, plan_sha256
from bench.prepare import Prepared

_ENDPOINT = Endpoint("a", "https://a.example", region="a")


def a_trial(seq: int, endpoint: str = "a") -> Trial:
    """A measured chat."""
    return Trial(seq, seq, endpoint, "chat", "warm", "httpx", warmup=False, due_ns=None)


def a_run(vantage: str = "here") -> Run:
    """As a vantage describes it."""
    plan = make_plan()
    return Run(
        run_id="r", plan=plan, plan_sha256=plan_sha256(plan), provider="xai", simulated=False,
        vantage=vantage, model="m", endpoints=(_ENDPOINT,), preflight=(), scheduled=1,
        started_at="", versions={}, clock={}, platform={},
    )  # fmt: skip


def a_sample(seq: int, **values: Any) -> Sample:
    """The row of `a_trial`."""
    known: dict[str, Any] = {
        "run_id": "r", "vantage": "here", "seq": seq, "round": seq, "endpoint": "a", "region": "a",
        "kind": "chat", "streamed": True, "client": "httpx", "connection": "warm", "warmup": False,
        "started_at": "2026-01-01T00:00:00.000000+00:00", "due_ns": None, "late_ns": None,
        "request_sha256": "0" * 64, "outcome": "ok", "total_ns": 5, "cost_usd": 0.5,
    }  # fmt: skip
    return Sample(**(known | values))


def prepared_at(vantage: str) -> Prepared:
    """Whoever reckons asks it for prices."""
    catalogue = load_catalogue("xai")
    model = next(one.id for one in catalogue.models if one.usd_per_million is not None)
    return Prepared(
        plan=make_plan(), catalogue=catalogue, asked=(_ENDPOINT,), endpoints=(_ENDPOINT,),
        checks=(), models={None: model}, vantage=vantage,
        settings=Settings(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None, 1.0),
    )  # fmt: skip
