"""Whose speed may be spoken of at all: enough requests, and few enough failures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.stats.cells import Cell
from bench.stats.quantiles import smallest_n
from bench.stats.rates import fails_more, fails_often


@dataclass(frozen=True, slots=True)
class Field:
    """The measured cells of one stratum: ``fit`` by rising median, ``failing`` and ``few``."""

    fit: tuple[Cell, ...]
    failing: tuple[Cell, ...]
    few: tuple[Cell, ...]


def field_of(cells: Iterable[Cell]) -> Field:
    """Sort the cells of one stratum into those that can be compared and those that cannot."""
    measured = [cell for cell in cells if cell.n]
    failing = tuple(cell for cell in measured if _failing(cell, measured))
    rest = [cell for cell in measured if cell not in failing]
    few = tuple(cell for cell in rest if cell.n_latency < smallest_n(0.5))
    fit = sorted((cell for cell in rest if cell not in few), key=_median)
    return Field(tuple(fit), failing, few)


def _failing(cell: Cell, cells: list[Cell]) -> bool:
    rate = cell.failures
    return fails_often(rate) or any(fails_more(rate, other.failures) for other in cells)


def _median(cell: Cell) -> float:
    return math.inf if cell.median_ms is None else cell.median_ms
