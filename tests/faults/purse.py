"""What a run spends when every request of it meets the same fault: a server that counts.

Each `Bill` is a whole run of the product, from a plan to a run folder, with several requests in
flight and a limit; `heard` is the server's own count.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.admission import Admission
from bench.awake import beating
from bench.budget import Budget, Limits
from bench.catalogue import Catalogue
from bench.manners import EVERY_ROUNDS, FAILURES, PAUSE_S, Manners
from bench.model import NOT_ASKED, Plan, Sample
from bench.plan import make_plan
from bench.prepare import Prepared
from bench.probe import Stop, measure
from bench.schedule import schedule
from bench.session import bench_for, describe, record
from bench.store import RunWriter
from bench.wire.clock import utc_text
from tests.faults.answers import USAGE
from tests.faults.case import Case
from tests.faults.first_rank import RETRY_AFTER
from tests.faults.lane import Ground, Way
from tests.faults.matrix import CASES, why_not
from tests.faults.places import PLACES
from tests.faults.stage import HEALTHY, Setting, Stage, on_stage
from tests.faults.trust import HOST

LIMIT, IN_FLIGHT = 7, 3
ROUNDS = 30
RARELY = FAILURES + (ROUNDS - FAILURES) // EVERY_ROUNDS
"""How often a dead endpoint may be asked in so many rounds."""

WORST_USD, LIMIT_USD = 4.112, 22.0
"""A request's worst price here, and a limit that five of them fit in."""

_SHORT_S, _LONG_S, _PAUSE_S = 1.0, 20.0, 1.0
_AT_ONCE = 6

_CATALOGUE = Catalogue.model_validate(
    {
        "provider": {"name": "faults"},
        "endpoints": [{"name": "faulty", "url": f"https://{HOST}"}],
        "models": [{"id": "m", "usd_per_million": {"input": 0, "output": 1000}}],
    }
)

_HUGE = 2**60
LIES: Mapping[str, Mapping[str, Any]] = {
    "a usage that is absent": {},
    "a usage of 0": dict.fromkeys(USAGE, 0),
    "a negative usage": dict.fromkeys(USAGE, -5),
    "a huge usage": dict.fromkeys(USAGE, _HUGE),
    "a huge cost": {**USAGE, "cost_in_usd_ticks": 10**15},
    "a usage of NaN": dict.fromkeys(USAGE, float("nan")),
    "a usage in words": dict.fromkeys(USAGE, "9"),
}
_GRPC_LIES: Mapping[str, Mapping[str, int]] = {
    "a usage that is absent": {},
    "a usage of 0": {**dict.fromkeys(USAGE, 0), "total_tokens": 11},
    "a negative usage": {**dict.fromkeys(USAGE, -5), "total_tokens": -5},
    "a huge usage": {
        **dict.fromkeys((*USAGE, "total_tokens"), 2**31 - 1),
        "cost_in_usd_ticks": _HUGE,
    },
    "a huge cost": {**USAGE, "total_tokens": 11, "cost_in_usd_ticks": 10**15},
}


@dataclass(frozen=True)
class Bill:
    """One run: what the server counted, how many rows say that they were sent, and its limit.

    ``hasty`` rows began before the pause that a server asked for was over.
    """

    kind: str
    case: str
    client: str
    allowed: int
    heard: int
    sent: int
    connections: int
    hasty: int = 0

    @property
    def beyond(self) -> int:
        """Requests, or connections to a dead endpoint, above what was allowed."""
        return max(0, max(self.heard, self.sent) - self.allowed)

    @property
    def twice(self) -> int:
        """Requests that the server heard and no row tells of; to a dead endpoint, connections."""
        dead = self.kind == "dead"
        return max(0, (self.connections if dead else self.heard) - self.sent)


@dataclass(frozen=True)
class Errand:
    """A run that is to be made."""

    kind: str
    case: Case
    way: Way
    plan: Plan
    limits: Limits
    allowed: int
    usage: Mapping[str, Any] | None = None
    label: str | None = None
    pause_s: float = 0.0


def errands(clients: Sequence[str]) -> Iterator[Errand]:
    """Every run there is: limits under each fault, dead endpoints, lies, pauses."""
    for client in clients:
        for case in CASES:
            if (way := _way(client, case)) is not None and case.outcome != "cancelled":
                yield _dead(case, way) if case.opening else _limited(case, way)
        yield from _lied_to(client)
        yield from _paused(client)


def _way(client: str, case: Case) -> Way | None:
    """The one in which it is met: on kept connections where that makes sense."""
    http2 = client == "xai-sdk" or case.http == "2"
    for connection in ("warm", "cold"):
        way = Way(client, http2, case.shape != "at once", connection)
        if why_not(case, way) is None:
            return way
    return None


