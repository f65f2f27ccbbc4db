"""One run through many faults: the product's own loop, one fault after the other on one client.

Each case is three requests, or four on a kept connection: what warms it, the fault, a request to a
healthy server, and one more to the server that had the fault.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import trustme

from bench.admission import Admission
from bench.budget import Budget, Limits
from bench.clients import Client, Settings, make_client
from bench.key import Key
from bench.manners import Manners
from bench.model import Connection, Endpoint, Sample, Trial
from bench.plan import make_plan
from bench.probe import Bench, Stop, measure
from bench.request import build_request
from bench.wire.trust import trust
from tests.canary import CANARY, leaks
from tests.faults.case import Case
from tests.faults.judge import HANG_S, Seen, latency_problems, outcome_problems
from tests.faults.places import PLACES
from tests.faults.stage import HEALTHY, Setting, Stage, on_stage
from tests.faults.trust import HOST, Contexts

SHORT_S, LONG_S = 3.0, 20.0
"""Deadlines of cases that end with theirs, and of those that must not come near it."""

_LAST_STEP_S = 5.0


@dataclass(frozen=True)
class Way:
    """How a fault is met."""

    client: str
    http2: bool
    streamed: bool
    connection: Connection

    @property
    def words(self) -> str:
        """For people."""
        shape = "streamed" if self.streamed else "at once"
        return f"{self.client} HTTP/{'2' if self.http2 else '1.1'} {shape} {self.connection}"


@dataclass(frozen=True)
class Cell:
    """One fault met in one way: what the row said, and what is wrong with it.

    ``again``: it was met twice, because the first time nothing but time was wrong, as on a machine
    that is busy with other things.
    """

    case: str
    rank: int
    way: Way
    outcome: str = "none"
    phase: str | None = None
    error: str | None = None
    wrong: tuple[str, ...] = ()
    hangs: bool = False
    latencies: tuple[str, ...] = ()
    harmed: tuple[str, ...] = ()
    reached: bool = True
    leaks: tuple[str, ...] = ()
    again: bool = False

    @property
    def late(self) -> bool:
        """Whether nothing else is wrong than time: the deadline came late, or a healthy server's
        answer after its own. Harm that the fault did is there the second time too."""
        only = not (self.wrong or self.latencies or self.leaks)
        waited = self.hangs or bool(self.harmed)
        return only and waited and all("'timeout'" in words for words in self.harmed)

    @property
    def problems(self) -> tuple[str, ...]:
        """All that is wrong."""
        hang = ("hangs",) if self.hangs else ()
        blind = () if self.reached else ("the server did not reach its last step",)
        told = tuple(f"the key in a row, {way}" for way in self.leaks)
        return (*self.wrong, *hang, *self.latencies, *self.harmed, *blind, *told)


class Ground:
    """What all lanes stand on: a certificate authority, certificates, and the canary for a key,
    which servers say back where ``echo`` is on. ``rows`` are all that were got."""

    def __init__(self, folder: Path, *, echo: bool = False) -> None:
        self.echo = CANARY if echo else ""
        self.rows: list[Sample] = []
        ca = trustme.CA()
        self.file = folder / "ca.pem"
        ca.cert_pem.write_to_path(str(self.file))
        self.contexts = Contexts(ca)

    def settings(self, timeout_s: float, *, http2: bool) -> Settings:
        """Client settings that believe this ground's authority."""
        settings = Settings(trust(self.file), Key(CANARY), timeout_s, http2)
        return replace(settings, ca=self.file)


