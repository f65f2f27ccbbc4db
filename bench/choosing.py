"""Which endpoint? A race that asks while it does not know, and what its end means for a user."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import NotEnoughData, PlanError
from bench.model import GLOBAL, Endpoint, Plan, Sample, Trial
from bench.prepare import Prepared, Where
from bench.session import Finished, Watcher, execute
from bench.snippets import snippets
from bench.stats import METRICS, countable, main_metric, stratify
from bench.stats.race import Race, RaceRules, fixed_plan_requests, replay
from bench.stats.race_verdict import RaceVerdict
from bench.stats.rates import Rate
from bench.units import NS_PER_MS, format_ms, format_usd

if TYPE_CHECKING:
    import pandas as pd


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
        """Rounds of whoever the race still asks, in random order, until it is decided."""
        numbers = itertools.count()
        for round_number in itertools.count():
            warmup = round_number < self._plan.warmup_rounds
            if not warmup and self.race.decided:
                return
            names = list(self.race.endpoints if warmup else self.race.alive)
            random.Random(f"{self._plan.seed}:{round_number}:race").shuffle(names)
            for name in names:
                yield self._trial(next(numbers), round_number, name, warmup)
            if not warmup:
                self.race.add(self._round)
            self._round = {}

    def see(self, sample: Sample) -> None:
        """Take what one request of the current round became."""
        if sample.warmup or sample.outcome in ("cancelled", "client_fault"):
            return
        if sample.outcome != "ok":
            self._round[sample.endpoint] = float("inf")
        elif (value_ns := getattr(sample, self._column)) is not None:
            self._round[sample.endpoint] = value_ns / NS_PER_MS

    def _trial(self, seq: int, round_number: int, name: str, warmup: bool) -> Trial:
        return Trial(
            seq=seq,
            round=round_number,
            endpoint=name,
            kind=self._plan.kinds[0],
            connection=self._plan.connections[0],
            client=self._plan.clients[0],
            warmup=warmup,
            due_ns=None,
            worker=0 if warmup else None,
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
class Choice:
    """A race's end in a user's terms.

    ``sentence`` is the answer; ``facts`` are further sentences: failures, cost, what was saved,
    the network's part, what pinning costs. ``configuration``: client → line, for the best.
    """

    kind: str
    best: str | None
    sentence: str
    facts: tuple[str, ...]
    configuration: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        return {
            "kind": self.kind,
            "best": self.best,
            "sentence": self.sentence,
            "facts": list(self.facts),
            "configuration": dict(self.configuration),
        }


def decide_stored(df: pd.DataFrame, rules: RaceRules) -> RaceVerdict:
    """Replay the race on the stored rounds of the frame's main stratum. Raises NotEnoughData."""
    strata = stratify(countable(df), _runs(df))
    if not strata:
        raise NotEnoughData("There is no measured request to race with.")
    return replay(strata[0][1], rules)


def explain(verdict: RaceVerdict, df: pd.DataFrame, rules: RaceRules) -> Choice:
    """Say what the verdict on the rows of ``df`` means."""
    facts = [_failures(verdict), _spent(verdict, df)]
    facts += [*_network(verdict, df), *_pinning(verdict, df)]
    return Choice(
        kind=verdict.kind,
        best=verdict.best,
        sentence=_sentence(verdict, rules),
        facts=tuple(fact for fact in facts if fact),
        configuration=_configuration(verdict.best, df),
    )


def _sentence(verdict: RaceVerdict, rules: RaceRules) -> str:
    names = _listed(verdict.endpoints)
    margin = f"{100 * rules.within:g} % or {rules.within_ms:g} ms"
    if verdict.kind == "undecided" or verdict.best is None:
        return f"Undecided between {names} after {verdict.rounds} rounds."
    chance = f"chance of being wrong by more than {margin}: {100 * (verdict.wrong or 0):.1f} %"
    if verdict.kind == "equivalent":
        return f"Equivalent within {margin}: {names} ({chance})."
    if verdict.kind == "choice":
        return f"Choose {verdict.best}: nothing else is faster by more than {margin} ({chance})."
    return f"{verdict.best} is the fastest{_lead(verdict)} ({chance})."


def _lead(verdict: RaceVerdict) -> str:
    if verdict.lead_ms is None or verdict.lead_ms.value_ms is None or verdict.next_best is None:
        return ""
    return f", {format_ms(verdict.lead_ms.value_ms)} ahead of {verdict.next_best}"


def _failures(verdict: RaceVerdict) -> str:
    found = verdict.failures.items()
    failing = [f"{name} {_percent(rate)}" for name, rate in found if rate.share]
    return f"Failures: {', '.join(failing)}." if failing else "Nothing failed."


def _spent(verdict: RaceVerdict, df: pd.DataFrame) -> str:
    fixed = fixed_plan_requests(len(verdict.failures))
    usd = float(df["cost_usd"].sum())
    cost = f" for {format_usd(usd)}" if usd else ""
    return (
        f"{verdict.requests} requests in {verdict.rounds} rounds{cost};"
        f" a fixed plan that is as safe takes {fixed}."
    )


def _network(verdict: RaceVerdict, df: pd.DataFrame) -> list[str]:
    answered = (df["outcome"] == "ok") & ~df["warmup"]
    rows = df[(df["endpoint"].astype(str) == verdict.best) & answered]
    network, total = rows["network_ms"].dropna(), rows["total_ns"].dropna()
    if verdict.best is None or network.empty:
        return []
    whole = float(total.median()) / NS_PER_MS
    return [
        f"Of {format_ms(whole)}, {format_ms(float(network.median()))} is network, edge and queue;"
        " no region can save more."
    ]


def _pinning(verdict: RaceVerdict, df: pd.DataFrame) -> list[str]:
    """What is given up by not using the global endpoint."""
    best = verdict.best
    if best is None or best == GLOBAL or GLOBAL not in verdict.failures:
        return []
    ours, theirs = verdict.failures[best], verdict.failures[GLOBAL]
    said = [
        f"Pinned to {best}, a request fails when the region cannot take it ({_percent(ours)} here);"
        f" the global endpoint sends it elsewhere ({_percent(theirs)} failed here)."
    ]
    lost = sorted(_models(df, GLOBAL) - _models(df, best))
    if lost:
        said.append(f"Models of the global endpoint that {best} does not list: {', '.join(lost)}.")
    return said


def _models(df: pd.DataFrame, endpoint: str) -> set[str]:
    checks = [check for run in _runs(df) for check in run.get("preflight") or []]
    lists = [check.get("models") or () for check in checks if check.get("endpoint") == endpoint]
    return {model for models in lists for model in models}


def _configuration(best: str | None, df: pd.DataFrame) -> Mapping[str, str]:
    for run in _runs(df):
        for entry in run.get("endpoints") or []:
            if entry.get("name") == best:
                return snippets(Endpoint(name=entry["name"], url=entry["url"]))
    return {}


def _runs(df: pd.DataFrame) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = df.attrs.get("runs", [])
    return found


def _percent(rate: Rate) -> str:
    return f"{100 * (rate.share or 0.0):.1f} %"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1)) if names else "nobody"
