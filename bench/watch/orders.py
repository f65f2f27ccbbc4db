"""What a watch is told, whom it tells, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from bench.watch.pace import Rhythm
from bench.watch.serving import Address


@dataclass(frozen=True, slots=True)
class Orders:
    """What a watch is told beside its plan. ``for_s``: how long, None is until it is ended;
    ``keep_s``: run folders of watches that are older go; ``day_usd`` may be spent a day (UTC)."""

    rhythm: Rhythm = field(default_factory=Rhythm)
    address: Address = field(default_factory=Address)
    for_s: float | None = None
    keep_s: float | None = None
    day_usd: float | None = None


class Voice(Protocol):
    """Whom a watch tells of itself."""

    def line(self, text: str) -> None:
        """What is worth keeping: a run folder, a gap, a change."""

    def status(self, text: str) -> None:
        """Where it stands, after every round; the one before may be forgotten."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A watch that is over, and why. ``reason`` is None for a person's word and for its time."""

    status: Literal["over", "interrupted", "stopped"]
    reason: str | None
    folders: int
    rows: int
