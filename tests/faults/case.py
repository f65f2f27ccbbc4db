"""What a fault is, and what its row must say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.faults.steps import Step


@dataclass(frozen=True)
class Case:
    """One fault.

    ``steps`` answer the faulted request; ``bare`` ones come instead of a handshake. ``before``
    comes after the answer that warmed the connection (``early``: ahead of it). ``tls`` names a
    certificate of `tests.faults.trust`, ``place`` an endpoint that nobody serves.
    ``shape``, ``http`` and ``connection`` limit where it makes sense, ``rest`` to other than gRPC.
    ``whole``: the exchange came to its end, so that its total is a time of something. ``keeps``:
    the connection can be used again. ``unsent``: the server never has the whole request. ``says``:
    further columns. ``blind``: the outcome and phase of a client that what lies below it does not
    tell enough.
    """

    name: str
    rank: int
    steps: tuple[Step, ...]
    outcome: str
    phase: str | None = None
    whole: bool = False
    keeps: bool = False
    bare: bool = False
    tls: str | None = None
    place: str | None = None
    before: tuple[Step, ...] = ()
    early: bool = False
    unsent: bool = False
    shape: Literal["stream", "at once"] | None = None
    http: Literal["1.1", "2"] | None = None
    connection: Literal["warm", "cold"] | None = None
    rest: bool = False
    says: Mapping[str, object] = field(default_factory=dict)
    blind: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)

    @property
    def opening(self) -> bool:
        """Whether it befalls a connection that is only being made: nothing is sent then."""
        return self.bare or self.place is not None or (self.tls is not None and not self.steps)

    @property
    def waits(self) -> bool:
        """Whether only the deadline ends it."""
        return self.outcome == "timeout"


def first(name: str, outcome: str, phase: str | None, *steps: Step, **more: Any) -> Case:
    """A line of the first rank: what must be right before any number is published."""
    return Case(name, 1, steps, outcome, phase, **more)


def second(name: str, outcome: str, phase: str | None, *steps: Step, **more: Any) -> Case:
    """A line of the second rank: what a parser must not fall for."""
    return Case(name, 2, steps, outcome, phase, **more)
