"""One budget for all vantages: it is lent request by request, in turn, before any may be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.budget import Budget, Limits
from bench.model import Reply, Trial
from bench.prepare import Prepared

_APART = 1 << 40
"""More than any run has requests."""

_LOST = Reply(outcome="truncated")


class Purse:
    """Counts what is lent as on its way: whatever a lost vantage did with it is not overspent."""

    def __init__(self, limits: Limits, prepared: Mapping[str, Prepared]) -> None:
        self._places = list(prepared)
        seen = list(prepared.values())
        self._budget = Budget(
            limits,
            lambda trial: seen[trial.seq // _APART].worst_usd(
                replace(trial, seq=trial.seq % _APART)
            ),
        )

    def lend(self, place: str, trial: Trial) -> bool:
        """Whether the vantage may send it; it counts from now on."""
        known = self._known(place, trial)
        if self._budget.ask(known) != "start":
            return False
        self._budget.start(known)
        return True

    def over(self, place: str, trial: Trial) -> str | None:
        """Why it may never be sent; None where it may be now, or when others have ended."""
        return (
            self._budget.reason() if self._budget.ask(self._known(place, trial)) == "over" else None
        )

    def end(self, place: str, trial: Trial, reply: Reply) -> None:
        """It is over."""
        self._budget.end(self._known(place, trial), reply, reply.cost_usd)

    def lose(self, place: str, trial: Trial) -> None:
        """Nobody knows whether it was sent: it costs what it may cost at most."""
        self._budget.end(self._known(place, trial), _LOST, None)

    def _known(self, place: str, trial: Trial) -> Trial:
        return replace(trial, seq=trial.seq + _APART * self._places.index(place))
