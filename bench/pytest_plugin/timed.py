"""One endpoint, timed in the rounds of pytest-benchmark by what the wire saw."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from bench.errors import PlanError
from bench.model import Connection, Kind, Sample
from bench.stats.metrics import METRICS, main_metric
from bench.store.lines import plain
from bench.units import NS_PER_S

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from bench.pytest_plugin.venue import Case, Venue


class Stopwatch:
    """A timer for pytest-benchmark that stands at nought, and then at what the wire measured.

    pytest-benchmark reads its timer before and after each call and keeps the difference.
    """

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def __str__(self) -> str:
        return "regionbench: the wire's own time"

    def reset(self) -> None:
        """Back to nought, before a round: differences of large sums would not be exact."""
        self.seconds = 0.0


@dataclass(frozen=True, slots=True)
class Timed:
    """What became of one benchmark's requests, warm-up excluded.

    ``metric`` names what was timed; ``timeout_s`` is what a failure counts as, at least.
    """

    case: Case
    metric: str
    timeout_s: float
    samples: Sequence[Sample]

    @property
    def failed(self) -> int:
        """How many did not end ``ok``."""
        return sum(sample.outcome != "ok" for sample in self.samples)

    @property
    def failure_rate(self) -> float:
        """The share that failed; 1.0 where nothing was sent."""
        return self.failed / len(self.samples) if self.samples else 1.0

    @property
    def answered(self) -> bool:
        """Whether there was an answer at all."""
        return self.failure_rate < 1

    def seconds(self, sample: Sample) -> float:
        """What pytest-benchmark is told of a request.

        An answer without the metric (a stream without a token) took its total; a failure takes the
        timeout, or its total where that was longer, so that failing is never fast.
        """
        total_s = (sample.total_ns or 0) / NS_PER_S
        if sample.outcome != "ok":
            return max(self.timeout_s, total_s)
        value_ns: int | None = getattr(sample, METRICS[self.metric].column)
        return total_s if value_ns is None else value_ns / NS_PER_S

    def facts(self) -> dict[str, Any]:
        """What ``extra_info`` says, the rows aside."""
        case = self.case
        state = "ok" if not self.failed else "some failed" if self.answered else "all failed"
        return {
            "state": state,
            "endpoint": case.endpoint,
            "kind": case.kind,
            "connection": case.connection,
            "client": case.client,
            "metric": self.metric,
            "requests": len(self.samples),
            "failed": self.failed,
            "outcomes": dict(Counter(sample.outcome for sample in self.samples)),
            "a_failure_counts_as_s": self.timeout_s,
        }

    def __str__(self) -> str:
        """``us-east-1 (chat, warm, httpx): 3 of 30 requests failed: timeout 2, capacity 1; …``"""
        case, outcomes = self.case, Counter(sample.outcome for sample in self.samples)
        bad = ", ".join(f"{name} {n}" for name, n in outcomes.most_common() if name != "ok")
        error = next((s.error for s in self.samples if s.outcome != "ok" and s.error), "")
        what = f"{self.failed} of {len(self.samples)} requests failed"
        return (
            f"{case.endpoint} ({case.kind}, {case.connection}, {case.client}): {what}"
            + (f": {bad}" if bad else "")
            + (f"; the first: {error}" if error else "")
        )


class Timer:
    """The fixture ``endpoint_benchmark``: call it once in a test."""

    def __init__(
        self, benchmark: BenchmarkFixture, venue: Venue, clock: Stopwatch, failing: list[Timed]
    ) -> None:
        self._benchmark = benchmark
        self._venue = venue
        self._clock = clock
        self._failing = failing

    def __call__(
        self,
        endpoint: str,
        *,
        kind: Kind | None = None,
        connection: Connection | None = None,
        client: str | None = None,
        metric: str | None = None,
        rounds: int | None = None,
    ) -> Timed:
        """Send exactly ``rounds`` requests of one kind to one endpoint, one after the other.

        What is not given is the plan's first; ``metric`` is one of `bench.stats.METRICS` that is a
        time of the request (``ttft``, ``total``, ``ttfb``, …), by default what the user of such a
        request waits for. Nothing is raised for what a server or a network does: assert on what is
        returned. A warm connection is opened first by a request without a key, which costs nothing
        and is a flagged row. With ``--benchmark-disable`` one request is sent.
        """
        try:
            case = self._venue.case(endpoint, kind, connection, client)
            chosen = _metric(metric, case, streamed=self._venue.plan.stream)
        except PlanError as error:
            raise pytest.fail.Exception(f"regionbench: {error}", pytrace=False) from None
        return self._time(case, chosen, rounds or self._venue.plan.rounds)

    def _time(self, case: Case, metric: str, rounds: int) -> Timed:
        samples: list[Sample] = []
        timed = Timed(case, metric, self._venue.plan.timeout_s, samples)
        source = self._venue.samples(case, rounds)
        told: dict[str, Any] = {"rows": []}
        self._benchmark.extra_info["regionbench"] = told
        self._benchmark.group = self._benchmark.group or f"{case.kind} {metric}"
        # Profiling would call the target once more, after the last request
        self._benchmark.cprofile = False

        def ask() -> None:
            if asked_to_end:
                raise KeyboardInterrupt
            sample = _measured(source, told["rows"])
            samples.append(sample)
            self._clock.seconds = timed.seconds(sample)
            told.update(timed.facts())

        pedantic: Callable[..., None] = self._benchmark.pedantic
        setup = self._clock.reset
        try:
            with _remembering_interrupts() as asked_to_end:
                pedantic(ask, setup=setup, rounds=rounds, iterations=1, warmup_rounds=0)
        except KeyboardInterrupt:
            self._venue.interrupted = True
            raise
        finally:
            source.close()
        if timed.failed:
            self._failing.append(timed)
        return timed


@contextmanager
def _remembering_interrupts() -> Iterator[list[int]]:
    """Ctrl-C raises as ever, and is kept: Python drops what is raised in a destructor or in a
    callback of its collector, and the benchmark would go on."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def on_signal(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if callable(before):
            before(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _measured(source: Generator[Sample], rows: list[dict[str, Any]]) -> Sample:
    """The next sample that counts; the warm-ups before it become rows too."""
    while (sample := next(source)).warmup:
        rows.append(plain(sample))
    rows.append(plain(sample))
    return sample


def _metric(name: str | None, case: Case, *, streamed: bool) -> str:
    if name is None:
        return main_metric(case.kind, streamed)
    times = [metric.name for metric in METRICS.values() if metric.column.endswith("_ns")]
    if name not in times:
        raise PlanError(f"there is no metric {name!r}; there is {', '.join(times)}")
    return name
