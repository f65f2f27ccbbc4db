"""Did it get slower than it used to be? A stored run against the history that may judge it.

    results/ ──► Candidate (a batch, what came before it, what was left out) ──► judge ──► Verdicts
                                          │
                     confirmation_plan: the suspects alone, once more

A batch of several vantages is a candidate for each: every vantage is judged by its own history.

The statistics are in `bench.stats.baseline` and `bench.stats.objectives`; here is decided what is
compared with what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import foreign
from bench.errors import NotEnoughData, PlanError, UsageError
from bench.frame import tidy
from bench.history import StoredBatch, batches, find
from bench.loading import load, load_runs
from bench.model import Caution, Plan
from bench.objective import parse_objective
from bench.plan import make_plan
from bench.stats.baseline import FEWEST, RECENT, Batch, Trial, against_each, batch, suspects
from bench.stats.metrics import METRICS
from bench.stats.objectives import judge_objectives
from bench.stats.strata import NOWHERE, runs_of
from bench.stats.vantages import by_vantage
from bench.stats.verdict import Verdict, placed
from bench.store import StoredRun

if TYPE_CHECKING:
    import pandas as pd

CONFIRMATIONS = "confirmations"
"""The folder in a results folder that fresh measurements of suspects go to. It is no run folder, so
they never become history: what was measured because it looked slow is no fair sample."""

EXCLUDED = "excluded"
"""The tag of a run that shall judge no other: a known incident would widen what is expected."""

_SAME_PLAN = (
    *("messages", "parameters", "arms", "http2"),
    *("concurrency", "rate", "pause_ms", "timeout_s"),
)
"""Keys of a plan that change what a request is or what it meets. Endpoints and strata are compared
cell by cell; rounds and seed change how well a thing is measured, not what it is."""

COLUMNS = (*(metric.column for metric in METRICS.values()), "seq", "region", "edge", "peer_ip")
"""What is read besides `bench.frame.KEYS`: objectives name any metric, a review shows routing."""

Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that can be judged or judge: a batch of run folders, or a file of another tool.

    ``run`` is the run.json of its newest sitting, ``places`` are the paths that mean it,
    ``vantages`` where it was measured from; ``at`` gives what was measured from one of them.
    """

    name: str
    status: str
    run: Mapping[str, Any]
    places: tuple[Path, ...]
    frame: Callable[[], pd.DataFrame]
    cautions: tuple[Caution, ...] = ()
    tags: tuple[str, ...] = ()
    vantages: tuple[str, ...] = ()
    part: Callable[[str], Stored] | None = None

    def at(self, vantage: str) -> Stored:
        """Of one of its vantages; itself where it has no other."""
        return self if self.part is None else self.part(vantage)

    @property
    def began(self) -> str:
        """To the second, in UTC; empty where it is not known."""
        return str(self.run.get("started_at") or "")[:19]


def stored(history: Path) -> list[Stored]:
    """Everything in a results folder that could be judged, oldest first."""
    files = foreign.read_folder(history)[0] if history.is_dir() else []
    found = [*map(_of_batch, batches(history)), *map(_of_file, files)]
    return sorted(found, key=lambda one: one.began)


def _of_batch(one: StoredBatch) -> Stored:
    places = tuple(folder.resolve() for folder in one.folders)
    run, tags = one.heads[-1].run, tuple(one.tags)
    names = tuple(dict.fromkeys(_vantage(head.run) for head in one.heads))

    def part(vantage: str) -> Stored:
        heads = tuple(head for head in one.heads if _vantage(head.run) == vantage)
        return _of_batch(replace(one, heads=heads))

    frame = partial(one.frame, COLUMNS)
    whole = Stored(one.name, one.status, run, places, frame, one.cautions, tags, names)
    return replace(whole, part=part) if len(names) > 1 else whole


def _vantage(run: Mapping[str, Any]) -> str:
    return str(run.get("vantage") or NOWHERE)


