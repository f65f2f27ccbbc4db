"""What a review found: frozen, and small enough to cross from its process in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cell:
    """The worst state of one endpoint and model."""

    endpoint: str
    model: str
    state: str


@dataclass(frozen=True, slots=True)
class Finding:
    """``words`` is one line for people. ``shares`` is empty where the rows cannot tell; ``behind``
    is endpoint → how much longer than the leader; ``lead_s`` is that of ``best`` over the next.
    ``suspect``: whether the next run folder is to confirm this one. ``removed`` run folders were
    too old."""

    run_id: str
    state: str
    words: str
    gate: tuple[Cell, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    behind: Mapping[str, float] = field(default_factory=dict)
    best: str | None = None
    lead_s: float | None = None
    suspect: bool = False
    removed: int = 0


def read_finding(text: str) -> Finding | None:
    """A `Finding` from its line; None: it is none."""
    try:
        found = json.loads(text)
        return Finding(**{**found, "gate": tuple(Cell(**cell) for cell in found["gate"])})
    except (ValueError, TypeError, KeyError):
        return None
