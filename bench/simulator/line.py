"""The delay line between vantage and edge, and an event loop whose timers are exact enough."""

from __future__ import annotations

import asyncio
import select
import selectors
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SPIN_S = 0.001


@dataclass(slots=True)
class Parcel:
    """What is under way: due at the loop's time ``due``, ``left`` when it truly was delivered."""

    data: bytes | None
    due: float
    left: float | None = None


class DelayLine:
    """Passes on what is pushed into it ``delay_s`` later, in order. One timer is pending, however
    many items are under way."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        delay_s: float,
        deliver: Callable[[bytes | None, float], None],
    ) -> None:
        self._loop = loop
        self._delay_s = delay_s
        self._deliver = deliver
        self._items: deque[Parcel] = deque()

    def push(self, data: bytes | None, not_before: float = 0.0) -> Parcel:
        """Sends bytes, or None for the end, down the line, at the loop's time ``not_before`` at
        the earliest. What is behind an item never overtakes it."""
        now = self._loop.time()
        parcel = Parcel(data, max(now, not_before) + self._delay_s)
        if parcel.due <= now and not self._items:
            self._hand_over(parcel)
            return parcel
        if self._items:
            parcel.due = max(parcel.due, self._items[-1].due)
        self._items.append(parcel)
        if len(self._items) == 1:
            self._loop.call_at(parcel.due, self._arrive)
        return parcel

    def _arrive(self) -> None:
        now = self._items[0].due
        while self._items and self._items[0].due <= now:
            self._hand_over(self._items.popleft())
        if self._items:
            self._loop.call_at(self._items[0].due, self._arrive)

    def _hand_over(self, parcel: Parcel) -> None:
        parcel.left = self._loop.time()
        self._deliver(parcel.data, parcel.due)


def exact_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers are late by microseconds rather than by 1 ms.

    asyncio rounds every wait for epoll up to a whole millisecond, uvloop's timers have no finer
    grain either, and the kernel wakes a sleeper some 0.1 ms late, at times 1 ms.
    """
    return asyncio.SelectorEventLoop(_ExactSelector())


class _ExactSelector(selectors.DefaultSelector):
    """Sleeps until shortly before the deadline, then polls: what arrives is still seen at once."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        end = time.monotonic() + timeout
        if timeout > SPIN_S:
            # select(2) on the epoll or kqueue descriptor; epoll itself waits whole milliseconds.
            select.select((self.fileno(),), (), (), timeout - SPIN_S)
        while not (ready := super().select(0)) and time.monotonic() < end:
            pass
        return ready
