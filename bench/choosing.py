"""Which endpoint? A race that sends requests while it does not know, and stops when it does."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench import notebook
from bench.choice import Choice, explain
from bench.errors import PlanError
from bench.model import ASKING, Plan, Sample, Trial
from bench.notebook import Watcher
from bench.prepare import Prepared, Where, open_catalogue, prepare
from bench.session import Finished, execute
from bench.stats import METRICS, main_metric
from bench.stats.metrics import NOBODYS_FAULT
from bench.stats.race import Race, RaceRules
from bench.stats.race_verdict import RaceVerdict
from bench.units import NS_PER_MS

PROBES = 5
"""Cheap requests of the harness's own client to each endpoint before a race, the first of them to
warm it: what is network costs nothing to know, and streams do not carry the server's own word."""


PAUSE_MS = 500.0
"""What a race waits between two requests, unless told otherwise: spells of spillover and failure
last for seconds, and rounds that all fall into one know nothing of the others."""


class Contest:
    """A race that is being run: gives the trials that it still needs, and takes their samples."""

    def __init__(self, plan: Plan, endpoints: Sequence[str], rules: RaceRules) -> None:
        for name in ("kinds", "connections", "clients"):
            if len(getattr(plan, name)) != 1:
                raise PlanError(f"{name}: a race is run in one stratum; name exactly one")
        if plan.arms:
            raise PlanError("arms: a race is between endpoints; compare arms with compare")
        if plan.concurrency != 1:
            raise PlanError("concurrency: a race asks one request at a time; leave it at 1")
        self.race = Race(endpoints, rules)
        self._plan = plan
        self._column = METRICS[main_metric(plan.kinds[0], plan.stream)].column
        self._round: dict[str, float] = {}

    def trials(self) -> Iterator[Trial]:
        """Warm-ups and probes of everyone, then rounds of whoever the race still asks, in random
        order, until it is decided."""
        seqs = itertools.count()
        for number in itertools.count():
            raced = number >= self._plan.warmup_rounds + PROBES * self._probing
            if raced and self.race.decided:
                return
            names = list(self.race.alive if raced else self.race.endpoints)
            random.Random(f"{self._plan.seed}:{number}:race").shuffle(names)
            make = self._trial if raced or number < self._plan.warmup_rounds else self._probe
            yield from (make(next(seqs), number, name) for name in names)
            if raced:
                self.race.add(self._round)
            self._round = {}

    @property
    def _probing(self) -> bool:
        return self._plan.kinds[0] in ASKING

    def see(self, sample: Sample) -> None:
        """Take what one request of the current round became."""
        if sample.warmup or sample.kind != self._plan.kinds[0]:
            return
        if sample.outcome in NOBODYS_FAULT:
            return
        if sample.outcome != "ok":
            self._round[sample.endpoint] = float("inf")
        elif (value_ns := getattr(sample, self._column)) is not None:
            self._round[sample.endpoint] = value_ns / NS_PER_MS

    def _trial(self, seq: int, number: int, name: str) -> Trial:
        warmup = number < self._plan.warmup_rounds
        return Trial(
            seq=seq,
            round=number,
            endpoint=name,
            kind=self._plan.kinds[0],
            connection=self._plan.connections[0],
            client=self._plan.clients[0],
            warmup=warmup,
            due_ns=None,
            worker=0 if warmup else None,
        )

    def _probe(self, seq: int, number: int, name: str) -> Trial:
        return replace(
            self._trial(seq, number, name),
            kind="models",
            connection="warm",
            client="httpx",
            warmup=number == self._plan.warmup_rounds,
            worker=0 if number == self._plan.warmup_rounds else None,
        )


def contend(
    prepared: Prepared, where: Where, rules: RaceRules, watch: Watcher | None = None
) -> tuple[Finished, RaceVerdict]:
    """Run the race over the prepared endpoints, store every row, and say how it ended.

    Raises PlanError when the plan is not one stratum, and what `bench.session.execute` raises.
    """
    contest = Contest(prepared.plan, [e.name for e in prepared.endpoints], rules)

    def see(sample: Sample) -> None:
        contest.see(sample)
        if watch is not None:
            watch(sample)

    finished = execute(prepared, where, watch=see, trials=contest.trials())
    return finished, contest.race.verdict()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A race that is over: its rows, its verdict, and what that means."""

    finished: Finished
    verdict: RaceVerdict
    choice: Choice

    def _repr_html_(self) -> str:
        return self.choice._repr_html_()


def choose(
    plan: Plan | None = None,
    *,
    where: Where | None = None,
    rules: RaceRules | None = None,
    watch: Watcher | None = None,
) -> Chosen:
    """Run a race and explain its end: the whole of ``regionbench choose`` in one call.

    ``rules`` say what counts as equal and when to stop; a request that takes longer than the plan's
    timeout is a failure. Raises what `contend` raises.
    """
    plan, where = plan or Plan(pause_ms=PAUSE_MS), where or Where()
    rules = replace(rules or RaceRules(), timeout_ms=plan.timeout_s * 1000)
    plan = replace(plan, rounds=rules.cap)
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        with notebook.progress(prepared, watch, at_most=True) as seen:
            finished, verdict = contend(prepared, where, rules, seen)
    return Chosen(finished, verdict, explain(verdict, finished.frame(), rules))
