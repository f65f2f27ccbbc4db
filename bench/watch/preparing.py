"""Who can be watched: like a run, but who is away for a while stays."""

from __future__ import annotations

from dataclasses import replace

from bench.catalogue import Catalogue
from bench.model import Check, Plan
from bench.preflight import measurable
from bench.prepare import Prepared, Where, prepare

AWAY = frozenset(
    ("connect_fail", "tls_fail", "timeout", "rate_limited", "capacity", "server_error")
)
"""How an endpoint fails the preflight that may answer in an hour."""


def prepare_watch(plan: Plan, catalogue: Catalogue, where: Where) -> Prepared:
    """As `bench.prepare.prepare`; of endpoints that do not answer now, those that may later and
    those that were named are kept. Raises as that does, NothingMeasured when none answers."""
    prepared = prepare(plan, catalogue, where, insist=True)
    measurable(prepared.asked, prepared.checks)
    kept = {check.endpoint for check in prepared.checks if _kept(check, plan)}
    endpoints = tuple(one for one in prepared.asked if one.name in kept)
    return replace(prepared, endpoints=endpoints)


def _kept(check: Check, plan: Plan) -> bool:
    named = check.endpoint in plan.endpoints and check.outcome != "model_missing"
    return check.outcome == "ok" or check.outcome in AWAY or named
