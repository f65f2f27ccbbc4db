"""The books of a watch: so much a day, and so much altogether. Pure: it is told what happens.

A day is one of UTC. It never comes back: a clock that is set back does not fill the purse again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bench.budget import Budget, Limits, Word
from bench.model import Reply, Trial
from bench.wire.clock import utc_text


class Purse:
    """As `bench.budget.Budget`, for `bench.admission.Admission`. Not safe for several threads.

    ``empty`` is why nothing may start: for the ``day``, or altogether (``all``).
    """

    def __init__(
        self,
        day_usd: float | None,
        limits: Limits,
        worst_usd: Callable[[Trial], float],
    ) -> None:
        self.empty: Literal["day", "all"] | None = None
        self.day = ""
        self._all = Budget(limits, worst_usd)
        self._today = Budget(Limits(usd=day_usd), worst_usd)
        self._in_flight: dict[int, Budget] = {}

    def turn(self, utc_ns: int, spent_usd: float = 0.0) -> bool:
        """Whether it is another, later day; its books begin with ``spent_usd``."""
        day = utc_text(utc_ns)[:10]
        if day <= self.day:
            return False
        self.day, self._today = day, self._today.fresh()
        self._today.spent_usd = spent_usd
        self.empty = None if self.empty == "day" else self.empty
        return True

    @property
    def spent_usd(self) -> float:
        """Since the day began."""
        return self._today.spent_usd

    def ask(self, trial: Trial) -> Word:
        """See `bench.budget.Budget.ask`."""
        words = {"all": self._all.ask(trial), "day": self._today.ask(trial)}
        over: list[Literal["day", "all"]] = [n for n in ("all", "day") if words[n] == "over"]
        self.empty = over[0] if over else None
        if over:
            return "over"
        return "wait" if "wait" in words.values() else "start"

    def start(self, trial: Trial) -> None:
        """It is on its way."""
        self._in_flight[trial.seq] = self._today
        self._all.start(trial)
        self._today.start(trial)

    def end(self, trial: Trial, reply: Reply, cost_usd: float | None) -> None:
        """It is over, and belongs to the day on which it began."""
        self._all.end(trial, reply, cost_usd)
        self._in_flight.pop(trial.seq).end(trial, reply, cost_usd)

    def forget(self, trial: Trial) -> None:
        """It was not sent after all."""
        self._all.forget(trial)
        self._in_flight.pop(trial.seq).forget(trial)

    def reason(self) -> str:
        """Why nothing more may start."""
        if self.empty == "all":
            return self._all.reason()
        return f"{self.day} (UTC): {self._today.reason()}"
