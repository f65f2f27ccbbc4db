"""The whole matrix: every case in every way that makes sense, many lanes at a time."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import product

from bench.model import CONNECTIONS, Connection
from tests.faults.case import Case
from tests.faults.first_rank import FIRST_RANK
from tests.faults.lane import LONG_S, SHORT_S, Cell, Ground, Lane, Way
from tests.faults.second_rank import SECOND_RANK

CASES: tuple[Case, ...] = (*FIRST_RANK, *SECOND_RANK)
DEFAULT = "httpx"

PATIENCE_S = 240.0
"""When a lane that is not over hangs."""

_SHARE = 10
"""Waiting cases that one lane meets at most: more lanes wait at the same time instead."""

_BUSY = 3
"""How many lanes that do not wait run at the same time: more would only wait for each other."""


def why_not(case: Case, way: Way) -> str | None:
    """Why a case makes no sense in this way; None when it does."""
    if case.connection not in (None, way.connection):
        return f"it befalls {case.connection} connections only"
    if case.opening and way.connection == "warm":
        return "a kept connection has been opened"
    if case.http not in (None, "2" if way.http2 else "1.1"):
        return f"it is HTTP/{case.http}'s own"
    if case.shape not in (None, "stream" if way.streamed else "at once"):
        return f"it befalls answers {'in' if case.shape == 'stream' else 'not in'} a stream"
    return _why_not_client(case, way)


def _why_not_client(case: Case, way: Way) -> str | None:
    if way.client == DEFAULT:
        return None
    if case.rank > 1:
        return "the second rank is for the default client"
    if way.client == "xai-sdk":
        return _why_not_grpc(case, way)
    if way.http2:
        return "HTTP/2 is for the default client"
    if way.client == "curl" and way.connection == "warm":
        return "curl keeps no connection"
    return None


def _why_not_grpc(case: Case, way: Way) -> str | None:
    if not way.http2:
        return "gRPC is HTTP/2 only"
    return "it is in the words of REST" if case.rest else None


def ways(client: str) -> Iterator[Way]:
    """All eight."""
    for http2, streamed, connection in product((False, True), (True, False), CONNECTIONS):
        yield Way(client, http2, streamed, connection)


@dataclass(frozen=True)
class Plan:
    """What is met, in lanes that can run at the same time, and why the rest is not."""

    lanes: tuple[tuple[Way, float, tuple[tuple[Case, Connection], ...]], ...]
    left_out: Counter[str] = field(default_factory=Counter)

    def only(self, connection: Connection) -> Plan:
        """Of these lanes, what is met on one kind of connection."""
        return self._keep(lambda way, case, met_on: met_on == connection)

    def halved(self) -> Plan:
        """Each case in one of the two shapes of an answer, by turns."""
        turn = {case.name: bool(number % 2) for number, case in enumerate(CASES)}
        return self._keep(lambda way, case, _: bool(case.shape) or turn[case.name] == way.streamed)

    def some(self, count: int, seed: int) -> Plan:
        """So many of these cells, drawn, and none that waits for its deadline."""
        ready = [
            (way, case, met_on)
            for way, timeout_s, cases in self.lanes
            for case, met_on in cases
            if timeout_s == LONG_S
        ]
        drawn = random.Random(seed).sample(ready, min(count, len(ready)))
        return self._keep(lambda *cell: cell in drawn)

    def _keep(self, wanted: Callable[[Way, Case, Connection], bool]) -> Plan:
        kept = (
            (way, timeout_s, tuple(met for met in cases if wanted(way, *met)))
            for way, timeout_s, cases in self.lanes
        )
        return Plan(tuple(lane for lane in kept if lane[2]), self.left_out)

    def __add__(self, other: Plan) -> Plan:
        return Plan((*self.lanes, *other.lanes), self.left_out + other.left_out)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return sum(len(cases) for _, _, cases in self.lanes)


def plan(clients: Iterable[str], cases: Sequence[Case] = CASES, short_s: float = SHORT_S) -> Plan:
    """Lanes for these clients: each has one client, one protocol, one shape and one deadline, which
    is ``short_s`` where it is waited for."""
    found: dict[tuple[Way, float], list[tuple[Case, Connection]]] = {}
    left_out: Counter[str] = Counter()
    for client in clients:
        for way, case in product(ways(client), cases):
            if (reason := why_not(case, way)) is not None:
                left_out[reason] += 1
                continue
            key = (replace(way, connection="cold"), short_s if case.waits else LONG_S)
            found.setdefault(key, []).append((case, way.connection))
    lanes = [
        (way, timeout_s, tuple(part))
        for (way, timeout_s), met in found.items()
        for part in (_parts(met, _SHARE) if timeout_s < LONG_S else [met])
    ]
    return Plan(tuple(lanes), left_out)


def _parts(
    items: list[tuple[Case, Connection]], size: int
) -> Iterator[list[tuple[Case, Connection]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def meet(ground: Ground, planned: Plan, patience_s: float = PATIENCE_S) -> list[Cell]:
    """Every cell of the plan; one that never ended is a cell that hangs."""
    lanes = [Lane(ground, way, timeout_s) for way, timeout_s, _ in planned.lanes]
    failures: list[BaseException] = []
    busy = threading.Semaphore(_BUSY)

    def run(lane: Lane, cases: tuple[tuple[Case, Connection], ...]) -> None:
        try:
            with busy if lane.timeout_s == LONG_S else nullcontext():
                lane.run(cases)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(lane, cases), daemon=True, name=f"lane-{number}")
        for number, (lane, (_, _, cases)) in enumerate(zip(lanes, planned.lanes, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience_s)
    if failures:
        raise failures[0]
    hung = [
        Cell(lane.current, 0, lane.way, hangs=True)
        for lane, thread in zip(lanes, threads, strict=True)
        if thread.is_alive()
    ]
    return [cell for lane in lanes for cell in lane.cells] + hung
