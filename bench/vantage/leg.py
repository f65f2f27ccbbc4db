"""One vantage as the driver sees it: what it was let do, what came of it, where that is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from bench.model import Run, Sample, Trial
from bench.prepare import Prepared
from bench.schedule import schedule
from bench.session import Finished
from bench.store import RunWriter
from bench.vantage.cluster import Worker
from bench.vantage.speech import Word, sample_of
from bench.wire.clock import utc_text


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place to measure from: a worker under its own name, prepared, with a session open."""

    worker: Worker
    name: str
    session: str
    run: Run
    prepared: Prepared
    asks: str


def stages(vantage: Vantage) -> Iterator[list[Trial]]:
    """The schedule in parts that begin together: all the warming up, then round by round."""
    names = [endpoint.name for endpoint in vantage.prepared.endpoints]
    for _, trials in groupby(
        schedule(vantage.prepared.plan, names), lambda t: -1 if t.warmup else t.round
    ):
        yield list(trials)


def count_stages(vantage: Vantage) -> int:
    """How many `stages` gives."""
    plan = vantage.prepared.plan
    return plan.rounds + (1 if plan.warmup_rounds else 0)


@dataclass(slots=True)
class Leg:
    """A vantage under way. ``waiting`` is to be let go, ``open`` was and has no row yet."""

    vantage: Vantage
    writer: RunWriter
    heard_ns: int
    waiting: deque[Trial] = field(default_factory=deque)
    open: dict[int, Trial] = field(default_factory=dict)
    go: int = 0
    said_go: int = 0
    asked_ns: int = 0
    unheard: bool = False
    finished: Finished | None = None
    _stages: Iterator[list[Trial]] = field(init=False)

    def __post_init__(self) -> None:
        self._stages = stages(self.vantage)

    @property
    def name(self) -> str:
        """The vantage's."""
        return self.vantage.name

    @property
    def idle(self) -> bool:
        """Whether it did all that it was let do, and waits."""
        return not self.open and not self.waiting

    def begin(self) -> None:
        """Its next stage is to be let go."""
        self.waiting.extend(next(self._stages))

    def let_go(self) -> None:
        """The first that waits may start."""
        trial = self.waiting.popleft()
        self.open[trial.seq] = trial
        self.go = trial.seq + 1

    def word(self, end: str | None, *, now: bool) -> Word:
        """What it is to be told next."""
        self.said_go = self.go
        return Word(self.vantage.session, self.writer.rows, self.go, end, now)

    def take(self, row: str) -> tuple[Trial, Sample]:
        """Store a row that it sent. Raises Untrue for one that it was not asked for."""
        sample = sample_of(row, self.vantage.run, self.open)
        self.writer.append(sample)
        return self.open.pop(sample.seq), sample

    def finish(self, status: str, reason: str | None) -> Finished:
        """Close its run folder. Raises StoreError."""
        whole = self.writer.rows == self.vantage.prepared.scheduled
        status, reason = ("complete", None) if whole else (status, reason)
        with self.writer:
            known = {"finished_at": utc_text(), "reason": reason}
            self.writer.finish(status, compact=status != "interrupted", **known)
        run, rows = self.vantage.run, self.writer.rows
        self.finished = Finished(self.writer.folder, status, run, reason, rows)
        return self.finished


def lost_words(leg: Leg, why: str) -> str:
    """What a lost vantage cost: ``why`` it is lost, and how many of its requests are unknown."""
    most = min(len(leg.open), leg.vantage.prepared.plan.concurrency)
    left = leg.vantage.prepared.scheduled - leg.writer.rows
    under_way = f", at most {most} of them may have been sent" if most else ""
    return f"the vantage was lost: {why}; {left} requests have no row{under_way}"