def _plan(way: Way, case: Case, **more: Any) -> Plan:
    return make_plan(
        stream=way.streamed,
        connections=(way.connection,),
        clients=(way.client,),
        http2=way.http2,
        timeout_s=_SHORT_S if case.waits else _LONG_S,
        warmup_rounds=0,
        **more,
    )


def _limited(case: Case, way: Way) -> Errand:
    plan = _plan(way, case, rounds=3 * LIMIT, concurrency=IN_FLIGHT)
    return Errand("limit", case, way, plan, Limits(requests=LIMIT), LIMIT)


def _dead(case: Case, way: Way) -> Errand:
    return Errand("dead", case, way, _plan(way, case, rounds=ROUNDS), Limits(), RARELY)


def _lied_to(client: str) -> Iterator[Errand]:
    way = _way(client, HEALTHY)
    assert way is not None
    plan = _plan(way, HEALTHY, rounds=12, concurrency=IN_FLIGHT)
    allowed, limits = int(LIMIT_USD // WORST_USD), Limits(usd=LIMIT_USD)
    for name, usage in (_GRPC_LIES if client == "xai-sdk" else LIES).items():
        yield Errand("lie", HEALTHY, way, plan, limits, allowed, usage, name)


def _paused(client: str) -> Iterator[Errand]:
    for value, asked_s in RETRY_AFTER.items():
        case = next(case for case in CASES if case.name == f"429, Retry-After: {value}")
        way = _way(client, case)
        assert way is not None
        pause_s = PAUSE_S if asked_s is None else asked_s
        plan = _plan(way, case, rounds=3)
        yield Errand("pause", case, way, plan, Limits(), 3, pause_s=pause_s)


def some(found: Sequence[Errand], count: int, seed: int) -> list[Errand]:
    """So many of them, none that waits for its deadline."""
    quick = [errand for errand in found if not errand.case.waits]
    return random.Random(seed).sample(quick, count)


def settle(ground: Ground, results: Path, found: Sequence[Errand]) -> list[Bill]:
    """Make every run, several at a time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda errand: _settle(ground, results, errand), found))


def _settle(ground: Ground, results: Path, errand: Errand) -> Bill:
    case, way = errand.case, errand.way
    setting = Setting(
        ground.contexts,
        way.http2,
        way.streamed,
        grpc=way.client == "xai-sdk",
        every=True,
        echo=ground.echo,
        usage=errand.usage,
    )
    with ExitStack() as stack:
        stage, endpoint = Stage(), _CATALOGUE.endpoints[0]
        if case.place is not None:
            address = stack.enter_context(PLACES[case.place](setting))
            endpoint = replace(address, name=endpoint.name)
        else:
            stage = stack.enter_context(on_stage(case, setting))
            endpoint = replace(endpoint, connect=stage.address)
        settings = ground.settings(errand.plan.timeout_s, http2=errand.plan.http2)
        ready = Prepared(
            plan=errand.plan,
            catalogue=_CATALOGUE,
            asked=(endpoint,),
            endpoints=(endpoint,),
            checks=(),
            models={None: "m"},
            settings=settings,
            vantage="here",
        )
        longest_s = _PAUSE_S if errand.kind == "pause" else 0.0
        rows = _run(ready, results, errand.limits, longest_s)
    sent = [row for row in rows if NOT_ASKED not in (row.flags or "")]
    return Bill(
        errand.kind,
        errand.label or case.name,
        way.client,
        errand.allowed,
        stage.heard,
        len(sent),
        stage.connections,
        _hasty(rows, min(_PAUSE_S, errand.pause_s)) if errand.kind == "pause" else 0,
    )


def _hasty(rows: Sequence[Sample], pause_s: float) -> int:
    """What began too early: a wait that is in a row's time would have begun with it."""
    began = [dt.datetime.fromisoformat(row.started_at).timestamp() for row in rows]
    return sum(after - before < pause_s for before, after in itertools.pairwise(began))


def _run(ready: Prepared, results: Path, limits: Limits, pause_s: float) -> list[Sample]:
    """As `bench.session.execute`, but for signals and for how long a pause may last."""
    rows: list[Sample] = []
    run, stop, plan = describe(ready), Stop(), ready.plan
    door = Admission(Budget(limits, ready.worst_usd), Manners(longest_pause_s=pause_s))
    with RunWriter.create(results, run) as writer, beating() as pulse:
        trials = schedule(plan, ["faulty"])
        samples = measure(bench_for(ready, run.run_id, pulse), trials, stop, plan.concurrency, door)
        record(samples, writer, rows.append)
        writer.finish(stop.status, finished_at=utc_text(), reason=stop.reason)
    return rows
