"""A fresh measurement of what looks slower, before anybody is told that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.measuring import measure_aloud
from bench.cli.shell import tell
from bench.errors import NothingMeasured, RegionbenchError
from bench.model import Caution
from bench.prepare import Where, open_catalogue, prepare
from bench.session import Finished

if TYPE_CHECKING:
    from bench.gate import Candidate
    from bench.model import Plan
    from bench.stats.baseline import Batch
    from bench.stats.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Fresh:
    """What came of it: a batch to confirm with, or None and why in ``told``."""

    batch: Batch | None = None
    told: tuple[Caution, ...] = ()
    interrupted: bool = False


def waiting(verdict: Verdict) -> tuple[str, ...]:
    """The endpoints to measure once more."""
    from bench.stats.baseline import suspects

    return suspects(verdict)


def stored(history: Path, name: str, candidates: Sequence[Candidate]) -> dict[str | None, Batch]:
    """A fresh measurement made earlier: a path, or a run in the history's confirmations; by the
    vantage of the candidates, where they name theirs."""
    from bench.gate import COLUMNS, CONFIRMATIONS
    from bench.loading import load
    from bench.stats.baseline import batch
    from bench.stats.vantages import by_vantage

    inside = history / CONFIRMATIONS / name
    df = load(inside if inside.is_dir() else name, COLUMNS)
    if [one.vantage for one in candidates] == [None]:
        return {None: batch(df, name)}
    return {vantage: batch(part, name) for vantage, part in by_vantage(df).items()}


def from_there(names: Sequence[str], candidate: Candidate) -> Caution:
    """Nobody here can measure from another vantage."""
    text = f"Suspect from {candidate.vantage}, which is not here: {', '.join(names)}."
    advice = "Run the plan there once more, and give that run as --confirmation."
    return Caution("unconfirmed", text, advice)


def measure(candidate: Candidate, verdict: Verdict, where: Where) -> Fresh:
    """Ask the suspects alone, now; rows go to the history's confirmations.

    That it cannot be done is no error: they then stay suspects, and the reason is told.
    """
    from bench.gate import CONFIRMATIONS, confirmation_plan, unreachable

    names = waiting(verdict)
    tell(f"\nSuspect: {', '.join(names)}. Measuring once more before saying so.")
    try:
        plan = confirmation_plan(candidate, verdict)
        vantage = where.vantage or str(candidate.runs[-1].get("vantage"))
        there = replace(where, vantage=vantage, results=where.results / CONFIRMATIONS)
        return _fresh(_execute(plan, there), candidate, where.results)
    except NothingMeasured as error:
        return Fresh(unreachable(names, str(error)))
    except RegionbenchError as error:
        return Fresh(told=(unconfirmed(names, candidate.name, where.results, str(error)),))


def _execute(plan: Plan, where: Where) -> Finished:
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        return measure_aloud(prepared, where)


def _fresh(finished: Finished, candidate: Candidate, history: Path) -> Fresh:
    from bench.stats.baseline import batch

    tell(f"Rows: {finished.folder}")
    if finished.status == "complete":
        return Fresh(batch(finished.frame(), finished.run.run_id))
    names = finished.run.plan.endpoints
    told = unconfirmed(names, candidate.name, history, f"the measurement was {finished.status}")
    return Fresh(told=(told,), interrupted=True)


def unconfirmed(names: Sequence[str], run: str, history: Path, why: str = "") -> Caution:
    """With the command that confirms."""
    text = f"Suspect and not measured once more: {', '.join(names)}{f'; {why}' if why else ''}."
    return Caution("unconfirmed", text, f"`regionbench gate {run} --history {history}` does it.")
