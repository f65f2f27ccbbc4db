"""The loop: trials in, samples out. Decides nothing: the schedule did, and who admits a trial."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from bench.admission import Admission, unlimited
from bench.clients import Client
from bench.core import Core
from bench.interpreter import Sweeper, quiet_memory
from bench.model import NOT_ASKED, PAUSED, Endpoint, Reply, Request, Sample, Trial
from bench.units import NS_PER_MS
from bench.wire.clock import now_ns, sleep_until, utc_text

_PATIENCE_S = 0.05
_REPLY_FIELDS = tuple(field.name for field in fields(Reply))
_reply_values = attrgetter(*_REPLY_FIELDS)


class Stop:
    """Asks a measurement to end; ``reason`` says why when it was not a person.

    ``event`` is set when what is in flight shall end too.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason: str | None = None
        self._clients: list[Client] = []

    @property
    def asked(self) -> bool:
        """Whether nothing more shall begin."""
        return self.event.is_set() or self.reason is not None

    @property
    def status(self) -> str:
        """How a run ended that knows this."""
        if self.reason is not None:
            return "stopped"
        return "interrupted" if self.event.is_set() else "complete"

    def watch(self, client: Client) -> None:
        """Have ``client`` interrupted too, until it is forgotten."""
        self._clients.append(client)

    def forget(self, client: Client) -> None:
        """It is closed: there is nothing to interrupt any more."""
        self._clients.remove(client)

    def after_these(self, reason: str) -> None:
        """Let what may start now come to its end, and nothing begin after it."""
        if not self.asked:
            self.reason = reason

    def now(self, reason: str | None = None) -> None:
        """End at once; what is in flight is interrupted and becomes a row.

        Callable from a signal handler and from any thread. Without a reason it is a person's word,
        which stands above any other.
        """
        self.reason = None if reason is None else self.reason or reason
        self.event.set()
        self._interrupt()
        threading.Thread(target=self._insist, name="insist", daemon=True).start()

    def _interrupt(self) -> None:
        for client in tuple(self._clients):
            client.interrupt()

    def _insist(self) -> None:
        """One that was about to send had nothing to interrupt, and would wait for its answer. On a
        busy machine it may be about to for long."""
        while self._clients:
            time.sleep(_PATIENCE_S)
            self._interrupt()


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
    bench: Bench,
    trials: Iterable[Trial],
    stop: Stop,
    concurrency: int = 1,
    admission: Admission | None = None,
) -> Generator[Sample]:
    """One sample per trial, as each ends. Stops early when ``stop`` is asked to, and when
    ``admission`` lets nothing more start (None: it limits nothing).

    With one request in flight everything runs in the caller's thread and whatever the caller does
    with a sample happens between two requests; with more, each worker has connections of its own,
    and sends its next request when the caller is done with its sample.
    """
    hand = _Hand(bench, stop, admission or unlimited(), Sweeper())
    with quiet_memory():
        if concurrency == 1:
            yield from _measure_here(hand, trials)
        else:
            yield from _measure_threaded(hand, trials, concurrency)


@dataclass(frozen=True, slots=True)
class _Hand:
    """What every worker is given."""

    bench: Bench
    stop: Stop
    admission: Admission
    sweeper: Sweeper


def _measure_here(hand: _Hand, trials: Iterable[Trial]) -> Iterator[Sample]:
    supply = _Supply(trials, 1)
    with _Worker(hand) as worker:
        while not hand.stop.asked and (trial := supply.next(0)) is not None:
            sample = worker.run(trial, supply)
            if sample is not None:
                yield sample


def _measure_threaded(hand: _Hand, trials: Iterable[Trial], concurrency: int) -> Iterator[Sample]:
    stop = hand.stop
    results: _Results = queue.SimpleQueue()
    supply = _Supply(trials, concurrency)
    core = Core()

    def work(number: int) -> None:
        try:
            with core.member(), _Worker(hand) as worker:
                while not stop.asked and (trial := supply.next(number)) is not None:
                    if (sample := worker.run(trial, supply)) is not None:
                        _hand_over(sample, results, stop)
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
        with core.member():
            yield from _collect(results, concurrency, core)
    except BaseException:
        stop.now()  # or workers would wait for who takes their rows
        raise
    finally:
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
        self._rested_ns = 0

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

    def put_off(self, from_ns: int, until_ns: int) -> None:
        """The schedule rests: what is handed out from now on is due so much later."""
        with self._lock:
            from_ns = max(from_ns, self._rested_ns)
            self.began_ns += max(0, until_ns - from_ns)
            self._rested_ns = max(until_ns, self._rested_ns)

    def leave(self) -> None:
        """A worker is gone; those who wait for it to be warm need not."""
        self._warm.abort()

    def _begin(self) -> None:
        self.began_ns = now_ns()


