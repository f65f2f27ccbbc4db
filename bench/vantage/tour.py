"""The way from a crew to its run folders: let go, listen, store; until all are through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import StoreError
from bench.html import paragraph
from bench.model import Sample
from bench.prepare import Where
from bench.probe import Stop
from bench.session import Finished, clock_limit, draining
from bench.store import RunWriter
from bench.units import NS_PER_S
from bench.vantage import post
from bench.vantage.cluster import Cluster, Unable, Unheard
from bench.vantage.convoy import Convoy, in_turn
from bench.vantage.leg import Leg, count_stages, lost_words
from bench.vantage.muster import ANSWER_S, Crew, dismiss
from bench.vantage.purse import Purse
from bench.vantage.speech import SAID, WORD, Said, Untrue, Word, hear, speak
from bench.wire.clock import now_ns

if TYPE_CHECKING:
    import pandas as pd

SILENCE_S = 10.0
"""A vantage that was not heard of for so long is lost: by then it has ended by itself."""

DRAIN_S = 3.0
"""How long those who shall end at once may take to tell what became of their last request."""

_KEEP_S = 2.0
_TICK_S = 0.05
_AGAIN_S = 0.2

Watcher = Callable[[Sample], None]
Teller = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tour:
    """One plan measured from many vantages: a run each, under one batch. ``left_out`` are vantages
    without a run: (name, why)."""

    batch: str
    finished: tuple[Finished, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def status(self) -> str:
        """complete when every run is; else interrupted or stopped."""
        found = {one.status for one in self.finished}
        return next((s for s in ("interrupted", "stopped") if s in found), "complete")

    def frame(self) -> pd.DataFrame:
        """The rows of all of them, told apart by the column ``vantage``."""
        from bench.loading import load_runs

        return load_runs([one.folder for one in self.finished])

    def _repr_html_(self) -> str:
        lines = [f"{one.run.vantage}: {one.status}, {one.folder}" for one in self.finished]
        lines += [f"{name}: left out, {why}" for name, why in self.left_out]
        return "".join(map(paragraph, lines))


def travel(
    cluster: Cluster,
    crew: Crew,
    where: Where,
    *,
    watch: Watcher | None = None,
    tell: Teller | None = None,
    stop: Stop | None = None,
) -> Tour:
    """Measure from every vantage of a crew, and store each row as it comes.

    ``tell`` is given a sentence when a vantage is lost or left behind. Signals and limits are as in
    `bench.session.execute`, the limits for all vantages together.
    Raises StoreError when rows can no longer be stored; nothing more is sent then.
    """
    stop = stop or Stop()
    with _folders(crew, where) as legs:
        way = _Way(cluster, legs, where, stop, watch or _nobody, tell or _nobody)
        try:
            with draining(stop.now), clock_limit(stop, where):
                way.go()
        except BaseException:
            dismiss(cluster, [(leg.vantage.worker, leg.vantage.session) for leg in legs])
            way.abandon()
            raise
    batch = crew.plan.batch or ""
    return Tour(batch, tuple(leg.finished for leg in legs if leg.finished), crew.left_out)


def _nobody(_: object) -> None:
    """Who is told when nobody listens."""


@contextmanager
def _folders(crew: Crew, where: Where) -> Iterator[list[Leg]]:
    """A run folder for each, ours alone."""
    legs: list[Leg] = []
    try:
        for vantage in crew.vantages:
            writer = RunWriter.create(where.results, vantage.run)
            legs.append(Leg(vantage, writer, now_ns()))
        yield legs
    finally:
        for leg in legs:
            leg.writer.close()


@contextmanager
def kept_waiting(cluster: Cluster, crew: Crew) -> Iterator[None]:
    """Let the vantages know that somebody is still there, while a person decides."""
    over = threading.Event()

    def keep(word: Word) -> None:
        worker = next(v.worker for v in crew.vantages if v.session == word.session)
        while not over.wait(_KEEP_S):
            with suppress(Unheard, Unable):
                cluster.ask(worker, post.talk, speak(WORD, word), timeout_s=ANSWER_S)

    with ThreadPoolExecutor(len(crew.vantages)) as pool:
        for vantage in crew.vantages:
            pool.submit(keep, Word(vantage.session))
        try:
            yield
        except BaseException:
            dismiss(cluster, [(v.worker, v.session) for v in crew.vantages])
            raise
        finally:
            over.set()


class Gone(Exception):
    """A worker that its scheduler does not know any more."""


class _Way:
    """The loop. One question is under way to each vantage, and all that comes back is handled in
    this thread."""

    def __init__(
        self, cluster: Cluster, legs: Sequence[Leg], where: Where, stop: Stop,
        watch: Watcher, tell: Teller,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._legs = {leg.name: leg for leg in legs}
        self._stop = stop
        self._watch = watch
        self._tell = tell
        self._convoy = Convoy({leg.name: count_stages(leg.vantage) for leg in legs})
        self._purse = Purse(where.limits, {leg.name: leg.vantage.prepared for leg in legs})
        self._asked: dict[Future[Said], Leg] = {}
        self._drained_ns: int | None = None
        self._pool = ThreadPoolExecutor(len(legs))

    def go(self) -> None:
        """Until every leg is finished."""
        try:
            while any(leg.finished is None for leg in self._legs.values()):
                self._release()
                self._lend()
                self._ask()
                for future in wait(self._asked, _TICK_S, FIRST_COMPLETED).done:
                    self._hear(self._asked.pop(future), future)
                if not self._asked:
                    self._stop.event.wait(_TICK_S)
                self._give_up()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def abandon(self) -> None:
        """Finish what is not, whatever went wrong."""
        for leg in self._legs.values():
            if leg.finished is None:
                with suppress(StoreError):
                    leg.finish("stopped", None)

    def _release(self) -> None:
        if self._stop.asked:
            return
        left = len(self._convoy.left_behind)
        for name in self._convoy.release(now_ns()):
            self._legs[name].begin()
        for name in self._convoy.left_behind[left:]:
            self._tell(f"{name} is behind: the others went on without it.")

    def _lend(self) -> None:
        """Requests of the budget, one to each vantage in turn."""
        legs = [leg for leg in self._legs.values() if leg.waiting and leg.finished is None]
        for number, _ in in_turn([[t.seq for t in leg.waiting] for leg in legs]):
            leg = legs[number]
            if self._stop.asked or not leg.waiting:
                return
            if self._purse.lend(leg.name, leg.waiting[0]):
                leg.let_go()
            elif (why := self._purse.over(leg.name, leg.waiting[0])) is not None:
                self._stop.after_these(why)

    def _ask(self) -> None:
        """A question to everybody who has something to say or to be told."""
        busy = {leg.name for leg in self._asked.values()}
        for leg in self._legs.values():
            if leg.finished is None and leg.name not in busy and self._is_due(leg):
                leg.asked_ns = now_ns()
                word = leg.word(self._end(), now=self._stop.event.is_set())
                self._asked[self._pool.submit(self._talk, leg, word)] = leg

    def _is_due(self, leg: Leg) -> bool:
        waited_s = (now_ns() - leg.asked_ns) / NS_PER_S
        if leg.unheard:
            return waited_s > _AGAIN_S
        return bool(leg.open) or self._stop.asked or leg.go > leg.said_go or waited_s > _KEEP_S

    def _end(self) -> str | None:
        if not self._stop.asked:
            return None
        return self._stop.reason or "interrupted"

    def _talk(self, leg: Leg, word: Word) -> Said:
        worker = leg.vantage.worker
        try:
            answer = self._cluster.ask(worker, post.talk, speak(WORD, word), timeout_s=ANSWER_S)
        except Unheard:
            if worker not in self._cluster.workers():
                raise Gone from None
            raise
        said: Said = hear(SAID, answer)
        return said

    def _hear(self, leg: Leg, future: Future[Said]) -> None:
        if leg.finished is not None:
            return
        try:
            said = future.result()
            leg.heard_ns, leg.unheard = now_ns(), False
            for row in said.rows:
                self._keep(leg, row)
        except Gone:
            self._lose(leg, "its worker has left the cluster")
        except Unheard:
            leg.unheard = True
        except (Unable, Untrue) as why:
            dismiss(self._cluster, [(leg.vantage.worker, leg.vantage.session)])
            self._lose(leg, f"it said what cannot be ({why})")
        else:
            if said.state == "over" and not said.rows:
                self._over(leg, said)

    def _keep(self, leg: Leg, row: str) -> None:
        trial, sample = leg.take(row)
        self._purse.end(leg.name, trial, sample)
        self._watch(sample)
        leg.writer.sync_if_due()
        if leg.idle:
            self._convoy.done(leg.name)

    def _over(self, leg: Leg, said: Said) -> None:
        """A vantage sends nothing more, and all of its rows are here."""
        if said.failed is not None:
            self._lose(leg, said.failed[1])
        elif self._stop.asked or not leg.open:
            self._finish(leg, self._stop.status, self._stop.reason)
        else:
            self._lose(leg, "it ended by itself")

    def _give_up(self) -> None:
        """On those who were not heard of for too long."""
        if self._stop.event.is_set() and self._drained_ns is None:
            self._drained_ns = now_ns()
        for leg in [leg for leg in self._legs.values() if leg.finished is None]:
            if now_ns() - leg.heard_ns > SILENCE_S * NS_PER_S:
                self._lose(leg, f"it was not heard of for {SILENCE_S:g} s")
            elif self._drained_ns and now_ns() - self._drained_ns > DRAIN_S * NS_PER_S:
                self._finish(leg, self._stop.status, self._stop.reason)

    def _lose(self, leg: Leg, why: str) -> None:
        words = lost_words(leg, why)
        self._tell(f"{leg.name}: {words}.")
        self._finish(leg, "stopped", words)

    def _finish(self, leg: Leg, status: str, reason: str | None) -> None:
        for trial in leg.open.values():
            self._purse.lose(leg.name, trial)
        self._convoy.lose(leg.name)
        leg.finish(status, reason)
