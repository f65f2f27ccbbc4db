"""Did it get slower than it used to be? A stored run against the history that may judge it.

    results/ ──► Candidate (a batch, what came before it, what was left out) ──► judge ──► Verdicts
                                          │
                     confirmation_plan: the suspects alone, once more

The statistics are in `bench.stats.baseline` and `bench.stats.objectives`; here is decided what is
compared with what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import NotEnoughData, PlanError
from bench.history import StoredBatch, batches, find
from bench.loading import load
from bench.model import Caution, Plan
from bench.objective import parse_objective
from bench.plan import make_plan
from bench.stats.baseline import FEWEST, RECENT, Batch, against, batch, suspects
from bench.stats.objectives import judge_objectives
from bench.stats.strata import runs_of
from bench.stats.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

CONFIRMATIONS = "confirmations"
"""The folder in a results folder that fresh measurements of suspects go to. It is no run folder, so
they never become history: what was measured because it looked slow is no fair sample."""

_SAME_PLAN = (
    *("messages", "parameters", "arms", "http2"),
    *("concurrency", "rate", "pause_ms", "timeout_s"),
)
"""Keys of a plan that change what a request is or what it meets. Endpoints and strata are compared
cell by cell; rounds and seed change how well a thing is measured, not what it is."""

Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is judged, and by what.

    ``past`` are at most the 20 newest batches before it that are comparable, oldest first;
    ``left_out`` has every other earlier one with the reason.
    """

    name: str
    df: pd.DataFrame
    past: tuple[Batch, ...]
    left_out: Mapping[str, str]
    cautions: tuple[Caution, ...] = ()

    @property
    def runs(self) -> Runs:
        """The run.json of each sitting; empty for rows that have none."""
        return runs_of(self.df)

    @property
    def plan(self) -> Plan | None:
        """What was asked, by the newest sitting; None where that is not known."""
        return _plan(self.runs[-1]) if self.runs else None


def find_candidate(history: Path, run: str | None = None) -> Candidate:
    """The run to judge: a batch or run in ``history``, any path that `bench.load` reads, or the
    newest batch; with the comparable batches before it.

    Raises NotEnoughData when nothing is stored, UsageError for a name that nothing has, and
    StoreError when rows cannot be read.
    """
    known = batches(history)
    if run is not None and _elsewhere(known, Path(run)):
        df = load(run)
        return _candidate(Path(run).stem, df, _before(known, df))
    if not known:
        raise NotEnoughData(f"There is no run in {history} to judge: `regionbench run` makes one.")
    place = len(known) - 1 if run is None else _place(known, run)
    found = known[place]
    return _candidate(found.name, found.frame(), known[:place], found.cautions)


def _elsewhere(known: Sequence[StoredBatch], path: Path) -> bool:
    folders = [folder.resolve() for one in known for folder in one.folders]
    return path.exists() and path.resolve() not in folders


def _place(known: Sequence[StoredBatch], name: str) -> int:
    """Of the batch of that name, or of the one that a run belongs to."""
    heads = find(known, name)
    return next(i for i, one in enumerate(known) if heads[0] in one.heads)


def _before(known: Sequence[StoredBatch], df: pd.DataFrame) -> list[StoredBatch]:
    """Batches that began before these rows did; all of them where that is not known."""
    begun = df["started_at"].min()
    return [one for one in known if not one.started_at > f"{begun:%Y-%m-%dT%H:%M:%S}"]


def _candidate(
    name: str, df: pd.DataFrame, earlier: Sequence[StoredBatch], told: Sequence[Caution] = ()
) -> Candidate:
    reasons = {one.name: incomparable(one, runs_of(df)) for one in earlier}
    fit = [one for one in earlier if not reasons[one.name]]
    left_out = {old: reason for old, reason in reasons.items() if reason}
    left_out |= {one.name: f"older than the last {RECENT}" for one in fit[:-RECENT]}
    past = tuple(batch(one.frame(), one.name) for one in fit[-RECENT:])
    cautions = (*told, *_brought(df), *_thin(past, left_out))
    return Candidate(name, df, past, left_out, cautions)


