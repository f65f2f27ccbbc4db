"""The loop: trials in, samples out. Decides nothing; the schedule did."""

from __future__ import annotations

import gc
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from bench.clients import Client
from bench.model import Endpoint, Reply, Request, Sample, Trial
from bench.units import NS_PER_MS
from bench.wire.clock import now_ns, sleep_until, utc_text

_SWEEP_EVERY = 16
_REPLY_FIELDS = tuple(field.name for field in fields(Reply))


class Stop:
    """Asks a measurement to end; what is in flight is interrupted and becomes a row."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._clients: list[Client] = []

    def watch(self, client: Client) -> None:
        """Have ``client`` interrupted too."""
        self._clients.append(client)

    def now(self) -> None:
        """End as soon as possible. Callable from a signal handler and from any thread."""
        self.event.set()
        for client in self._clients:
            client.interrupt()


@dataclass(frozen=True, slots=True)
class Bench:
    """What a probe works with: identity for the rows, and functions that the plan decided."""

    run_id: str
    vantage: str
    endpoints: dict[str, Endpoint]
    request_for: Callable[[Trial], Request]
    make_client: Callable[[str], Client]
    price: Callable[[Trial, Reply], float | None]
    pause_ms: float = 0.0


def measure(
    bench: Bench, trials: Iterable[Trial], stop: Stop, concurrency: int = 1
) -> Generator[Sample]:
    """One sample per trial, as each ends. Stops early when ``stop`` is asked to.

    With one request in flight everything runs in the caller's thread and whatever the caller does
    with a sample happens between two requests; with more, each worker has connections of its own.
    """
    with _quiet_memory():
        if concurrency == 1:
            yield from _measure_here(bench, trials, stop)
        else:
            yield from _measure_threaded(bench, trials, stop, concurrency)


def _measure_here(bench: Bench, trials: Iterable[Trial], stop: Stop) -> Iterator[Sample]:
    supply = _Supply(trials, 1)
    with _Worker(bench, stop) as worker:
        while not stop.event.is_set() and (trial := supply.next(0)) is not None:
            sample = worker.run(trial, supply.began_ns)
            if sample is not None:
                yield sample


def _measure_threaded(
    bench: Bench, trials: Iterable[Trial], stop: Stop, concurrency: int
) -> Iterator[Sample]:
    results: queue.SimpleQueue[Sample | BaseException | None] = queue.SimpleQueue()
    supply = _Supply(trials, concurrency)

    def work(number: int) -> None:
        try:
            with _Worker(bench, stop) as worker:
                while not stop.event.is_set() and (trial := supply.next(number)) is not None:
                    if (sample := worker.run(trial, supply.began_ns)) is not None:
                        results.put(sample)
        except BaseException as error:
            results.put(error)
        supply.leave()
        results.put(None)

    threads = [
        threading.Thread(target=work, args=(i,), name=f"probe-{i}") for i in range(concurrency)
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _collect(results, concurrency)
    finally:
        if any(thread.is_alive() for thread in threads):
            stop.now()
        for thread in threads:
            thread.join()


class _Supply:
    """Hands out trials in order: first each worker's own warm-ups, then, once all are warm, the
    measured ones to whoever is free."""

    def __init__(self, trials: Iterable[Trial], workers: int) -> None:
        self._trials = iter(trials)
        self._lock = threading.Lock()
        self._own: list[deque[Trial]] = [deque() for _ in range(workers)]
        self._first = next(self._trials, None)
        while self._first is not None and self._first.warmup:
            self._own[self._first.worker or 0].append(self._first)
            self._first = next(self._trials, None)
        self._warm = threading.Barrier(workers, action=self._begin)
        self._waited = [False] * workers
        self.began_ns = now_ns()

    def next(self, worker: int) -> Trial | None:
        """The next trial for ``worker``; None when there is none left, or others gave up."""
        if self._own[worker]:
            return self._own[worker].popleft()
        if not self._waited[worker]:
            self._waited[worker] = True
            try:
                self._warm.wait()
            except threading.BrokenBarrierError:
                return None
        with self._lock:
            trial, self._first = self._first, None
            return trial or next(self._trials, None)

    def leave(self) -> None:
        """A worker is gone; those who wait for it to be warm need not."""
        self._warm.abort()

    def _begin(self) -> None:
        self.began_ns = now_ns()


def _collect(
    results: queue.SimpleQueue[Sample | BaseException | None], running: int
) -> Iterator[Sample]:
    while running:
        result = results.get()
        if result is None:
            running -= 1
        elif isinstance(result, BaseException):
            raise result
        else:
            yield result


class _Worker:
    """One request at a time, each client with connections of its own."""

    def __init__(self, bench: Bench, stop: Stop) -> None:
        self._bench = bench
        self._stop = stop
        self._clients: dict[str, Client] = {}
        self._idle_since_ns = 0
        self._sent = 0

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def run(self, trial: Trial, began_ns: int) -> Sample | None:
        """The sample of one trial; None when asked to stop before it began."""
        due_ns = None if trial.due_ns is None else began_ns + trial.due_ns
        self._wait(due_ns)
        if self._stop.event.is_set():
            return None
        bench, client = self._bench, self._client(trial.client)
        endpoint = bench.endpoints[trial.endpoint]
        request = bench.request_for(trial)
        started_at, started_ns = utc_text(), now_ns()
        reply = client.send(endpoint, request, trial.connection)
        self._sweep()
        self._idle_since_ns = now_ns()
        return Sample(
            **_identity(bench, trial, endpoint, request),
            started_at=started_at,
            due_ns=trial.due_ns,
            late_ns=None if due_ns is None else started_ns - due_ns,
            **_measured(bench, trial, reply),
        )

    def _sweep(self) -> None:
        """Collect now and then, between two requests: each leaves some 10 to 30 kB of cycles, and
        with all older objects frozen this takes a millisecond or two."""
        self._sent += 1
        if self._sent % _SWEEP_EVERY == 0:
            gc.collect()

    def _wait(self, due_ns: int | None) -> None:
        if due_ns is None and self._bench.pause_ms and self._idle_since_ns:
            due_ns = self._idle_since_ns + round(self._bench.pause_ms * NS_PER_MS)
        if due_ns is not None:
            sleep_until(due_ns, self._stop.event)

    def _client(self, name: str) -> Client:
        if name not in self._clients:
            self._clients[name] = self._bench.make_client(name)
            self._stop.watch(self._clients[name])
        return self._clients[name]


def _identity(bench: Bench, trial: Trial, endpoint: Endpoint, request: Request) -> dict[str, Any]:
    return {
        "run_id": bench.run_id,
        "vantage": bench.vantage,
        "seq": trial.seq,
        "round": trial.round,
        "endpoint": trial.endpoint,
        "region": endpoint.region,
        "kind": trial.kind,
        "streamed": request.streamed,
        "client": trial.client,
        "connection": trial.connection,
        "arm": trial.arm,
        "warmup": trial.warmup,
        "request_sha256": request.sha256,
    }


def _measured(bench: Bench, trial: Trial, reply: Reply) -> dict[str, Any]:
    values = {name: getattr(reply, name) for name in _REPLY_FIELDS}
    if values["cost_usd"] is None:
        values["cost_usd"] = bench.price(trial, reply)
    return values


@contextmanager
def _quiet_memory() -> Iterator[None]:
    """No garbage collection within a request: a full one stalls 40 ms with pandas loaded."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
