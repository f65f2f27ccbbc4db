"""Which stored runs may be taken away. Pure: what is removed, and by whom, is not decided here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import UsageError
from bench.history.batch import StoredBatch, moment, started

BASELINE = "baseline"
"""The tag of runs that are never pruned."""


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
    moments = [moment(started(head)) for head in batch.heads]
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
