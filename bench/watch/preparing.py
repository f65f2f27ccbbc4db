"""Who can be watched: like a run, but who is away for a while stays."""

from __future__ import annotations

from dataclasses import replace

from bench.catalogue import Catalogue
from bench.errors import PlanError, UsageError
from bench.model import ASKING, Check, Plan
from bench.preflight import measurable
from bench.prepare import Prepared, Where, prepare
from bench.schedule import schedule
from bench.units import format_usd

AWAY = frozenset(
    ("connect_fail", "tls_fail", "timeout", "rate_limited", "capacity", "server_error")
)
"""How an endpoint fails the preflight that may answer in an hour."""


def check_watched(plan: Plan) -> Plan:
    """The plan itself, if its rows can be told apart by endpoint and model. Raises PlanError."""
    asking = [kind for kind in plan.kinds if kind in ASKING]
    rules = {
        "kinds: a watch asks a model in one way, and for one cheap thing beside it": len(asking)
        <= 1
        and len(plan.kinds) - len(asking) <= 1,
        "connections: a watch is over one kind of connection; name one": len(plan.connections) == 1,
        "clients: a watch is with one client; name one": len(plan.clients) == 1,
        "batch: each run folder of a watch is judged by itself; leave it out": plan.batch is None,
        "rate: a watch has its own pace; say --every instead": plan.rate is None,
        "arms: a watch tells models apart, and nothing else; give each arm a model of its own": len(
            {arm.model for arm in plan.arms.values()}
        )
        == len(plan.arms),
    }
    for text, holds in rules.items():
        if not holds:
            raise PlanError(text)
    return plan


def prepare_watch(
    plan: Plan, catalogue: Catalogue, where: Where, day_usd: float | None = None
) -> Prepared:
    """As `bench.prepare.prepare`; of endpoints that do not answer now, those that may later and
    those that were named are kept. ``day_usd`` has to be enough for a round.

    Raises as that and `check_watched` do, NothingMeasured when none answers.
    """
    check_watched(plan)
    limited = where if day_usd is None else replace(where, max_usd=where.max_usd or day_usd)
    prepared = prepare(plan, catalogue, limited, insist=True)
    measurable(prepared.asked, prepared.checks)
    kept = {check.endpoint for check in prepared.checks if _kept(check, plan)}
    endpoints = tuple(one for one in prepared.asked if one.name in kept)
    prepared = replace(prepared, endpoints=endpoints)
    if day_usd is not None and day_usd < (round_usd := _round_usd(prepared)):
        raise UsageError(
            f"--max-usd-per-day {day_usd:g}: a single round may cost {format_usd(round_usd)}; allow"
            " more, or ask for less"
        )
    return prepared


def _round_usd(prepared: Prepared) -> float:
    """The most that one round should cost."""
    one = replace(prepared.plan, rounds=1, warmup_rounds=0)
    trials = schedule(one, [endpoint.name for endpoint in prepared.endpoints])
    return sum(prepared.worst_usd(trial) for trial in trials)


def _kept(check: Check, plan: Plan) -> bool:
    named = check.endpoint in plan.endpoints and check.outcome != "model_missing"
    return check.outcome == "ok" or check.outcome in AWAY or named
