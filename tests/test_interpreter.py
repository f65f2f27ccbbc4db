"""What the interpreter does by itself, and when: on a real fleet, and with a client that hoards."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from bench.catalogue import load_catalogue
from bench.model import Connection, Endpoint, Plan, Reply, Request, Trial
from bench.notebook import Watcher
from bench.plan import make_plan
from bench.prepare import Where, prepare
from bench.probe import Bench, Stop, measure
from bench.request import build_request
from bench.session import execute
from bench.simulator import Fleet


def run(fleet: Fleet, folder: Path, watch: Watcher | None = None, **plan: Any) -> None:
    where, made = Where(results=folder), make_plan(catalogue=str(fleet.catalogue), **plan)
    execute(prepare(made, load_catalogue(str(fleet.catalogue)), where), where, watch=watch)


def test_memory_is_swept_between_requests_and_the_collector_is_back_afterwards(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Off within a request, or it would be timed; never off for good, or a long run would grow."""
    generations: list[int] = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    gc.unfreeze()
    gc.callbacks.append(count)
    try:
        run(fleet, tmp_path, rounds=7, endpoints=("us-east-1", "global", "us", "eu-west-1"))
        assert gc.isenabled()
        assert gc.get_freeze_count() == 0
        assert generations.count(2) >= 3
    finally:
        gc.callbacks.remove(count)
        gc.freeze()


def test_what_a_caller_had_frozen_stays_frozen(fleet: Fleet, tmp_path: Path) -> None:
    """As whoever forks or serves does to what is there for good."""
    gc.freeze()
    before = gc.get_freeze_count()
    run(fleet, tmp_path, endpoints=("us-east-1",))
    assert gc.get_freeze_count() >= before > 0


class _Hoarding:
    """A client that keeps something of every request, and leaves a cycle behind, or none."""

    def __init__(self, litters: bool) -> None:
        self._litters = litters
        self._kept: list[object] = []
        self.frozen: list[int] = []

    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        knot: list[object] = []
        if self._litters:
            knot.append(knot)
        self._kept.append([])
        self.frozen.append(gc.get_freeze_count())
        return Reply(outcome="ok")

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def bench_of(client: _Hoarding) -> Bench:
    endpoint = Endpoint("e", "https://e.test")
    request = build_request("edge", Plan(), api="/v1", model=None, parameters={}, nonce="0" * 16)
    return Bench(
        "r", "here", {"e": endpoint}, lambda _: request, lambda _: client, lambda _, __: None
    )


def trials(count: int) -> list[Trial]:
    return [Trial(seq, seq, "e", "edge", "warm", "httpx", False, None) for seq in range(count)]


def test_a_measurement_that_came_to_its_end_was_not_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that has handed everything over is alive for a moment longer."""
    monkeypatch.setattr(threading.Thread, "is_alive", lambda _: True)
    stop = Stop()
    assert len(list(measure(bench_of(_Hoarding(False)), trials(8), stop, concurrency=4))) == 8
    assert stop.status == "complete"


@pytest.mark.parametrize("litters", [True, False])
def test_what_was_swept_in_vain_is_not_swept_again(litters: bool) -> None:
    """Or all connections would be looked through again and again while nobody else may start."""
    client = _Hoarding(litters)
    before = gc.get_stats()[2]["collections"]
    assert len(list(measure(bench_of(client), trials(64), Stop()))) == 64
    assert gc.get_stats()[2]["collections"] - before == 5
    assert (client.frozen[-1] == client.frozen[0]) is litters
