"""The door that every trial goes through: budget and manners, for several workers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.budget import Budget, Limits, Word
from bench.manners import Manners
from bench.model import Reply, Trial

_PATIENCE_S = 0.05
"""How often a worker that waits for another's request to end looks whether all is over."""


class Books(Protocol):
    """What `bench.budget.Budget` does."""

    def ask(self, trial: Trial) -> Word:
        """Whether it may start."""

    def start(self, trial: Trial) -> None:
        """It is on its way."""

    def end(self, trial: Trial, reply: Reply, cost_usd: float | None) -> None:
        """It is over."""

    def forget(self, trial: Trial) -> None:
        """It was not sent after all."""

    def reason(self) -> str:
        """Why nothing more may start."""


@dataclass(frozen=True, slots=True)
class Leave:
    """May it start? ``over``: nothing may any more, and why. ``refusal``: this one not, and why."""

    over: str | None = None
    refusal: str | None = None


class Admission:
    """Safe for several threads; `admit` waits while what is in flight could use up the budget."""

    def __init__(self, budget: Books, manners: Manners) -> None:
        self._budget = budget
        self._manners = manners
        self._ended = threading.Condition()

    def admit(self, trial: Trial, stopped: Callable[[], bool]) -> Leave:
        """Whether the trial may start; one that may is in flight until `end` or `forget`."""
        with self._ended:
            if (refusal := self._manners.refusal(trial)) is not None:
                return Leave(refusal=refusal)
            while (word := self._budget.ask(trial)) == "wait" and not stopped():
                self._ended.wait(_PATIENCE_S)
            if word != "start":
                return Leave(over=self._budget.reason())
            self._budget.start(trial)
            return Leave()

    def look_again(self) -> None:
        """The budget says otherwise than before: who waits shall ask it at once."""
        with self._ended:
            self._ended.notify_all()

    def resume_ns(self, endpoint: str) -> int:
        """When the endpoint may be asked."""
        with self._ended:
            return self._manners.resume_ns(endpoint)

    def end(self, trial: Trial, reply: Reply, cost_usd: float | None, now_ns: int) -> None:
        """What was admitted is over."""
        with self._ended:
            self._budget.end(trial, reply, cost_usd)
            self._manners.see(trial, reply, now_ns)
            self._ended.notify_all()

    def forget(self, trial: Trial) -> None:
        """What was admitted was not sent."""
        with self._ended:
            self._budget.forget(trial)
            self._ended.notify_all()


def unlimited() -> Admission:
    """For whoever limits nothing."""
    return Admission(Budget(Limits(), lambda _: 0.0), Manners())
