"""What cautions look at, and how they count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.stats.cells import Cell
from bench.stats.pairs import Difference
from bench.stats.strata import Stratum


@dataclass(frozen=True, slots=True)
class Facts:
    """What checks look at: all rows (without attrs), the runs they are of, those that count by
    stratum, what came of them, and each stratum's rounds (`bench.stats.pairs.table`)."""

    df: pd.DataFrame
    runs: Sequence[Mapping[str, Any]]
    groups: Sequence[tuple[Stratum, pd.DataFrame]]
    cells: Sequence[Cell]
    differences: Sequence[Difference]
    rounds: Mapping[Stratum, pd.DataFrame]


def per_endpoint(facts: Facts, count: Callable[[Cell], int]) -> dict[str, int]:
    """The sum of ``count`` over each endpoint's cells, where it is not 0."""
    sums: dict[str, int] = {}
    for cell in facts.cells:
        sums[cell.endpoint] = sums.get(cell.endpoint, 0) + count(cell)
    return {name: n for name, n in sums.items() if n}


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())
