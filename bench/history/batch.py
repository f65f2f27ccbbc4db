"""Stored runs grouped into batches, in the order of time, and found by name."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import StoreError, UsageError
from bench.loading import load_runs
from bench.model import Caution
from bench.stats.batches import batch_of
from bench.store import Head, read_heads

if TYPE_CHECKING:
    import pandas as pd

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
        return started(self.heads[0])

    @property
    def status(self) -> str:
        """``complete``, or how the first run ended that is not; ``running`` while one is."""
        found = [_status(head) for head in self.heads]
        return "running" if "running" in found else min(found, key="complete".__eq__)

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows of all sittings as one tidy frame, or these columns of it (`bench.load`).

        StoreError when none can be read.
        """
        return load_runs(self.folders, columns)


def batches(results: Path) -> list[StoredBatch]:
    """The stored runs grouped by batch, oldest first; empty where there is none.

    A run that cannot be read is skipped; the newest batch carries a caution that says so. Raises
    StoreError when the folder cannot be listed, or when runs are there and none can be read.
    """
    heads, skipped = read_heads(results)
    if skipped and not heads:
        raise StoreError(f"No run in {results} can be read: {skipped[0].text}")
    groups: dict[str, list[Head]] = {}
    for head in sorted(heads, key=started):
        groups.setdefault(batch_of(head.run), []).append(head)
    found = [_batched(name, tuple(group)) for name, group in groups.items()]
    if skipped:
        found[-1] = replace(found[-1], cautions=(*found[-1].cautions, *skipped))
    return found


def _batched(name: str, heads: tuple[Head, ...]) -> StoredBatch:
    told = [caution for head in heads for caution in head.cautions]
    first, last = (moment(started(head)) for head in (heads[0], heads[-1]))
    if first and last and last - first > LONGEST_BATCH:
        days = (last - first).days
        text = f"The batch {name} holds {len(heads)} runs over {days} days as if they were one."
        told.append(Caution("long_batch", text, "Give each run's sittings a --batch of their own."))
    return StoredBatch(name, heads, tuple(told))


def started(head: Head) -> str:
    """When a run began, as its run.json says."""
    return str(head.run.get("started_at") or "")


def _status(head: Head) -> str:
    status = str(head.run["status"])
    return "killed" if status == "running" and not head.live else status


def moment(text: str) -> dt.datetime | None:
    """The time that a text names, in UTC unless it says otherwise; None: it names none."""
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
