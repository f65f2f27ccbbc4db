"""Samples by condition, and what is said of them: table rows, figures, goals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Figure = dict[str, Any]
Row = dict[str, Any]


class Cell(NamedTuple):
    """Under which condition, at which delay or in which situation, by whom."""

    condition: str
    case: str
    contestant: str


@dataclass
class Sheet:
    """Biases in ns, by cell and round; by the kernel's truth and by the program's."""

    wire: dict[Cell, dict[int, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    user: dict[Cell, list[int]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, cell: Cell, turn: int, wire: Iterable[int], user: Iterable[int] = ()) -> None:
        """Keep what one round found."""
        self.wire[cell][turn] += wire
        self.user[cell] += user

    def all(self, cell: Cell) -> list[int]:
        """Every round's."""
        return [ns for turn in self.wire[cell].values() for ns in turn]

    def us(self, cell: Cell, q: float) -> float:
        """A quantile over all rounds, in µs; NaN when there is nothing."""
        return quantile_us(self.all(cell), q)

    def program_ratio(self, ours: Cell, theirs: Cell, q: float) -> float:
        """The same over all rounds, by the truth of the server's program."""
        if not self.user[ours] or not self.user[theirs]:
            return float("nan")
        return _magnitude(self.user[ours], q) / _magnitude(self.user[theirs], q)

    def ratio(self, ours: Cell, theirs: Cell, q: float) -> float:
        """The median over the rounds of our quantile over theirs; NaN without them.

        Of magnitudes: curl starts its clock after the request left, so on a busy host its bias
        can be below zero, and being wrong by so much must not count as being better.
        """
        turns = self.wire[ours].keys() & self.wire[theirs].keys()
        each = [
            _magnitude(self.wire[ours][turn], q) / _magnitude(self.wire[theirs][turn], q)
            for turn in turns
            if self.wire[ours][turn] and self.wire[theirs][turn]
        ]
        return float(np.median(each)) if each else float("nan")

    def rows(self) -> list[Row]:
        """The table."""
        rows = [_row(cell, self.all(cell), self.user[cell]) for cell in list(self.wire)]
        return rows + [{"contestant": name, "note": note} for name, note in self.notes.items()]


def quantile_us(values: list[int], q: float) -> float:
    """One quantile of nanoseconds, in µs."""
    return float(np.quantile(values, q)) / 1000 if values else float("nan")


def _magnitude(values: list[int], q: float) -> float:
    return quantile_us([abs(ns) for ns in values], q)


def _row(cell: Cell, wire: list[int], user: list[int]) -> Row:
    row: Row = {**cell._asdict(), "n": len(wire)}
    row |= {f"p{round(q * 100)}_us": round(quantile_us(wire, q), 1) for q in (0.5, 0.9, 0.99)}
    if user:
        row |= {
            f"p{round(q * 100)}_program_us": round(quantile_us(user, q), 1) for q in (0.5, 0.99)
        }
    return row


def figure(
    name: str, value: float, goal: float | None, unit: str, *, timing: bool = True
) -> Figure:
    """One number and whether it is at most its goal. ``timing``: --quick does not hold it to it.

    A number that could not be had (NaN: a contestant is not installed) is None and holds nothing.
    """
    known = value == value  # not for NaN
    holds = None if goal is None or not known else bool(value <= goal)
    shown = round(value, 4) if known else None
    return {
        "name": name, "value": shown, "unit": unit, "goal": goal, "holds": holds, "timing": timing
    }  # fmt: skip


def hodges_lehmann_us(a: list[int], b: list[int]) -> tuple[float, float, float]:
    """The shift from ``a`` to ``b`` in µs with its 95 % interval (Moses' from Mann-Whitney)."""
    differences = np.sort(np.subtract.outer(np.array(b), np.array(a)).ravel()) / 1000
    n, m = len(a), len(b)
    half = 1.959964 * np.sqrt(n * m * (n + m + 1) / 12)
    low = max(0, int(np.floor(n * m / 2 - half)))
    return (
        float(np.median(differences)),
        float(differences[low]),
        float(differences[n * m - 1 - low]),
    )