_Handed = tuple[Sample, threading.Event]
_Results = queue.SimpleQueue[_Handed | BaseException | None]


def _hand_over(sample: Sample, results: _Results, stop: Stop) -> None:
    """Give it to the caller, and wait until that has it: a row that waits in a queue while the next
    request is sent would be lost with the process."""
    taken = threading.Event()
    results.put((sample, taken))
    while not taken.wait(_PATIENCE_S) and not stop.event.is_set():
        pass


def _collect(results: _Results, running: int, core: Core) -> Iterator[Sample]:
    while running:
        result = results.get()
        core.look()
        if result is None:
            running -= 1
        elif isinstance(result, BaseException):
            raise result
        else:
            sample, taken = result
            yield sample
            taken.set()


class _Worker:
    """One request at a time, each client with connections of its own."""

    def __init__(self, hand: _Hand) -> None:
        self._bench = hand.bench
        self._stop = hand.stop
        self._admission = hand.admission
        self._sweeper = hand.sweeper
        self._clients: dict[str, Client] = {}
        self._idle_since_ns = 0

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
            self._stop.forget(client)

    def run(self, trial: Trial, supply: _Supply) -> Sample | None:
        """The sample of one trial; None when it did not begin because everything ends."""
        leave = self._admission.admit(trial, lambda: self._stop.asked)
        if leave.over is not None:
            self._stop.after_these(leave.over)
            return None
        if leave.refusal is not None:
            reply = Reply(outcome="cancelled", error=leave.refusal, flags=NOT_ASKED)
            return self._sample(trial, reply, utc_text(), None)
        due_ns = None if trial.due_ns is None else supply.began_ns + trial.due_ns
        self._wait(due_ns)
        paused_ns = self._leave_alone(trial.endpoint, supply)
        over = self._stop.event.is_set
        if not over():
            self._client(trial.client)  # a library or a program may take seconds to start
        if over():
            self._admission.forget(trial)
            return None
        return self._send(trial, due_ns, paused_ns)

    def _send(self, trial: Trial, due_ns: int | None, paused_ns: int) -> Sample:
        """Ask; ``paused_ns`` is until when its endpoint was left alone, 0 when it was not."""
        endpoint, client = self._bench.endpoints[trial.endpoint], self._client(trial.client)
        request = self._bench.request_for(trial)
        started_at, started_ns = utc_text(), now_ns()
        reply = client.send(endpoint, request, trial.connection)
        self._sweeper.ended()
        self._idle_since_ns = now_ns()
        late_ns = None if due_ns is None else started_ns - max(due_ns, paused_ns)
        if paused_ns:
            reply = replace(reply, flags=" ".join(filter(None, (reply.flags, PAUSED))))
        sample = self._sample(trial, reply, started_at, late_ns)
        self._admission.end(trial, reply, sample.cost_usd, now_ns())
        return sample

    def _sample(self, trial: Trial, reply: Reply, started_at: str, late_ns: int | None) -> Sample:
        bench = self._bench
        return Sample(
            **_identity(bench, trial, bench.endpoints[trial.endpoint], bench.request_for(trial)),
            started_at=started_at,
            due_ns=trial.due_ns,
            late_ns=late_ns,
            **_measured(bench, trial, reply),
        )

    def _wait(self, due_ns: int | None) -> None:
        if due_ns is None and self._bench.pause_ms and self._idle_since_ns:
            due_ns = self._idle_since_ns + round(self._bench.pause_ms * NS_PER_MS)
        if due_ns is not None:
            sleep_until(due_ns, self._stop.event)

    def _leave_alone(self, endpoint: str, supply: _Supply) -> int:
        """Wait for an endpoint that said 429; until when that was, 0 where there was no wait."""
        paused_ns = 0
        while (resume_ns := self._admission.resume_ns(endpoint)) > (from_ns := now_ns()):
            sleep_until(resume_ns, self._stop.event)
            if self._stop.event.is_set():
                break
            paused_ns = resume_ns
            supply.put_off(from_ns, resume_ns)
        return paused_ns

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
    values = dict(zip(_REPLY_FIELDS, _reply_values(reply), strict=True))
    if values["cost_usd"] is None:
        values["cost_usd"] = bench.price(trial, reply)
    return values
