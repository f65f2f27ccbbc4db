"""Plan → trials, in order. Pure and seeded: no clock, no sleep, no I/O."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from bench.model import Connection, Kind, Plan, Trial
from bench.units import NS_PER_S

_T = TypeVar("_T")


def schedule(plan: Plan, endpoints: Sequence[str]) -> Iterator[Trial]:
    """Every request of the plan: rounds outside, strata inside, each endpoint once in each.

    The order of strata and of endpoints is drawn per round from ``plan.seed``, so that nothing
    that drifts or repeats can favour an endpoint. Warm-up rounds come first and are flagged.
    With ``plan.rate`` request number i is due i / rate seconds after the start.
    """
    numbers = itertools.count()
    for round_number in range(plan.warmup_rounds + plan.rounds):
        for stratum in _shuffled(_strata(plan), plan.seed, round_number, "strata"):
            kind, connection, client = stratum
            for endpoint in _shuffled(endpoints, plan.seed, round_number, *stratum):
                seq = next(numbers)
                yield Trial(
                    seq=seq,
                    round=round_number,
                    endpoint=endpoint,
                    kind=kind,
                    connection=connection,
                    client=client,
                    warmup=round_number < plan.warmup_rounds,
                    due_ns=None if plan.rate is None else round(seq * NS_PER_S / plan.rate),
                )


def scheduled(plan: Plan, endpoints: Sequence[str]) -> int:
    """How many trials `schedule` gives."""
    return (plan.warmup_rounds + plan.rounds) * len(_strata(plan)) * len(endpoints)


def _strata(plan: Plan) -> list[tuple[Kind, Connection, str]]:
    return list(itertools.product(plan.kinds, plan.connections, plan.clients))


def _shuffled(items: Sequence[_T], *seed: object) -> list[_T]:
    """A copy in an order drawn from ``seed``; text seeds are hashed alike on every machine."""
    order = list(items)
    random.Random(":".join(map(str, seed))).shuffle(order)
    return order
