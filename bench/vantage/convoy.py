"""Who may begin which round when: together, but nobody waits for ever. Pure: told the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.units import NS_PER_S

PATIENCE_S = 30.0
"""How long those who are done with a round wait for those who are not."""


@dataclass(slots=True)
class _Ship:
    stages: int
    begun: int = 0
    idle: bool = True

    @property
    def more(self) -> bool:
        return self.begun < self.stages


class Convoy:
    """Vantages on their way through stages: all the warming up is one, then each round is one.

    Who is behind the others goes at its own pace until it has caught up; nobody waits for it.
    """

    def __init__(self, stages: dict[str, int], patience_s: float = PATIENCE_S) -> None:
        self._ships = {name: _Ship(number) for name, number in stages.items()}
        self._patience_ns = round(patience_s * NS_PER_S)
        self._waiting_since_ns: int | None = None
        self.left_behind: list[str] = []

    def done(self, name: str) -> None:
        """It is through with what it began."""
        self._ships[name].idle = True

    def lose(self, name: str) -> None:
        """It is not one of the convoy any more."""
        self._ships.pop(name, None)

    def release(self, now_ns: int) -> list[str]:
        """Who begins the next stage now. Those who were left behind by it are added to
        ``left_behind``, each time it happens."""
        going = [*self._stragglers(), *self._front(now_ns)]
        for name in going:
            self._ships[name].begun += 1
            self._ships[name].idle = False
        return going

    def _stragglers(self) -> list[str]:
        front = self._front_stage()
        return [n for n, s in self._ships.items() if s.idle and s.more and s.begun < front]

    def _front(self, now_ns: int) -> list[str]:
        front = self._front_stage()
        level = {name: ship for name, ship in self._ships.items() if ship.begun == front}
        ready = [name for name, ship in level.items() if ship.idle and ship.more]
        late = [name for name, ship in level.items() if not ship.idle]
        if not ready:
            self._waiting_since_ns = None
            return []
        if late and not self._lost_patience(now_ns):
            return []
        self._waiting_since_ns = None
        self.left_behind += late
        return ready

    def _lost_patience(self, now_ns: int) -> bool:
        if self._waiting_since_ns is None:
            self._waiting_since_ns = now_ns
        return now_ns - self._waiting_since_ns >= self._patience_ns

    def _front_stage(self) -> int:
        return max((ship.begun for ship in self._ships.values()), default=0)


def in_turn(queues: Iterable[list[int]]) -> list[tuple[int, int]]:
    """(queue, item) one of each in turn, until all are empty: what is short is shared alike."""
    lists = list(queues)
    longest = max(map(len, lists), default=0)
    return [
        (n, items[i]) for i in range(longest) for n, items in enumerate(lists) if i < len(items)
    ]
