"""Who occupies a region: requests in flight, and those that wait in its queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from bench.simulator import service
from bench.simulator.profile import Region


class Slots:
    """The slots of one region, shared with a background load that follows the clock ``now_s``."""

    def __init__(self, region: Region, seed: int, now_s: Callable[[], float]) -> None:
        self.region = region
        self._seed = seed
        self._now_s = now_s
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def occupied(self) -> int | None:
        """Slots in use now, by others and by our requests; None when the region is gone."""
        now_s = self._now_s()
        if service.in_outage(self.region, now_s):
            return None
        return self._taken + service.background(self.region, self._seed, now_s)

    def take(self) -> bool:
        """One slot, if any is free and nobody has waited longer."""
        if self._waiting or not self._free():
            return False
        self._taken += 1
        return True

    async def wait(self) -> bool:
        """A slot as soon as one is free; False when the queue is full or the wait too long."""
        queue = self.region.queue
        if len(self._waiting) >= queue.limit or not self.region.capacity:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._watch_background()
        try:
            await asyncio.wait_for(turn, queue.seconds)
        except TimeoutError:
            return False
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
        return True

    def release(self) -> None:
        """Gives a slot back."""
        self._taken -= 1
        self._admit()

    def _free(self) -> bool:
        used = self.occupied()
        return used is not None and used < self.region.capacity

    def _admit(self) -> None:
        while self._waiting and self._free():
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _watch_background(self) -> None:
        now_s = self._now_s()
        until_s = service.background_until(self.region, self._seed, now_s)
        asyncio.get_running_loop().call_later(until_s - now_s, self._background_changed)

    def _background_changed(self) -> None:
        self._admit()
        if self._waiting:
            self._watch_background()
