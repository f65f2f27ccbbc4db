"""Plan → trials, in order. Pure and seeded: no clock, no sleep, no I/O."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from bench.model import Connection, Kind, Plan, Trial
from bench.units import NS_PER_S

_T = TypeVar("_T")
_Stratum = tuple[Kind, Connection, str, str | None]


def schedule(plan: Plan, endpoints: Sequence[str], first: int = 0) -> Iterator[Trial]:
    """Every request of the plan: rounds outside, strata inside, each endpoint once in each.

    An arm is a stratum, so all arms are asked in every round. The order of strata and of endpoints
    is drawn per round from ``plan.seed``, so that nothing that drifts or repeats can favour one.
    Warm-up rounds come first and are flagged, as many for each worker, since each has connections
    of its own. ``first`` is the first round's number, for who has had others before. With
    ``plan.rate`` measured request number i is due i / rate seconds after the
    warming up.
    """
    warmups = plan.warmup_rounds * plan.concurrency
    measured = itertools.count()
    for seq, (round_number, endpoint, (kind, connection, client, arm)) in enumerate(
        _ordered(plan, endpoints, range(first, first + warmups + plan.rounds))
    ):
        warmup = round_number < first + warmups
        yield Trial(
            seq=seq,
            round=round_number,
            endpoint=endpoint,
            kind=kind,
            connection=connection,
            client=client,
            warmup=warmup,
            due_ns=None if warmup or plan.rate is None else _due_ns(next(measured), plan.rate),
            worker=(round_number - first) % plan.concurrency if warmup else None,
            arm=arm,
        )


def _ordered(
    plan: Plan, endpoints: Sequence[str], rounds: range
) -> Iterator[tuple[int, str, _Stratum]]:
    for round_number in rounds:
        for stratum in _shuffled(_strata(plan), plan.seed, round_number, "strata"):
            seed = (plan.seed, round_number, *filter(None, stratum))
            for endpoint in _shuffled(endpoints, *seed):
                yield round_number, endpoint, stratum


def _due_ns(number: int, rate: float) -> int:
    return round(number * NS_PER_S / rate)


def scheduled(plan: Plan, endpoints: Sequence[str]) -> int:
    """How many trials `schedule` gives."""
    rounds = plan.warmup_rounds * plan.concurrency + plan.rounds
    return rounds * len(_strata(plan)) * len(endpoints)


def _strata(plan: Plan) -> list[_Stratum]:
    arms = tuple(plan.arms) or (None,)
    return list(itertools.product(plan.kinds, plan.connections, plan.clients, arms))


def _shuffled(items: Sequence[_T], *seed: object) -> list[_T]:
    """A copy in an order drawn from ``seed``; text seeds are hashed alike on every machine."""
    order = list(items)
    if len(order) > 1:
        random.Random(":".join(map(str, seed))).shuffle(order)
    return order
