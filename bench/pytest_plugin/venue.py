"""What one pytest session measures: its catalogue, its run, and the numbers of its rows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.awake import Pulse, beating
from bench.clients import CLIENTS
from bench.errors import PlanError
from bench.model import ASKING, CONNECTIONS, KINDS, Connection, Kind, Plan, Sample, Trial
from bench.prepare import Prepared, open_catalogue, prepare
from bench.probe import Stop, measure
from bench.pytest_plugin.asked import plan_of, where_of
from bench.session import bench_for, describe
from bench.store import runfile
from bench.units import format_usd
from bench.wire.clock import utc_text

if TYPE_CHECKING:
    import pytest

WARMED_FOR_FREE = ("httpx",)
"""Clients that open a connection with a request of another kind than the one that is timed."""


@dataclass(frozen=True, slots=True)
class Case:
    """What one benchmark asks, again and again."""

    endpoint: str
    kind: Kind
    connection: Connection
    client: str


class Venue:
    """The place of a session. Rows are numbered through, so that its file reads as one run."""

    def __init__(self, prepared: Prepared, pulse: Pulse) -> None:
        self.plan = prepared.plan
        self.run = describe(prepared)
        self._prepared = prepared
        self._bench = bench_for(prepared, self.run.run_id, pulse)
        self._seqs = itertools.count()
        self._rounds = itertools.count()
        self.interrupted = False
        self._sent: Counter[str] = Counter()
        self._usd = 0.0

    def case(
        self,
        endpoint: str,
        kind: Kind | None,
        connection: Connection | None,
        client: str | None,
    ) -> Case:
        """A case with the plan's first of what is not given. Raises PlanError for what cannot be
        asked here, naming what can."""
        plan = self.plan
        case = Case(
            endpoint,
            kind or plan.kinds[0],
            connection or plan.connections[0],
            client or plan.clients[0],
        )
        known = {
            "endpoint": self._bench.endpoints,
            "kind": KINDS,
            "connection": CONNECTIONS,
            "client": CLIENTS,
        }
        for name, names in known.items():
            if (value := getattr(case, name)) not in names:
                raise PlanError(f"there is no {name} {value!r}; there is {', '.join(names)}")
        self._check_means(case, plan)
        return case

    def _check_means(self, case: Case, plan: Plan) -> None:
        """Without a key only ``edge`` can be asked, without a model no question."""
        keyless = self._prepared.settings.key is None and case.kind != "edge"
        if keyless or (case.kind in ASKING and self._prepared.model is None):
            raise PlanError(
                f"{case.kind} was not prepared for, only {', '.join(plan.kinds)};"
                f" add it to --regionbench-kinds"
            )

    def samples(self, case: Case, rounds: int) -> Generator[Sample]:
        """One sample per request: a warm-up where one is free, then ``rounds``; see `Case`.

        Each is sent when it is asked for. Close the generator to close the connections.
        """
        for sample in measure(self._bench, self._trials(case, rounds), Stop()):
            self._sent["warming" if sample.warmup else "timed"] += 1
            self._usd += sample.cost_usd or 0.0
            yield sample

    def _trials(self, case: Case, rounds: int) -> Iterator[Trial]:
        if case.connection == "warm" and case.client in WARMED_FOR_FREE:
            yield self._trial(replace(case, kind="edge"), warmup=True)
        for _ in range(rounds):
            yield self._trial(case, warmup=False)

    def _trial(self, case: Case, *, warmup: bool) -> Trial:
        # A round of its own each: benchmarks follow each other, so no two of them share a round
        return Trial(
            seq=next(self._seqs),
            round=next(self._rounds),
            endpoint=case.endpoint,
            kind=case.kind,
            connection=case.connection,
            client=case.client,
            warmup=warmup,
            due_ns=None,
            worker=0 if warmup else None,
        )

    def document(self) -> dict[str, Any]:
        """What a ``run.json`` would say of this session, now that it is over."""
        status, sent = "interrupted" if self.interrupted else "complete", self._sent.total()
        run = replace(self.run, status=status, finished_at=utc_text(), scheduled=sent)
        return runfile.document(run)

    def words(self) -> str:
        """What was sent, where, and at what cost."""
        provider = self._prepared.catalogue.provider
        cost = "simulated: no money was spent" if provider.simulated else format_usd(self._usd)
        return (
            f"{self._sent['timed']} requests to {provider.name} were timed ({cost}), and"
            f" {self._sent['warming']} without a key opened connections."
        )


@contextmanager
def open_venue(config: pytest.Config) -> Iterator[Venue]:
    """A venue by the session's options; a fleet of its own runs until the context ends.

    Raises RegionbenchError: a wrong option, a missing key, a fleet that does not start.
    """
    plan, where = plan_of(config), where_of(config)
    with open_catalogue(plan, where) as catalogue, beating() as pulse:
        yield Venue(prepare(plan, catalogue, where, insist=True), pulse)
