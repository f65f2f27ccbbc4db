"""Stored runs in the order of time: batches, their names, and which may be taken away."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import StoreError, UsageError
from bench.loading import load_runs
from bench.model import Caution
from bench.store import Head, read_heads

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "baseline"
"""The tag of runs that are never pruned."""

LONGEST_BATCH = dt.timedelta(days=2)
"""Sittings further apart are hardly one run: somebody uses one name for all of them."""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One run to whoever judges: the sittings that share a ``batch``, or a run alone.

    ``heads`` are its runs, oldest first; there is at least one.
    """

    name: str
    heads: tuple[Head, ...]
    cautions: tuple[Caution, ...] = ()

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Its runs, oldest first."""
        return tuple(str(head.run["run_id"]) for head in self.heads)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where they lie."""
        return tuple(head.folder for head in self.heads)

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag of any of them, sorted."""
        return tuple(sorted({tag for head in self.heads for tag in head.tags or ()}))

    @property
    def started_at(self) -> str:
        """When the first sitting began, as run.json says."""
        return _started(self.heads[0])

    @property
    def status(self) -> str:
        """``complete``, or how the first run ended that is not; ``running`` while one is."""
        found = [_status(head) for head in self.heads]
        return "running" if "running" in found else min(found, key="complete".__eq__)

    def frame(self) -> pd.DataFrame:
        """All rows of all sittings as one tidy frame. StoreError when none can be read."""
        return load_runs(self.folders)


def batches(results: Path) -> list[StoredBatch]:
    """The stored runs grouped by batch, oldest first; empty where there is none.

    A run that cannot be read is skipped; the newest batch carries a caution that says so. Raises
    StoreError when the folder cannot be listed, or when runs are there and none can be read.
    """
    heads, skipped = read_heads(results)
    if skipped and not heads:
        raise StoreError(f"No run in {results} can be read: {skipped[0].text}")
    groups: dict[str, list[Head]] = {}
    for head in sorted(heads, key=_started):
        groups.setdefault(_batch(head.run), []).append(head)
    found = [_batched(name, tuple(group)) for name, group in groups.items()]
    if skipped:
        found[-1] = replace(found[-1], cautions=(*found[-1].cautions, *skipped))
    return found


def _batched(name: str, heads: tuple[Head, ...]) -> StoredBatch:
    told = [caution for head in heads for caution in head.cautions]
    first, last = (_moment(_started(head)) for head in (heads[0], heads[-1]))
    if first and last and last - first > LONGEST_BATCH:
        days = (last - first).days
        text = f"The batch {name} holds {len(heads)} runs over {days} days as if they were one."
        told.append(Caution("long_batch", text, "Give each run's sittings a --batch of their own."))
    return StoredBatch(name, heads, tuple(told))


def _batch(run: Mapping[str, Any]) -> str:
    plan = run.get("plan")
    named = plan.get("batch") if isinstance(plan, Mapping) else None
    return named if isinstance(named, str) and named else str(run["run_id"])


def _started(head: Head) -> str:
    return str(head.run.get("started_at") or "")


def _status(head: Head) -> str:
    status = str(head.run["status"])
    return "killed" if status == "running" and not head.live else status


def _moment(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def find(known: Sequence[StoredBatch], name: str) -> tuple[Head, ...]:
    """The runs that ``name`` means: a batch, a run's id or a run's folder.

    Raises UsageError with the name that comes nearest.
    """
    for batch in known:
        if name == batch.name:
            return batch.heads
    heads = [head for batch in known for head in batch.heads]
    for head in heads:
        if name == head.run["run_id"] or Path(name).resolve() == head.folder.resolve():
            return (head,)
    names = [*(batch.name for batch in known), *(str(head.run["run_id"]) for head in heads)]
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else "`regionbench history` lists what there is"
    raise UsageError(f"there is no run {name!r}; {hint}")


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is to go, and of what is old enough and stays: name → why."""

    remove: tuple[StoredBatch, ...]
    kept: Mapping[str, str]


def pruning(
    known: Sequence[StoredBatch],
    *,
    now: dt.datetime,
    older_than: dt.timedelta,
    keep_last: int = 0,
) -> Pruning:
    """Which batches may go: those whose newest sitting began more than ``older_than`` ago.

    A batch goes as a whole or stays. Baselines stay, as do runs whose tags cannot be read, live
    ones, those of unknown age, and the newest ``keep_last`` batches. Raises UsageError for an age
    or a number that means nothing.
    """
    if older_than <= dt.timedelta(0) or keep_last < 0:
        raise UsageError("write an age of more than 0, and keep 0 or more of the last")
    old = [batch for batch in known if _age(batch, now) > older_than]
    newest = {batch.name for batch in known[len(known) - keep_last :]} if keep_last else set()
    reasons = {batch.name: _protection(batch, newest) for batch in old}
    return Pruning(
        tuple(batch for batch in old if not reasons[batch.name]),
        {name: reason for name, reason in reasons.items() if reason},
    )


def _age(batch: StoredBatch, now: dt.datetime) -> dt.timedelta:
    """Of its newest sitting; an unknown age is no age."""
    moments = [_moment(_started(head)) for head in batch.heads]
    known = [moment for moment in moments if moment is not None]
    return now - max(known) if len(known) == len(moments) else dt.timedelta(0)


def _protection(batch: StoredBatch, newest: set[str]) -> str:
    if BASELINE in batch.tags:
        return f"tagged {BASELINE}"
    if any(head.tags is None for head in batch.heads):
        return "its tags cannot be read"
    if batch.status == "running":
        return "running"
    return "among the last" if batch.name in newest else ""
