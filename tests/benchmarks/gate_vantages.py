"""How often the whole gate of a batch from three vantages is wrong, and what it finds in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bench.stats.baseline import Batch, Trial, against, against_each
from bench.stats.verdict import Verdict
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.gate_rules import batch_of
from tests.benchmarks.worlds import Days, Values, World, draw_days

VANTAGES, PAST = 3, 12
GOAL = 3.0
"""Percent of whole gates with any false alarm: what is stated of one vantage."""


def vantages(world: World, runs: int, seed: int) -> Result:
    """Twelve cells a vantage, 36 a gate: corrected as one family, and each vantage by itself."""
    seen = [draw_days(world, 3, PAST + 2, runs, seed + k, Days()) for k in range(VANTAGES)]
    gates = [[_batches(place[k]) for place in seen] for k in range(runs)]
    alone = _percent(any(map(_alarms, _each(gate))) for gate in gates)
    false = _percent(any(map(_alarms, _family(gate))) for gate in gates)
    found = {up: _percent(_found(gate) for gate in _slowed(seen, up)) for up in (20, 30)}
    row: dict[str, Any] = {
        "mode B, 3 vantages × 12 cells": "REAL",
        "gates": runs,
        "any false alarm %": round(false, 2),
        "each vantage by itself %": round(alone, 2),
    }
    row |= {f"p50 +{up} % at one found %": round(value, 1) for up, value in found.items()}
    figures = [
        Figure("B, 3 vantages: any false alarm", false, "%", GOAL),
        Figure("B, 3 vantages: p50 +30 % at one found", found[30], "%", 90.0, floor=True),
    ]
    return Result(figures, [row])


Gate = Sequence[tuple[list[Batch], Batch, Batch]]
"""Of each vantage: its past, the new batch, and a fresh one."""


def _batches(one: Values, slow: float = 1.0) -> tuple[list[Batch], Batch, Batch]:
    past = [batch_of(one[k], f"b{k}") for k in range(PAST)]
    new, fresh = (batch_of(one[PAST + k], name, {0: slow}) for k, name in enumerate(("n", "c")))
    return past, new, fresh


def _slowed(seen: Sequence[Values], up: int) -> Iterable[Gate]:
    """The first vantage's first endpoint is slower, in the batch and in the fresh one."""
    for k in range(len(seen[0])):
        factors = (1 + up / 100, *(1.0 for _ in seen[1:]))
        yield [_batches(place[k], slow) for place, slow in zip(seen, factors, strict=True)]


def _family(gate: Gate) -> list[Verdict]:
    return against_each([Trial(*one) for one in gate])


def _each(gate: Gate) -> list[Verdict]:
    return [against(*one) for one in gate]


def _alarms(verdict: Verdict) -> bool:
    return bool(verdict.having("regressed"))


def _found(gate: Gate) -> bool:
    worse = _family(gate)[0].having("regressed")
    return any(one.endpoint == "e0" and one.measure == "p50" for one in worse)


def _percent(hits: Iterable[bool]) -> float:
    return 100 * float(np.mean(list(hits)))
