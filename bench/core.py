"""One core for the threads of a measurement.

Python runs one of them at a time, wherever they are. Each call of a socket or of TLS lets another
in, and to wake that one on another core costs more than the call: 32 workers on two free cores were
twice as late as on one, and on some days 28 times (`tests.benchmarks.rowcost`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.units import NS_PER_S
from bench.wire.clock import now_ns

_LOOK_NS = NS_PER_S

_WORTH = 0.25
"""Of a core: what a move must gain. Two measurements that met on one core part, and stay apart."""

_IDLE, _ALL = slice(3, 5), slice(8)
"""Of a core's times in /proc/stat: idle and waiting for a disk; and all, the host's share among
them. What is behind these is in them already."""

_PROCESSOR = 36
"""Where a thread ran last, among what follows its name in /proc/thread-self/stat."""


def quieter(core: int, busy: Mapping[int, float], own: float) -> int:
    """Where to be from now on. ``busy`` is each core's share of the last while that was not idle,
    and ``own`` what of ``core``'s was ours."""
    other = min(busy, key=busy.__getitem__, default=core)
    gain = busy.get(core, 0.0) - own - busy.get(other, 0.0)
    return other if gain > _WORTH else core


class Core:
    """Keeps the threads that join on one core, and moves them together when others crowd it.

    ``number`` is None where the system has no such calls or leaves this process one core: then it
    does nothing.
    """

    def __init__(self) -> None:
        self._allowed = _affinity()
        self.number = _current() if len(self._allowed) > 1 else None
        self._members: set[int] = set()
        self._lock = threading.Lock()
        self._seen = _see()

    @contextmanager
    def member(self) -> Iterator[None]:
        """The calling thread belongs to it until the context ends."""
        me = threading.get_native_id()
        self._join(me)
        _mine.core = self
        try:
            yield
        finally:
            _mine.core = None
            self._leave(me)

    @contextmanager
    def left(self) -> Iterator[None]:
        """What the calling member starts in the context does not belong to it."""
        me = threading.get_native_id()
        self._leave(me)
        try:
            yield
        finally:
            self._join(me)

    def look(self) -> None:
        """Move if it is worth it. Call it often: it looks once a second."""
        if self.number is None or now_ns() - self._seen.at_ns < _LOOK_NS:
            return
        before, self._seen = self._seen, _see()
        busy = self._seen.busy_since(before)
        here = {core: share for core, share in busy.items() if core in self._allowed}
        self.move(quieter(self.number, here, self._seen.own_since(before)))

    def move(self, core: int) -> None:
        """All who belong to it, to ``core``."""
        if core == self.number:
            return
        with self._lock:
            self.number = core
            for member in self._members:
                self._bind(member)

    def _join(self, thread: int) -> None:
        with self._lock:
            self._members.add(thread)
            self._bind(thread)

    def _leave(self, thread: int) -> None:
        with self._lock:
            self._members.discard(thread)
            if self.number is not None:
                _set_affinity(thread, self._allowed)

    def _bind(self, thread: int) -> None:
        if self.number is not None:
            _set_affinity(thread, {self.number})


_mine = threading.local()


@contextmanager
def anywhere() -> Iterator[None]:
    """A program that is started in the context may run on every core: it works while we wait."""
    core: Core | None = getattr(_mine, "core", None)
    if core is None:
        yield
        return
    with core.left():
        yield


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look at the machine: each core's busy time and all of its time in ticks, ours, and when."""

    busy: Mapping[int, int]
    whole: Mapping[int, int]
    own_s: float
    at_ns: int

    def busy_since(self, before: _Seen) -> dict[int, float]:
        """Core → its share in between that was busy."""
        return {
            core: (self.busy[core] - before.busy[core])
            / max(1, self.whole[core] - before.whole[core])
            for core in self.whole.keys() & before.whole.keys()
        }

    def own_since(self, before: _Seen) -> float:
        """Of one core: what this process took in between."""
        return (self.own_s - before.own_s) * NS_PER_S / max(1, self.at_ns - before.at_ns)


def _see() -> _Seen:
    """It sees no core where there is no such file."""
    busy, whole = {}, {}
    for name, *times in map(str.split, _text("/proc/stat").splitlines()):
        if name.startswith("cpu") and name != "cpu":
            core, ticks = int(name[3:]), [int(text) for text in times[_ALL]]
            whole[core] = sum(ticks)
            busy[core] = whole[core] - sum(ticks[_IDLE])
    used = os.times()
    return _Seen(busy, whole, used.user + used.system, now_ns())


def _current() -> int | None:
    """The core that the calling thread ran on last: the system chose it."""
    words = _text("/proc/thread-self/stat").rpartition(")")[2].split()
    return int(words[_PROCESSOR]) if len(words) > _PROCESSOR else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _affinity() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def _set_affinity(thread: int, cores: Collection[int]) -> None:
    """A thread that is over, a core that was taken away, a sandbox that forbids it: never mind."""
    with suppress(OSError):
        os.sched_setaffinity(thread, cores)
