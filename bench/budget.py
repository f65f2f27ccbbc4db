"""What a run may spend, and whether one more request may start. Pure: it is told what happens.

What is in flight counts at its worst price, so that no answer that is still to come can overspend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.model import Reply, Trial
from bench.units import format_usd

UNBILLED = frozenset(
    (
        *("dns_fail", "connect_fail", "tls_fail", "bad_key", "forbidden", "model_missing"),
        *("bad_request", "rate_limited", "capacity"),
    )
)
"""Outcomes of requests that no model began to answer. Every other one whose cost is not known
counts at its worst price: a stream that broke may well be billed."""

Word = Literal["start", "wait", "over"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard stops; None: there is none. ``requests`` counts warm-ups too, not the preflight."""

    usd: float | None = None
    requests: int | None = None


class Budget:
    """The books of one run. Not safe for several threads.

    ``worst_usd`` is the most that a trial should cost. A reply that cost more raises all the
    following ones by the same factor: nothing bounds what a model thinks.
    """

    def __init__(self, limits: Limits, worst_usd: Callable[[Trial], float]) -> None:
        self.limits = limits
        self.started = 0
        self.spent_usd = 0.0
        self._worst_usd = worst_usd
        self._factor = 1.0
        self._in_flight: dict[int, float] = {}

    def fresh(self) -> Budget:
        """The same limits with nothing spent; what was learned of prices stays."""
        found = Budget(self.limits, self._worst_usd)
        found._factor = self._factor
        return found

    def ask(self, trial: Trial) -> Word:
        """Whether it may start: now, perhaps when another request has ended, or never."""
        limits = self.limits
        if limits.requests is not None and self.started >= limits.requests:
            return "over"
        if limits.usd is None or self._fits(sum(self._in_flight.values()), trial, limits.usd):
            return "start"
        return "wait" if self._in_flight else "over"

    def start(self, trial: Trial) -> None:
        """It is on its way."""
        self.started += 1
        self._in_flight[trial.seq] = self._worst(trial)

    def end(self, trial: Trial, reply: Reply, cost_usd: float | None) -> None:
        """It is over; ``cost_usd`` None where neither the service nor the catalogue tells.

        Nothing is no price of what has one: a service that says 0 is not believed here.
        """
        worst = self._in_flight.pop(trial.seq)
        if not cost_usd:
            cost_usd = 0.0 if reply.outcome in UNBILLED else worst
        if worst and cost_usd > worst:
            self._factor *= cost_usd / worst
        self.spent_usd += cost_usd

    def forget(self, trial: Trial) -> None:
        """It was not sent after all."""
        self.started -= 1
        del self._in_flight[trial.seq]

    def reason(self) -> str:
        """Why nothing more may start."""
        limits = self.limits
        if limits.requests is not None and self.started >= limits.requests:
            return f"the limit of {limits.requests} requests is reached"
        return (
            f"{format_usd(self.spent_usd)} of the limit of {format_usd(limits.usd or 0.0)} are"
            " spent, and the next request could cost more than what is left"
        )

    def _worst(self, trial: Trial) -> float:
        return self._factor * self._worst_usd(trial)

    def _fits(self, in_flight_usd: float, trial: Trial, limit_usd: float) -> bool:
        worst = self._worst(trial)
        return not worst or self.spent_usd + in_flight_usd + worst <= limit_usd
