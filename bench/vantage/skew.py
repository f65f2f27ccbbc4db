"""How far two clocks are apart, by asking: the midpoint of the quickest round trip.

The answer was read somewhere between question and answer, so the error is at most half of that
trip (Cristian, "Probabilistic clock synchronization", 1989). It is recorded and nothing is
corrected by it: no time of one vantage is ever compared with one of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.wire.clock import Clock

TRIPS = 7


@dataclass(frozen=True, slots=True)
class Skew:
    """The other clock minus this one, and the round trip that this is known from."""

    skew_ns: int
    rtt_ns: int


def skew_of(trips: Iterable[tuple[int, int, int]]) -> Skew | None:
    """From (asked, told, answered): own clock, the other's, own clock, in ns. None without any."""
    found = [(back - asked, told - (asked + back) // 2) for asked, told, back in trips]
    if not found:
        return None
    rtt_ns, skew_ns = min(found)
    return Skew(skew_ns, rtt_ns)


def measure_skew(ask: Callable[[], int], clock: Clock | None = None) -> Skew | None:
    """Ask several times what the other clock says."""
    clock = clock or Clock()
    return skew_of([_trip(ask, clock) for _ in range(TRIPS)])


def _trip(ask: Callable[[], int], clock: Clock) -> tuple[int, int, int]:
    began = clock.now()
    told = ask()
    lasted_ns = clock.now().awake_ns - began.awake_ns
    return began.utc_ns, told, began.utc_ns + lasted_ns
