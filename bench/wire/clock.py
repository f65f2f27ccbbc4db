"""Clocks, read here and in `bench.probe` only.

Durations come from CLOCK_MONOTONIC. The kernel stamps packets with CLOCK_REALTIME; differences of
two stamps are durations too unless that clock is stepped between them, which `ClockWatch` sees.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SPIN_NS = 300_000
"""The last stretch before a due time is spun: `time.sleep` alone is 0.1 to 1.8 ms late."""

STEP_NS = 1_000_000
"""A change of realtime − monotonic within one request beyond this is a step, not slewing:
NTP slews at most 0.5 ms per second."""

now_ns = time.monotonic_ns


def realtime_offset_ns() -> int:
    """CLOCK_REALTIME − CLOCK_MONOTONIC, from the tightest of three readings."""
    readings = []
    for _ in range(3):
        before = time.monotonic_ns()
        real = time.time_ns()
        after = time.monotonic_ns()
        readings.append((after - before, real - (before + after) // 2))
    return min(readings)[1]


class ClockWatch:
    """Sees whether CLOCK_REALTIME was stepped since the watch began; ``offset_ns`` is what it was
    over CLOCK_MONOTONIC then."""

    __slots__ = ("_began_ns", "offset_ns")

    def __init__(self) -> None:
        self._began_ns = now_ns()
        self.offset_ns = realtime_offset_ns()

    def stepped(self) -> bool:
        """True when realtime moved against monotonic by more than slewing can explain."""
        return abs(realtime_offset_ns() - self.offset_ns) > self.slack_ns()

    def slack_ns(self) -> int:
        """What slewing can have moved it by, so far."""
        return STEP_NS + (now_ns() - self._began_ns) // 1000


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant, in ns on three clocks: ``awake_ns`` stands still while the machine sleeps,
    ``elapsed_ns`` does not, and ``utc_ns``, since the epoch, may be set by anybody."""

    awake_ns: int
    elapsed_ns: int
    utc_ns: int


_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On macOS CLOCK_MONOTONIC itself counts sleep, and `time.monotonic` does not."""


class Clock:
    """This machine's clocks, for whoever decides over days and is tested in minutes."""

    def now(self) -> Moment:
        """What they say."""
        return Moment(now_ns(), time.clock_gettime_ns(_ELAPSED), time.time_ns())

    def wait_until(self, awake_ns: int, stop: threading.Event) -> None:
        """Return then, or as soon as ``stop`` is set."""
        stop.wait(max(0, awake_ns - now_ns()) / 1e9)


def utc_text(time_ns: int | None = None) -> str:
    """RFC 3339 in UTC with microseconds, of now or of nanoseconds since the epoch."""
    ns = time.time_ns() if time_ns is None else time_ns
    moment = dt.datetime.fromtimestamp(ns // 1_000_000_000, dt.UTC)
    return moment.replace(microsecond=ns % 1_000_000_000 // 1000).isoformat(timespec="microseconds")


def sleep_until(due_ns: int, stop: threading.Event) -> None:
    """Return at ``due_ns`` (monotonic), or as soon as ``stop`` is set: sleeps, then spins."""
    while (left_ns := due_ns - now_ns()) > SPIN_NS:
        if stop.wait((left_ns - SPIN_NS) / 1e9):
            return
    while now_ns() < due_ns and not stop.is_set():
        pass


def clock_facts() -> dict[str, object]:
    """What a reader must know of this host's clocks: resolution, kernel clock source."""
    source = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    try:
        clocksource: str | None = source.read_text().strip()
    except OSError:
        clocksource = None
    return {
        "monotonic_resolution_ns": round(time.get_clock_info("monotonic").resolution * 1e9),
        "realtime_minus_monotonic_ns": realtime_offset_ns(),
        "clocksource": clocksource,
    }