@dataclass
class Lane:
    """Cases that share a client, a protocol, a shape and a deadline."""

    ground: Ground
    way: Way
    timeout_s: float
    cells: list[Cell] = field(default_factory=list)
    current: str = ""
    _clients: list[Client] = field(default_factory=list)
    _endpoints: dict[str, Endpoint] = field(default_factory=dict)
    _latest: list[Sample] = field(default_factory=list)
    _leaks: set[str] = field(default_factory=set)

    def run(self, cases: Iterable[tuple[Case, Connection]]) -> None:
        """Meet every case; `cells` has one for each that is over."""
        plan = make_plan(stream=self.way.streamed)
        request = build_request("chat", plan, api="/v1", model="m", parameters={}, nonce="0" * 16)
        bench = Bench(
            run_id="faults",
            vantage="here",
            endpoints=self._endpoints,
            request_for=lambda *_: request,
            make_client=self._make_client,
            price=lambda *_: None,
        )
        with on_stage(HEALTHY, self._setting()) as healthy:
            self._endpoints["healthy"] = self._endpoint("healthy", healthy.address)
            for sample in measure(bench, self._trials(cases), Stop(), admission=_impatient()):
                self._latest.append(sample)
                self._leaks |= set(leaks(repr(sample).encode()))
                self.ground.rows.append(sample)

    def _make_client(self, name: str) -> Client:
        settings = self.ground.settings(self.timeout_s, http2=self.way.http2)
        self._clients.append(make_client(name, settings))
        return self._clients[-1]

    def _setting(self, *, warm: bool = False) -> Setting:
        way, contexts = self.way, self.ground.contexts
        grpc = way.client == "xai-sdk"
        echo = self.ground.echo
        return Setting(contexts, way.http2 or grpc, way.streamed, grpc=grpc, warm=warm, echo=echo)

    @staticmethod
    def _endpoint(name: str, address: str | None, host: str = HOST) -> Endpoint:
        return Endpoint(name, f"https://{host}", connect=address)

    # Trials: the next one is asked for when the row of the one before is there

    def _trials(self, cases: Iterable[tuple[Case, Connection]]) -> Iterator[Trial]:
        numbers = itertools.count()
        yield self._trial(next(numbers), "healthy", "cold")  # making a client takes its time
        for number, (case, connection) in enumerate(cases):
            self.current = f"{case.name}, {replace(self.way, connection=connection).words}"
            yield from self._stage(case, connection, f"{number}: {case.name}", numbers)
            if self.cells[-1].late:
                self.cells.pop()
                yield from self._stage(case, connection, f"{number}, again: {case.name}", numbers)
                self.cells[-1] = replace(self.cells[-1], again=True)

    def _stage(
        self, case: Case, connection: Connection, name: str, numbers: Iterator[int]
    ) -> Iterator[Trial]:
        with ExitStack() as stack:
            stage, endpoint = self._open(stack, case, connection == "warm")
            self._endpoints[name] = endpoint or self._endpoint(name, stage.address)
            yield from self._meet(case, connection, name, stage, numbers)

    def _open(self, stack: ExitStack, case: Case, warm: bool) -> tuple[Stage, Endpoint | None]:
        if case.place is not None:
            return Stage(), stack.enter_context(PLACES[case.place](self._setting()))
        stage = stack.enter_context(on_stage(case, self._setting(warm=warm)))
        stage.interrupt = lambda: self._clients[-1].interrupt()
        return stage, None

    def _meet(
        self,
        case: Case,
        connection: Connection,
        name: str,
        stage: Stage,
        numbers: Iterator[int],
    ) -> Iterator[Trial]:
        harmed: list[str] = []

        def ask(endpoint: str) -> Trial:
            self._latest.clear()
            return self._trial(next(numbers), endpoint, connection)

        if connection == "warm":
            yield ask(name)
            harmed += self._unless_ok("the request before")
            if case.before and not stage.idle.wait(_LAST_STEP_S):
                harmed.append("the server did not do what comes before")
        before, began_s = stage.heard, time.monotonic()
        yield ask(name)
        took_s = time.monotonic() - began_s
        reached = case.place is not None or stage.reached.wait(_LAST_STEP_S)
        seen = Seen(tuple(self._latest), took_s, stage.heard - before, reached)
        yield ask("healthy")
        harmed += self._unless_ok("the next request")
        if case.place is None:
            yield ask(name)
            harmed += self._unless_ok("the next one to the same server")
        self._conclude(case, connection, seen, harmed)

    def _trial(self, seq: int, endpoint: str, connection: Connection) -> Trial:
        return Trial(seq, 0, endpoint, "chat", connection, self.way.client, False, None)

    def _unless_ok(self, which: str) -> list[str]:
        found = [(row.outcome, row.error) for row in self._latest if row.outcome != "ok"]
        return [f"{which} was {found}"] if found or len(self._latest) != 1 else []

    def _conclude(self, case: Case, connection: Connection, seen: Seen, harmed: list[str]) -> None:
        row, told = seen.rows[0] if seen.rows else None, tuple(sorted(self._leaks))
        self._leaks.clear()
        self.cells.append(
            Cell(
                case=case.name,
                rank=case.rank,
                way=replace(self.way, connection=connection),
                outcome=row.outcome if row else "none",
                phase=row.failed_phase if row else None,
                error=row.error if row else None,
                wrong=tuple(outcome_problems(case, self.way.client, seen)),
                hangs=seen.took_s > self.timeout_s + HANG_S,
                latencies=tuple(latency_problems(case, seen)),
                harmed=tuple(harmed),
                reached=seen.reached,
                leaks=told,
            )
        )


def _impatient() -> Admission:
    """For servers that say "later", and are asked again at once."""
    return Admission(Budget(Limits(), lambda _: 0.0), Manners(longest_pause_s=0.0))
