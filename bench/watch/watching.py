"""The watch: rounds at their time, a run folder after the other, and metrics of all of it.

    Pace (when?) ──► trials ──► bench.probe.measure ──► rows ──► a run folder, full after a while
                                                        │             │
                                     /metrics ◄── Metrics ◄── Finding ◄── a review, on its own

What grows with time is on the disk: in memory are the rows of no folder, and counters.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.admission import Admission
from bench.awake import BEAT_S, Pulse
from bench.errors import UsageError
from bench.manners import Manners
from bench.model import Run, Sample, Trial
from bench.prepare import Prepared, Where
from bench.probe import Stop, measure
from bench.schedule import schedule
from bench.session import Finished, bench_for, describe, draining, host_calibration, record
from bench.store import RunWriter
from bench.units import NS_PER_S, format_usd
from bench.watch.health import Health
from bench.watch.orders import Ended, Orders, Voice
from bench.watch.pace import MOST_ROUNDS, Pace
from bench.watch.pages import pages
from bench.watch.purse import Purse
from bench.watch.reviewer import Reviewed, Reviewer
from bench.watch.serving import serving
from bench.watch.shift import Shift
from bench.watch.spent import spent_usd
from bench.wire.clock import Clock, utc_text

if TYPE_CHECKING:
    from bench.watch.metrics import Metrics

LOOK_S = 60.0
"""How often a watch that rests looks whether it is another day."""

REVIEW_S = 60.0
"""How long the last review may take when the time of a watch is over."""


class Watch:
    """A watch over what was prepared. Make one, and `run` it once.

    ``clock`` decides when rounds begin; what is measured is measured by the machine's own.
    Raises UsageError without the library for metrics.
    """

    def __init__(
        self,
        prepared: Prepared,
        where: Where,
        orders: Orders,
        voice: Voice,
        clock: Clock | None = None,
    ) -> None:
        plan = replace(prepared.plan, rounds=orders.rhythm.rounds)
        self._prepared = replace(prepared, plan=plan)
        self._where, self._orders, self._voice = where, orders, voice
        self._clock = clock or Clock()
        self.metrics = _metrics(self._prepared, orders)
        self._purse = Purse(orders.day_usd, where.limits, prepared.worst_usd)
        self._door = Admission(self._purse, Manners())
        self._reviewer = Reviewer(where.results, orders.keep_s)
        self._pulse, self._health = Pulse(Clock()), Health()
        self._over, self._stop = threading.Event(), Stop()
        self._first_round = self._folders = self._rows = 0
        self._lines: dict[str, str] = {}
        now = self._clock.now()
        self._pace = Pace(orders.rhythm, now)
        self._until_ns = now.elapsed_ns + (orders.for_s or math.inf) * NS_PER_S
        self._resting, self._row_ns, self._heard_ns = False, now.awake_ns, self._pulse.last_ns

    def end(self) -> None:
        """Send nothing more, and finish; callable from a signal handler and from any thread."""
        self._over.set()
        self._stop.now()

    def run(self) -> Ended:
        """Watch until the time is over, the money is spent or somebody ends it.

        Raises UsageError where nothing can listen at the address, StoreError when rows can no
        longer be stored.
        """
        served = pages(self.metrics, self.alive)
        address = self._orders.address
        with serving(address, served, self._pulse.beat, BEAT_S) as bound, draining(self.end):
            self._voice.line(f"Metrics: http://{bound}/metrics")
            try:
                return self._watch()
            finally:
                self.metrics.running(False)
                self._reviewer.close()

    def alive(self) -> bool:
        """Whether its loop does what it should: rows come, or none shall."""
        patience_s = 3 * self._orders.rhythm.every_s + self._prepared.plan.timeout_s
        silent_ns = self._clock.now().awake_ns - self._row_ns
        return self._resting or silent_ns < patience_s * NS_PER_S

    def _watch(self) -> Ended:
        facts = host_calibration() if self._where.calibrate else None
        self._begin()
        while self._goes_on():
            self._clock.wait_until(self._pace.due_ns, self._over)
            if self._goes_on():
                self._after(self._fill(facts))
            if self._purse.empty == "day":
                self._rest()
        self._last_words()
        return self._ended()

    def _begin(self) -> None:
        now = self._clock.now()
        before_usd = 0.0
        if self._orders.day_usd is not None:
            before_usd = spent_usd(self._where.results, self._prepared, now.utc_ns)
        self._purse.turn(now.utc_ns, before_usd)
        self.metrics.running(True)

    def _goes_on(self) -> bool:
        now = self._clock.now()
        next_ns = now.elapsed_ns + max(0, self._pace.due_ns - now.awake_ns)
        return not self._over.is_set() and self._purse.empty != "all" and next_ns < self._until_ns

    # One run folder

    def _fill(self, facts: dict[str, Any] | None) -> tuple[Shift, Finished]:
        rhythm, shift = self._orders.rhythm, Shift(self._clock.now(), Stop())
        self._stop = shift.stop
        if self._over.is_set():
            shift.stop.now()
        run = replace(describe(self._prepared, facts), watch=shift.about(rhythm))
        with RunWriter.create(self._where.results, run) as writer:
            record(self._samples(shift, run), writer, lambda sample: self._see(shift, sample))
            shift.judge_size(rhythm)
            stop, about = shift.stop, shift.about(rhythm)
            known = {"scheduled": writer.rows, "reason": stop.reason, "watch": about}
            # The review compacts: what that needs in memory is more than all the rest
            writer.finish(stop.status, compact=False, finished_at=utc_text(), **known)
        return shift, Finished(writer.folder, stop.status, run, stop.reason, writer.rows)

    def _samples(self, shift: Shift, run: Run) -> Any:
        bench = bench_for(self._prepared, run.run_id, self._pulse)
        concurrency = self._prepared.plan.concurrency
        return measure(bench, self._trials(shift), shift.stop, concurrency, self._door)

    def _trials(self, shift: Shift) -> Iterator[Trial]:
        """Warm-ups, then round after round, each at its time, until the folder is full."""
        plan = replace(self._prepared.plan, rounds=MOST_ROUNDS)
        names = [endpoint.name for endpoint in self._prepared.endpoints]
        number = -1
        for trial in schedule(plan, names, self._first_round):
            if not trial.warmup and trial.round != number:
                if shift.rounds and not self._wait(shift):
                    break
                number = trial.round
                self._round(shift)
            self._first_round = trial.round + 1
            yield trial

    def _wait(self, shift: Shift) -> bool:
        """Until the next round is due; whether it is for this folder."""
        self._show(shift)
        if not self._pace.fills(shift.began, self._clock.now()) and self._goes_on():
            self._clock.wait_until(self._pace.due_ns, shift.stop.event)
        full = self._pace.fills(shift.began, self._clock.now())
        return not full and not shift.stop.asked and self._goes_on()

    def _round(self, shift: Shift) -> None:
        now = self._clock.now()
        self._purse.turn(now.utc_ns)
        if self._pulse.silence_ns(self._heard_ns):
            self._pace.explain("stopped")
        self._heard_ns = self._pulse.last_ns
        for gap in self._pace.begin(now):
            shift.gaps.append(gap)
            self.metrics.gap(gap)
            self._voice.line(f"Gap: {gap.words}")
        shift.rounds += 1
        self.metrics.round(now.utc_ns)
        self._tell_reviewed(self._reviewer.over())

    def _see(self, shift: Shift, sample: Sample) -> None:
        now = self._clock.now()
        self._pace.busy(now)
        self._row_ns = now.awake_ns
        self.metrics.row(sample, now.utc_ns, self._purse)
        self._rows += 1
        shift.see(sample)
        if (news := self._health.see(sample)) is not None:
            self._voice.line(f"{utc_text(now.utc_ns)[11:16]}Z  {news}")

    # Between two run folders

    def _after(self, filled: tuple[Shift, Finished]) -> None:
        shift, finished = filled
        self._folders += 1
        self.metrics.rotated()
        line = self._line(shift, finished)
        if finished.status != "complete":
            self._voice.line(line + (f"; not judged: {finished.reason}" if finished.reason else ""))
            return
        self._lines = {finished.run.run_id: line, **self._lines}
        self._tell_reviewed(self._reviewer.begin(finished.run.run_id))

    def _tell_reviewed(self, reviews: Iterator[Reviewed]) -> None:
        for one in reviews:
            self.metrics.reviewed(one.finding, self._clock.now().utc_ns)
            words = one.finding.words if one.finding else f"not judged: {one.error}"
            removed = one.finding.removed if one.finding else 0
            gone = f"; {removed} old run folders removed" if removed else ""
            self._voice.line(f"{self._lines.pop(one.run_id, one.run_id)}; {words}{gone}")

    def _rest(self) -> None:
        """Nothing is asked until the next day begins."""
        self._resting = True
        self.metrics.running(False)
        self._voice.line(f"Rests until the next day: {self._purse.reason()}.")
        now = self._clock.now()
        while self._goes_on() and not self._purse.turn(now.utc_ns):
            self._clock.wait_until(now.awake_ns + round(LOOK_S * NS_PER_S), self._over)
            self._tell_reviewed(self._reviewer.over())
            now = self._clock.now()
        self._pace.explain("limit")
        self._resting, self._row_ns = False, now.awake_ns
        self.metrics.running(True)

    def _last_words(self) -> None:
        """Of the review that is under way, unless somebody is in a hurry."""
        tries = round(REVIEW_S / BEAT_S)
        while self._reviewer.busy and tries and not self._over.wait(BEAT_S):
            self._tell_reviewed(self._reviewer.over())
            tries -= 1
        for line in self._lines.values():
            self._voice.line(line)

    def _ended(self) -> Ended:
        if self._over.is_set():
            return Ended("interrupted", None, self._folders, self._rows)
        if self._purse.empty == "all":
            return Ended("stopped", self._purse.reason(), self._folders, self._rows)
        return Ended("over", None, self._folders, self._rows)

    # Words

    def _line(self, shift: Shift, finished: Finished) -> str:
        when = utc_text(self._clock.now().utc_ns)[11:16]
        return f"{when}Z  {finished.folder}: {shift.words}"

    def _show(self, shift: Shift) -> None:
        now = self._clock.now()
        due_ns = now.utc_ns + max(0, self._pace.due_ns - now.awake_ns)
        usd = f", {format_usd(self._purse.spent_usd)} today" if self._purse.spent_usd else ""
        rounds = f"round {shift.rounds} of about {self._orders.rhythm.rounds}"
        failed = f"{shift.failed} failed{usd}"
        self._voice.status(f"{rounds}, {failed}; the next at {utc_text(due_ns)[11:19]}Z")


def _metrics(prepared: Prepared, orders: Orders) -> Metrics:
    try:
        module = import_module("bench.watch.metrics")
    except ImportError:
        raise UsageError("watch needs the extra: pip install 'regionbench[watch]'") from None
    make: Callable[..., Metrics] = module.Metrics
    return make(prepared, orders.rhythm.every_s, orders.day_usd)
