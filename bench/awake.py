"""Was this process running all the time that a request took? If not, its times are no latency."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.clients import Client
from bench.model import GAP, Connection, Endpoint, Reply, Request
from bench.units import NS_PER_S
from bench.wire.clock import Clock

STALL_NS = NS_PER_S
"""A process that beats four times a second and was silent for longer did not run."""

BEAT_S = 0.25


class Pulse:
    """Beats in a thread of its own; who was stopped in mid-request learns it from the silence."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last_ns = self.now_ns()
        self._stall_ns = (0, 0)

    def now_ns(self) -> int:
        """The clock that counts sleep too."""
        return self._clock.now().elapsed_ns

    def beat(self) -> None:
        """The process runs now."""
        now_ns = self.now_ns()
        if now_ns - self.last_ns > STALL_NS:
            self._stall_ns = (self.last_ns, now_ns)
        self.last_ns = now_ns

    def silence_ns(self, since_ns: int) -> int:
        """How long the latest stall lasted that ended after ``since_ns`` (elapsed); 0: none did."""
        self.beat()
        began_ns, ended_ns = self._stall_ns
        return ended_ns - began_ns if ended_ns >= since_ns else 0


@contextmanager
def beating() -> Iterator[Pulse]:
    """A pulse on this machine's clocks that beats until the context ends."""
    pulse, over = Pulse(Clock()), threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            pulse.beat()

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield pulse
    finally:
        over.set()
        thread.join()


class Awake:
    """A client whose replies are ``cancelled`` when the process stood still in their midst."""

    def __init__(self, client: Client, pulse: Pulse) -> None:
        self._client = client
        self._pulse = pulse

    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        since_ns = self._pulse.now_ns()
        reply = self._client.send(endpoint, request, connection)
        silence_ns = self._pulse.silence_ns(since_ns)
        if not silence_ns or reply.outcome == "cancelled":
            return reply
        error = f"not measured: nothing ran here for {silence_ns / NS_PER_S:.1f} s in its midst"
        flags = " ".join(filter(None, (reply.flags, GAP)))
        return replace(reply, outcome="cancelled", error=error, flags=flags)

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        self._client.interrupt()

    def close(self) -> None:
        """See `bench.clients.Client.close`."""
        self._client.close()
