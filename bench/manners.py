"""Who may be asked now: a server that says "later" is left alone, a dead one is asked rarely.

Pure: it is told what happens and what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.model import Reply, Trial
from bench.units import NS_PER_S

FAILURES = 5
"""After so many failures to connect in a row an endpoint counts as dead."""

EVERY_ROUNDS = 10
"""A dead endpoint is asked once in so many rounds."""

PAUSE_S = 1.0
"""How long an endpoint is left alone that says 429 and not for how long."""

LONGEST_PAUSE_S = 60.0
"""However long it says: then it is asked again, and may say it again."""

_CONNECTING = ("dns", "tcp", "tls")


@dataclass(slots=True)
class _Standing:
    """How one endpoint stands."""

    resume_ns: int = 0
    failures: int = 0
    last_round: int = 0
    error: str = ""


def _is_unconnected(reply: Reply) -> bool:
    """Whether nobody could be connected to. gRPC does not tell in which phase its time ran out, but
    that there was no connection until then."""
    if reply.outcome == "timeout" and reply.failed_phase is None:
        return reply.reused is False and reply.peer_ip is None
    return reply.outcome != "ok" and reply.failed_phase in _CONNECTING


class Manners:
    """How each endpoint stands. Not safe for several threads."""

    def __init__(self, longest_pause_s: float = LONGEST_PAUSE_S) -> None:
        self._longest_pause_s = longest_pause_s
        self._standings: dict[str, _Standing] = {}

    def resume_ns(self, endpoint: str) -> int:
        """When it may be asked again, on the clock of `see`; long past when it may be now."""
        return self._of(endpoint).resume_ns

    def refusal(self, trial: Trial) -> str | None:
        """Why this trial is not to be sent; None when it is. One that is sent counts as asked."""
        standing = self._of(trial.endpoint)
        dead = standing.failures >= FAILURES
        if dead and trial.round < standing.last_round + EVERY_ROUNDS:
            return (
                f"not asked: {standing.failures} failures to connect in a row, the last:"
                f" {standing.error}; asked again every {EVERY_ROUNDS} rounds"
            )
        standing.last_round = max(standing.last_round, trial.round)
        return None

    def see(self, trial: Trial, reply: Reply, now_ns: int) -> None:
        """Take what a request became."""
        standing = self._of(trial.endpoint)
        if reply.outcome == "rate_limited":
            asked_s = PAUSE_S if reply.retry_after_s is None else reply.retry_after_s
            pause_ns = round(min(asked_s, self._longest_pause_s) * NS_PER_S)
            standing.resume_ns = max(standing.resume_ns, now_ns + pause_ns)
        if reply.outcome in ("cancelled", "client_fault"):
            return
        if _is_unconnected(reply):
            standing.failures += 1
            standing.error = reply.error or reply.outcome
        else:
            standing.failures = 0

    def _of(self, endpoint: str) -> _Standing:
        return self._standings.setdefault(endpoint, _Standing())