def _brought(df: pd.DataFrame) -> list[Caution]:
    """What its reader said of the rows: missing, damaged, cut off."""
    told = df.attrs.get("cautions") or ()
    return [Caution(str(c["code"]), str(c["text"]), str(c.get("advice") or "")) for c in told]


def _thin(past: Sequence[Batch], left_out: Mapping[str, str]) -> list[Caution]:
    """Without a baseline a reader must see what would have been one."""
    if len(past) >= FEWEST or not left_out:
        return []
    reasons = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
    text = f"Stored, yet no part of this history: {reasons}."
    return [Caution("left_out", text, "`regionbench history` lists what is stored.")]


def incomparable(past: StoredBatch, runs: Runs) -> str:
    """Why a stored batch is no part of the history of these runs; empty when it is."""
    if past.status != "complete":
        return f"not complete: {past.status}"
    if not runs:
        return ""
    old, new = past.heads[-1].run, runs[-1]
    for name in ("vantage", "provider"):
        if old.get(name) != new.get(name):
            return f"another {name}: {old.get(name)}"
    before, now = _plan(old), _plan(new)
    changed = [
        name for name in _SAME_PLAN if getattr(before, name, None) != getattr(now, name, None)
    ]
    return f"another plan: {', '.join(changed)} changed" if changed else ""


def judge(candidate: Candidate, confirmation: Batch | None = None) -> tuple[Verdict, ...]:
    """The verdict against history and, where the plan has objectives, the one against those."""
    new = batch(candidate.df, candidate.name)
    verdict = against(candidate.past, new, confirmation)
    told = (*candidate.cautions, *verdict.cautions)
    return (replace(verdict, cautions=told), *_objectives(candidate))


def _objectives(candidate: Candidate) -> list[Verdict]:
    texts = candidate.plan.objectives if candidate.plan else ()
    objectives = [parse_objective(text) for text in texts]
    if not objectives:
        return []
    return [replace(judge_objectives(candidate.df, objectives), b=candidate.name)]


def confirmation_plan(candidate: Candidate, verdict: Verdict) -> Plan:
    """The suspects alone, with as many rounds as all sittings had together.

    Raises PlanError when nothing says what was asked.
    """
    plan = candidate.plan
    if plan is None:
        raise PlanError("its plan is not known: measure again and give --confirmation")
    names = suspects(verdict)
    strata = [one.stratum for one in verdict.judged if one.endpoint in names and one.p is not None]
    model = next((run.get("model") for run in reversed(candidate.runs)), None)
    return replace(
        plan,
        endpoints=names,
        model=str(model or plan.model),
        kinds=tuple(k for k in plan.kinds if _among(k, [s.kind for s in strata])),
        connections=tuple(c for c in plan.connections if _among(c, [s.connection for s in strata])),
        clients=tuple(c for c in plan.clients if _among(c, [s.client for s in strata])),
        rounds=plan.rounds * len(candidate.runs),
        seed=plan.seed + 1,
        batch=None,
    )


def unreachable(names: Sequence[str], why: str) -> Batch:
    """The confirmation in which none of the suspects could be measured."""
    return Batch(CONFIRMATIONS, 0, (), dict.fromkeys(names, why))


def _among(name: str, found: Sequence[str]) -> bool:
    """An endpoint that could not be measured at all has no strata: then all are asked."""
    return name in found or not found


def _plan(run: Mapping[str, Any]) -> Plan | None:
    """What a run.json says was asked, whatever version wrote it; None where that is not known."""
    stored = run.get("plan")
    if not isinstance(stored, Mapping):
        return None
    known = {f.name for f in fields(Plan)}
    try:
        return make_plan({name: value for name, value in stored.items() if name in known})
    except PlanError:
        return None
