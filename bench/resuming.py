"""The rest of a run that did not finish: the same schedule, from where it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bench.catalogue import Catalogue
from bench.errors import PlanError, StoreError, UsageError
from bench.model import Plan, Run, Trial
from bench.plan import make_plan, plan_sha256
from bench.prepare import Prepared, Where, prepare
from bench.schedule import schedule
from bench.store import Kept, read_run

_SAME = ("round", "endpoint", "kind", "connection", "client", "arm", "warmup")

_NEEDED: dict[str, type] = {
    "plan": dict,
    "plan_sha256": str,
    "vantage": str,
    "models": dict,
    "simulated": bool,
    "started_at": str,
    "endpoints": list,
    "preflight": list,
}
"""What goes on is made of these; a run.json without them can be read, but not resumed."""

_NEEDED_OF_EACH = {"endpoints": ("name", "url"), "preflight": ("endpoint", "outcome")}


@dataclass(frozen=True, slots=True)
class Rest:
    """A run that can go on: its folder, its run.json, its plan."""

    folder: Path
    run: Mapping[str, Any]
    plan: Plan

    @property
    def measured(self) -> tuple[str, ...]:
        """The endpoints that it asks, in the order that its schedule drew from."""
        good = {check["endpoint"] for check in self.run["preflight"] if check["outcome"] == "ok"}
        return tuple(e["name"] for e in self.run["endpoints"] if e["name"] in good)

    def left(self, kept: Kept) -> list[Trial]:
        """What is still to be asked; raises PlanError for rows of another schedule."""
        return remaining(self.plan, self.measured, kept.found.rows)

    def continued(self, now: Run, kept: Kept, left: Sequence[Trial]) -> Run:
        """``now`` under the run's own name, with what was true before in its ``before``."""
        old = self.run
        part = {name: old.get(name) for name in ("started_at", "finished_at", "status", "reason")}
        part |= {name: old.get(name) for name in ("versions", "clock", "platform", "calibration")}
        part |= {"rows": len(kept.found.rows), "resumed_at": now.started_at}
        return replace(
            now,
            run_id=old["run_id"],
            started_at=old["started_at"],
            scheduled=len(kept.found.rows) + len(left),
            before=(*(old.get("before") or ()), part),
            tour=old.get("tour"),
        )


def read_rest(folder: Path, given: Plan | None = None) -> Rest:
    """The run in a folder, to be resumed. ``given`` is the plan that was asked for beside it.

    Raises StoreError when it is being written or its run.json lacks what that takes, and UsageError
    when it is complete or when the plan is another one.
    """
    stored = read_run(folder)
    run = stored.run
    if any(caution.code == "running" for caution in stored.cautions):
        raise StoreError(f"{folder} is still running: wait for it, or stop it first.")
    if run["status"] == "complete":
        raise UsageError(f"{folder} is complete: there is nothing to resume; start a new run.")
    if run.get("watch"):
        raise UsageError(
            f"{folder} is a part of a watch: start `regionbench watch`, which goes on in a new one."
        )
    _check_whole(folder, run)
    plan = _plan(folder, run)
    if given is not None and plan_sha256(given) != run["plan_sha256"]:
        names = (f.name for f in fields(Plan) if getattr(given, f.name) != getattr(plan, f.name))
        raise PlanError(
            f"--resume {folder}: its plan is another one ({', '.join(names)});"
            " leave the options out, or start a new run"
        )
    return Rest(folder, run, plan)


def _check_whole(folder: Path, run: Mapping[str, Any]) -> None:
    wrong = [name for name, kind in _NEEDED.items() if not isinstance(run.get(name), kind)]
    for name, keys in _NEEDED_OF_EACH.items():
        if name not in wrong and not all(_has_texts(one, keys) for one in run[name]):
            wrong.append(name)
    if "models" not in wrong and not all(isinstance(m, str | None) for m in run["models"].values()):
        wrong.append("models")
    if wrong:
        raise StoreError(f"{folder}: {', '.join(wrong)} missing or wrong; start a new run.")


def _has_texts(one: object, keys: Sequence[str]) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(key), str) for key in keys)


def _plan(folder: Path, run: Mapping[str, Any]) -> Plan:
    try:
        plan = make_plan(run["plan"])
    except (KeyError, TypeError, PlanError) as error:
        raise StoreError(f"{folder}: its plan cannot be read ({error}); start a new run.") from None
    if plan_sha256(plan) != run["plan_sha256"]:
        raise StoreError(f"{folder}: its plan is not as it was written; start a new run.")
    return plan


def prepare_rest(rest: Rest, catalogue: Catalogue, where: Where) -> Prepared:
    """The same endpoints and models as before, whether or not they answer now.

    Raises UsageError when this is another place, or the catalogue says otherwise than it did.
    """
    run = rest.run
    prepared = prepare(rest.plan, catalogue, where, insist=True)
    if prepared.vantage != run["vantage"]:
        raise UsageError(
            f"--resume: it was measured from {run['vantage']}, this is {prepared.vantage};"
            f" say --vantage {run['vantage']} if that is the same place"
        )
    _same_catalogue(rest, prepared)
    known = {endpoint.name: endpoint for endpoint in prepared.asked}
    models = run["models"] or {None: run["model"]}
    return replace(prepared, endpoints=tuple(known[name] for name in rest.measured), models=models)


def _same_catalogue(rest: Rest, prepared: Prepared) -> None:
    urls = {endpoint.name: endpoint.url for endpoint in prepared.asked}
    for old in rest.run["endpoints"]:
        now = urls.get(old["name"])
        if now is None or (now != old["url"] and not rest.run["simulated"]):
            raise UsageError(
                f"--resume: {old['name']} was {old['url']}, the catalogue {rest.plan.catalogue}"
                f" says {now or 'nothing of it'}; start a new run"
            )


def remaining(
    plan: Plan, endpoints: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> list[Trial]:
    """Trials of the schedule that have no row, and warm-ups in front: its connections are gone.

    The warm-ups' numbers follow the schedule's. Raises PlanError when a row is not of this
    schedule: a race has none.
    """
    planned = list(schedule(plan, endpoints))
    for row in rows:
        if row["seq"] < len(planned):
            _check_same(planned[row["seq"]], row)
    done = {row["seq"] for row in rows}
    left = [trial for trial in planned if trial.seq not in done]
    if not left:
        return []
    free = max([len(planned), *(seq + 1 for seq in done)])
    return [*_again(planned, free), *_due_from_now(left)]


def _check_same(trial: Trial, row: Mapping[str, Any]) -> None:
    if any(getattr(trial, name) != row[name] for name in _SAME):
        raise PlanError(
            f"row {row['seq']} is not of the plan's schedule: a race, or a run of another version,"
            " cannot be resumed; start a new run"
        )


def _again(planned: Sequence[Trial], seq: int) -> Iterator[Trial]:
    warmups = [trial for trial in planned if trial.warmup]
    yield from (replace(trial, seq=seq + n) for n, trial in enumerate(warmups))


def _due_from_now(left: Sequence[Trial]) -> Iterator[Trial]:
    """Open loop: the first one is due when it begins again."""
    known = [trial.due_ns for trial in left if trial.due_ns is not None]
    first_ns = min(known, default=0)
    for trial in left:
        due_ns = None if trial.due_ns is None else trial.due_ns - first_ns
        yield replace(trial, due_ns=due_ns)
