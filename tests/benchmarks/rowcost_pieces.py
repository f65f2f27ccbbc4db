"""Single pieces of a row's way, each in a loop of its own: warm, so at least this much."""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.admission import Admission
from bench.awake import Pulse
from bench.budget import Budget, Limits
from bench.catalogue import load_catalogue
from bench.clients.http import HttpClient
from bench.clients.sse import SseParser
from bench.manners import Manners
from bench.model import Endpoint, Reply, Sample, Trial
from bench.probe import Stop, measure
from bench.schedule import schedule
from bench.session import bench_for
from bench.store import lines
from bench.wire.clock import Clock, ClockWatch, utc_text
from tests.benchmarks.rowcost_players import Scene, Task

_REPEATS = 300
_SYNCS = 30
_SWEEP = 16
_EVENT = (
    b'data: {"id":"e1ebe30e-21d7-497d-a7a0-54f029fb513b","object":"chat.completion.chunk",'
    b'"created":1775001600,"model":"quick","choices":[{"index":0,"delta":{"content":"word "}}],'
    b'"system_fingerprint":"fp_0000000000"}\n\n'
)


def pieces(catalogue: Path, folder: Path, tokens: int) -> Iterator[dict[str, Any]]:
    """One row a piece: CPU time in µs, the least of several loops."""
    scene = Scene(Task("", str(catalogue), True, tokens), load_catalogue(str(catalogue)), folder)
    try:
        for name, (call, repeats) in _calls(scene, tokens).items():
            yield {"piece": name, "µs each, at least": round(_least_us(call, repeats), 1)}
    finally:
        gc.unfreeze()


def _least_us(call: Callable[[], object], repeats: int) -> float:
    found = []
    for _ in range(5):
        began_ns = time.process_time_ns()
        for _ in range(repeats):
            call()
        found.append((time.process_time_ns() - began_ns) / repeats / 1000)
    return min(found)


_Calls = Mapping[str, tuple[Callable[[], object], int]]


def _calls(scene: Scene, tokens: int) -> _Calls:
    prepared = scene.prepared()
    bench = bench_for(prepared, "pieces", Pulse(Clock()))
    endpoint = prepared.endpoints[0]
    trials = schedule(prepared.plan, [endpoint.name])
    trial = next(trials)
    sample = next(measure(bench, [trial], Stop()))
    fresh = bench_for(prepared, "fresh", Pulse(Clock()))
    door = Admission(Budget(Limits(), prepared.worst_usd), Manners())
    return {
        "schedule: the next trial": (lambda: next(trials), _REPEATS),
        "admission: in, may it be asked, out": (lambda: _pass(door, trial, sample), _REPEATS),
        "request: a round's body and hash": (lambda: fresh.request_for(next(trials)), _REPEATS),
        f"events: {tokens} split": (lambda: _split(tokens), _REPEATS),
        "clock: started_at, a watch for steps": (_clock, _REPEATS),
        "row: JSON and checksum": (lambda: lines.encode(1, sample), _REPEATS),
        **_on_disk(scene.folder / "piece", lines.encode(1, sample)),
        **_collecting(HttpClient(prepared.settings), endpoint, bench.request_for, trial),
    }


def _pass(door: Admission, trial: Trial, reply: Sample) -> None:
    door.admit(trial, lambda: False)
    door.resume_ns(trial.endpoint)
    door.end(trial, reply, reply.cost_usd, 0)


def _split(tokens: int) -> None:
    parser = SseParser()
    for _ in range(tokens):
        for _ in parser.feed(_EVENT):
            pass


def _clock() -> None:
    utc_text()
    ClockWatch().stepped()


def _on_disk(path: Path, line: bytes) -> _Calls:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write() -> None:
        os.lseek(fd, 0, os.SEEK_END)
        os.write(fd, line)

    def sync() -> None:
        os.write(fd, line)
        os.fdatasync(fd)

    return {
        "row: one write": (write, _REPEATS),
        "row: fdatasync, once a second or 100 rows": (sync, _SYNCS),
    }


def _collecting(client: HttpClient, endpoint: Endpoint, request_for: Any, trial: Trial) -> _Calls:
    """A sweep of what so many requests left behind, as a share of one request."""
    asked = itertools.cycle([request_for(trial)])

    def ask() -> Reply:
        return client.send(endpoint, next(asked), "warm")

    def sweep() -> None:
        gc.collect()

    gc.collect()
    gc.freeze()
    for _ in range(_SWEEP):
        ask()
    return {"collection: one sweep, older objects frozen": (sweep, 1)}