def _of_file(one: StoredRun) -> Stored:
    name, status = str(one.run["run_id"]), str(one.run["status"])
    frame, names = partial(tidy, one.rows, [one.run]), (_vantage(one.run),)
    return Stored(name, status, one.run, (), frame, one.cautions, vantages=names)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is judged, and by what.

    ``past`` are at most the 20 newest batches before it that are comparable, oldest first;
    ``left_out`` has every other earlier one with the reason. ``vantage`` is named where a batch has
    several. ``df`` has `COLUMNS` and `bench.frame.KEYS`.
    """

    name: str
    df: pd.DataFrame
    past: tuple[Batch, ...]
    left_out: Mapping[str, str]
    cautions: tuple[Caution, ...] = ()
    vantage: str | None = None

    @property
    def runs(self) -> Runs:
        """The run.json of each sitting; empty for rows that have none."""
        return runs_of(self.df)

    @property
    def plan(self) -> Plan | None:
        """What was asked, by the newest sitting; None where that is not known."""
        return _plan(self.runs[-1]) if self.runs else None


def find_candidate(history: str | Path, run: str | None = None) -> Candidate:
    """The run to judge, with the comparable batches before it.

    As `find_candidates`; UsageError for a batch of several vantages.
    """
    first, *others = find_candidates(history, run)
    if others:
        names = ", ".join(str(one.vantage) for one in (first, *others))
        raise UsageError(f"{first.name} is of several vantages ({names}): take bench.judge_all")
    return first


def find_candidates(history: str | Path, run: str | None = None) -> tuple[Candidate, ...]:
    """The run to judge, with the comparable batches before it, one candidate for each vantage.

    ``run`` is a batch or run in ``history``, any path that `bench.load` reads, or None for the
    newest. Raises NotEnoughData when nothing is stored, UsageError for a name that nothing has,
    and StoreError when rows cannot be read.
    """
    history = Path(history)
    known = stored(history)
    if run is not None and (found := _elsewhere(known, Path(run))) is not None:
        return _candidates(found, _before(known, found))
    if not known:
        raise NotEnoughData(f"There is no run in {history} to judge: `regionbench run` makes one.")
    place = len(known) - 1 if run is None else _place(known, run, history)
    return _candidates(known[place], known[:place])


def _elsewhere(known: Sequence[Stored], path: Path) -> Stored | None:
    """What lies at a path, unless it is one of the stored."""
    if not path.exists() or any(path.resolve() in one.places for one in known):
        return None
    df = load(path, COLUMNS)
    parts = by_vantage(df)

    def part(vantage: str) -> Stored:
        own = parts[vantage]
        run = runs_of(own)[-1] if runs_of(own) else {}
        return Stored(path.stem, "complete", run, (), lambda: own, vantages=(vantage,))

    whole = part(next(iter(parts)))
    return whole if len(parts) == 1 else replace(whole, vantages=tuple(parts), part=part)


def _place(known: Sequence[Stored], name: str, history: Path) -> int:
    """Of the batch of that name, or of the one that a run or a path belongs to."""
    for place, one in enumerate(known):
        if name == one.name or Path(name).resolve() in one.places:
            return place
    heads = find(batches(history), name)
    return next(i for i, one in enumerate(known) if heads[0].folder.resolve() in one.places)


def _before(known: Sequence[Stored], found: Stored) -> list[Stored]:
    """Those that began earlier; all the others where that is not known."""
    others = [one for one in known if one.run.get("run_id") != found.run.get("run_id")]
    return [one for one in others if not found.began or one.began < found.began]


def _candidates(found: Stored, earlier: Sequence[Stored]) -> tuple[Candidate, ...]:
    """Each vantage by its own history; a lone one is named only where others are missing."""
    lost = _lost(found, earlier)
    many = len(found.vantages) > 1 or bool(lost)
    return tuple(
        replace(
            _candidate(found.at(name), [_seen_from(one, name) for one in earlier], lost),
            vantage=name if many else None,
        )
        for name in found.vantages
    )


def _seen_from(one: Stored, vantage: str) -> Stored:
    """Its part from there; the whole, which is then incomparable, where it has none."""
    return one.at(vantage) if vantage in one.vantages else one


def _lost(found: Stored, earlier: Sequence[Stored]) -> list[str]:
    """The vantages that batches of late had beside its own, and it has not."""
    ours = set(found.vantages)
    tours = [set(one.vantages) for one in earlier[-FEWEST:] if ours & set(one.vantages)]
    return sorted(set().union(*tours) - ours)


def _candidate(found: Stored, earlier: Sequence[Stored], lost: Sequence[str]) -> Candidate:
    df = found.frame()
    reasons = {one.name: incomparable(one, found.run) for one in earlier}
    fit = [one for one in earlier if not reasons[one.name]]
    left_out = {old: reason for old, reason in reasons.items() if reason}
    left_out |= {one.name: f"older than the last {RECENT}" for one in fit[:-RECENT]}
    past = tuple(batch(one.frame(), one.name, by_vantage=False) for one in fit[-RECENT:])
    cautions = (*found.cautions, *_brought(df), *_thin(past, left_out), *_absent(lost))
    return Candidate(found.name, df, past, left_out, cautions)


def _absent(lost: Sequence[str]) -> list[Caution]:
    if not lost:
        return []
    text = f"Not measured from {', '.join(lost)} this time, as earlier batches were: not judged."
    return [Caution("vantage_missing", text, "Measure the batch from every vantage.")]


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


def incomparable(past: Stored, run: Mapping[str, Any]) -> str:
    """Why something stored is no part of the history of a run; empty when it is."""
    if EXCLUDED in past.tags:
        return f"tagged {EXCLUDED}"
    if past.status != "complete":
        return f"not complete: {past.status}"
    for name in ("vantage", "provider"):
        if past.run.get(name) != run.get(name):
            return f"another {name}: {past.run.get(name)}"
    if (every_s := _every_s(past.run)) != _every_s(run):
        return f"watched every {every_s:g} s" if every_s else "not of a watch"
    before, now = _plan(past.run), _plan(run)
    changed = [name for name in _SAME_PLAN if getattr(before, name, 0) != getattr(now, name, 0)]
    return f"another plan: {', '.join(changed)} changed" if changed else ""


def _every_s(run: Mapping[str, Any]) -> float | None:
    """How far apart its rounds were, by a watch: kept connections rested meanwhile."""
    watch = run.get("watch")
    every_s = watch.get("every_s") if isinstance(watch, Mapping) else None
    return float(every_s) if isinstance(every_s, int | float) else None


def unchanged(results: Path) -> tuple[pd.DataFrame, Mapping[str, str]]:
    """The rows of the newest run and of all that is comparable with it; and what was left out.

    Of one vantage: that of the newest sitting.

    A path that is no results folder is read as it is. Raises StoreError when nothing can be read.
    """
    known = batches(results) if results.is_dir() else []
    if len(known) < 2:
        return load(results, COLUMNS), {}
    newest = known[-1].heads[-1].run
    vantage = _vantage(newest)
    seen = [_seen_from(_of_batch(one), vantage) for one in known]
    reasons = {one.name: incomparable(one, newest) for one in seen}
    fit = [folder for one in seen if not reasons[one.name] for folder in one.places]
    others = {
        f"{one.name} from {name}": "another vantage"
        for one in map(_of_batch, known)
        for name in one.vantages
        if name != vantage and vantage in one.vantages
    }
    told = {name: reason for name, reason in reasons.items() if reason}
    return load_runs(fit, COLUMNS), told | others


def judge(candidate: Candidate, confirmation: Batch | None = None) -> tuple[Verdict, ...]:
    """The verdict against history and, where the plan has objectives, the one against those."""
    return judge_all([candidate], {candidate.vantage: confirmation} if confirmation else {})


def judge_all(
    candidates: Sequence[Candidate],
    confirmations: Mapping[str | None, Batch] | None = None,
) -> tuple[Verdict, ...]:
    """As `judge`, of each vantage by its own history: first every verdict against history, in the
    order of ``candidates``, then those against objectives.

    All cells of all vantages are corrected together. ``confirmations``: vantage → fresh batch.
    """
    fresh = confirmations or {}
    trials = [
        Trial(one.past, batch(one.df, one.name, by_vantage=False), fresh.get(one.vantage))
        for one in candidates
    ]
    found = [
        replace(_placed(verdict, one), cautions=(*one.cautions, *verdict.cautions))
        for one, verdict in zip(candidates, against_each(trials), strict=True)
    ]
    return (*found, *(made for one in candidates for made in _objectives(one)))


def _placed(verdict: Verdict, candidate: Candidate) -> Verdict:
    """Named by its vantage, in the verdict and in each cell, where there are several."""
    if candidate.vantage is None:
        return verdict
    judged = tuple(placed(one, candidate.vantage) for one in verdict.judged)
    return replace(verdict, b=f"{candidate.name} from {candidate.vantage}", judged=judged)


def _objectives(candidate: Candidate) -> list[Verdict]:
    texts = candidate.plan.objectives if candidate.plan else ()
    objectives = [parse_objective(text) for text in texts]
    if not objectives:
        return []
    made = replace(judge_objectives(candidate.df, objectives), b=candidate.name)
    return [_placed(made, candidate)]


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
    said = run.get("plan")
    if not isinstance(said, Mapping) or not said:
        return None
    known = {f.name for f in fields(Plan)}
    try:
        return make_plan({name: value for name, value in said.items() if name in known})
    except PlanError:
        return None
