"""When a round may begin, when a run folder is full, and which silences are gaps.

Pure: it is told what time it is. The next round is due one interval after the last one began, never
after it was due: whatever was missed, by sleep, a stopped process or rounds that took too long, is
missed, and two rounds never begin closer together than the shortest interval.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

from bench.errors import UsageError
from bench.units import NS_PER_S
from bench.wire.clock import Moment, utc_text

JITTER = 0.1
"""Each interval is drawn from so much around it, lest rounds fall in step with what is periodic."""

NOTICED_NS = NS_PER_S
"""A shorter sleep or clock step is not told."""

SLEW = 1000
"""Clocks that are slewed run apart by less than a thousandth, and are not stepped."""

LONGEST_S = 24 * 3600.0
MOST_ROUNDS = 100_000

Cause = Literal["suspended", "stopped", "slow", "limit", "clock_step"]

_WHY: dict[Cause, str] = {
    "suspended": "the machine slept",
    "stopped": "the process did not run",
    "slow": "a round took longer than the interval",
    "limit": "the limit of the day was reached",
    "clock_step": "the clock was set",
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A round every ``every_s`` seconds, a new run folder every ``rotate_s``. Raises UsageError."""

    every_s: float = 60.0
    rotate_s: float = 3600.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.every_s <= LONGEST_S:
            raise UsageError(f"--every {self.every_s:g}s: write more than 0 and at most 24h")
        if not self.every_s <= self.rotate_s <= LONGEST_S:
            raise UsageError(f"--rotate {self.rotate_s:g}s: write --every at least and at most 24h")
        if self.rounds > MOST_ROUNDS:
            text = f"--rotate {self.rotate_s:g}s: {self.rounds} rounds in one run folder"
            raise UsageError(f"{text} are too many; rotate more often, or ask less often")

    @property
    def rounds(self) -> int:
        """How many rounds one run folder should hold."""
        return max(1, round(self.rotate_s / self.every_s))

    def interval_ns(self, number: int) -> int:
        """From the beginning of round ``number`` to the next, drawn from the seed."""
        draw = random.Random(f"{self.seed}:{number}:pace").uniform(-JITTER, JITTER)
        return round(self.every_s * NS_PER_S * (1 + draw))


@dataclass(frozen=True, slots=True)
class Gap:
    """``seconds`` in which nothing began, up to ``utc_ns``; of a clock step, by how much it was
    set. ``missed`` rounds would have been asked meanwhile."""

    cause: Cause
    utc_ns: int
    seconds: float
    missed: int

    @property
    def words(self) -> str:
        """``120.0 s until 2026-11-25T12:02:00Z, 1 round missed: the machine slept``."""
        until = f"{utc_text(self.utc_ns)[:19]}Z"
        if self.cause == "clock_step":
            return f"at {until} the clock was set by {self.seconds:+.1f} s"
        rounds = f"{self.missed} round{'' if self.missed == 1 else 's'} missed"
        return f"{self.seconds:.1f} s until {until}, {rounds}: {_WHY[self.cause]}"

    def to_dict(self) -> dict[str, Any]:
        """As it stands in run.json."""
        seconds = round(self.seconds, 3)
        about = {"cause": self.cause, "until": utc_text(self.utc_ns), "seconds": seconds}
        return {**about, "missed_rounds": self.missed, "words": self.words}


class Pace:
    """The state of a rhythm. ``number`` is that of the next round, ``due_ns`` (awake) its time."""

    def __init__(self, rhythm: Rhythm, now: Moment) -> None:
        self.rhythm = rhythm
        self.number = 0
        self.due_ns = now.awake_ns
        self._began: Moment | None = None
        self._busy_ns = now.awake_ns
        self._why: Cause | None = None

    def begin(self, now: Moment) -> tuple[Gap, ...]:
        """A round begins; what was missed since the last one did."""
        gaps = () if self._began is None else tuple(self._gaps(self._began, now))
        self._began, self._busy_ns, self._why = now, now.awake_ns, None
        self.due_ns = now.awake_ns + self.rhythm.interval_ns(self.number)
        self.number += 1
        return gaps

    def busy(self, now: Moment) -> None:
        """A request of the round has just ended."""
        self._busy_ns = now.awake_ns

    def explain(self, cause: Cause) -> None:
        """Why it is silent until the next round, where that is known; a limit explains all."""
        if self._why != "limit":
            self._why = cause

    def fills(self, began: Moment, now: Moment) -> bool:
        """Whether the next round is for another run folder than the one begun at ``began``."""
        until_due_ns = max(0, self.due_ns - now.awake_ns)
        full_ns = round(self.rhythm.rotate_s * NS_PER_S)
        return now.elapsed_ns + until_due_ns - began.elapsed_ns >= full_ns

    def _gaps(self, before: Moment, now: Moment) -> list[Gap]:
        silent_ns = now.elapsed_ns - before.elapsed_ns
        slept_ns = silent_ns - (now.awake_ns - before.awake_ns)
        set_ns = now.utc_ns - before.utc_ns - silent_ns
        missed = max(0, int(silent_ns // (self.rhythm.every_s * NS_PER_S)) - 1)
        found = []
        if missed or slept_ns >= NOTICED_NS:
            cause = self._cause(before, slept_ns)
            found.append(Gap(cause, now.utc_ns, silent_ns / NS_PER_S, missed))
        if abs(set_ns) >= NOTICED_NS + silent_ns // SLEW:
            found.append(Gap("clock_step", now.utc_ns, set_ns / NS_PER_S, 0))
        return found

    def _cause(self, before: Moment, slept_ns: int) -> Cause:
        if self._why == "limit":
            return self._why
        if slept_ns >= NOTICED_NS:
            return "suspended"
        if self._why is not None:
            return self._why
        busy_ns = self._busy_ns - before.awake_ns
        return "slow" if busy_ns >= self.rhythm.every_s * NS_PER_S else "stopped"
