"""When each thing happened to one request on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bench.wire.clock import now_ns

Layer = Literal["kernel", "socket"]


class WireFault(Exception):
    """The wire failed a request.

    ``outcome`` and ``phase`` are words of `bench.model`; ``detail`` names the errno, the
    certificate's verify code or the resolver's answer, never anything that was sent.
    """

    def __init__(self, outcome: str, phase: str, detail: str) -> None:
        super().__init__(f"{outcome} in {phase}: {detail}")
        self.outcome = outcome
        self.phase = phase
        self.detail = detail


class Arrival(NamedTuple):
    """Bytes handed up by one read: when the call returned, when the kernel had them, and how long
    after that this process was awake to take them."""

    socket_ns: int
    kernel_ns: int | None
    late_ns: int | None

    @property
    def read_ns(self) -> int:
        """When it was read, by the clock of the kernel's stamps."""
        return (self.kernel_ns or 0) + (self.late_ns or 0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to connect: to where, for how long, and the errno that ended it (0: connected)."""

    address: str
    took_ns: int
    errno: int


@dataclass(slots=True)
class Record:
    """The marks of one request, filled in by the stream while it happens."""

    deadline_ns: int
    phase: str = "send"
    dns_ns: int | None = None
    tcp_ns: int | None = None
    tls_ns: int | None = None
    began_ns: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    send_ns: int | None = None
    sent_ns: int | None = None
    sent_id: int | None = None
    sent_kernel_ns: int | None = None
    body_done: bool = False
    send_final: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    head: bytes = b""
    first: int | None = None
    bytes_in: int = 0
    reused: bool = True
    peer_ip: str | None = None
    tls_version: str | None = None
    rtt_ns: int | None = None
    min_rtt_ns: int | None = None
    retransmits: int | None = None
    eof: bool = False
    ragged_eof: bool = False
    cancelled: bool = False
    clock_step: bool = False

    @property
    def lead_ns(self) -> int:
        """Time from the start of the request to its last byte: the phases of a new connection.

        Summed rather than spanned, so that Python's work between two phases stays out.
        """
        return (self.dns_ns or 0) + (self.tcp_ns or 0) + (self.tls_ns or 0)

    def enter_tunnel(self, now_ns: int) -> None:
        """A proxy says it is connected: what was said to it was a part of connecting."""
        if self.began_ns is not None:
            self.tcp_ns = (self.tcp_ns or 0) + now_ns - self.began_ns
        self.began_ns = self.send_ns = self.sent_ns = self.sent_id = None
        self.send_final = False
        self.arrivals.clear()
        self.head, self.bytes_in = b"", 0

    def contradicts(self, offset_ns: int, slack_ns: int) -> bool:
        """Whether what the kernel's clock said cannot be: a stamp from before the request was sent
        or after the read that brought its bytes, or a time of that read that it was not.

        ``offset_ns`` is that clock − ours, give or take ``slack_ns``.
        """
        if self.first is None or self.began_ns is None:
            return False
        began_ns, over_ns = self.began_ns - slack_ns, now_ns() + slack_ns
        answer = self.arrivals[self.first :]
        sent_ns = began_ns if self.sent_kernel_ns is None else self.sent_kernel_ns - offset_ns
        return not began_ns <= sent_ns <= answer[0].socket_ns + slack_ns or any(
            not began_ns <= each.kernel_ns - offset_ns <= each.socket_ns + slack_ns
            or not each.socket_ns - slack_ns <= each.read_ns - offset_ns <= over_ns
            for each in answer
            if each.kernel_ns is not None
        )

    def failed_phase(self) -> str:
        """The phase that this request had reached."""
        return "body" if self.first is not None else self.phase

    @property
    def layer(self) -> Layer:
        """The best layer that every arrival of this request has stamps from."""
        stamped = self.sent_kernel_ns is not None and not self.clock_step
        if stamped and self.arrivals and all(a.kernel_ns is not None for a in self.arrivals):
            return "kernel"
        return "socket"

    def since_sent_ns(self, arrival: Arrival, layer: Layer) -> int | None:
        """From the last request byte to ``arrival``, by the stamps of one layer."""
        if layer == "kernel":
            if self.sent_kernel_ns is None or arrival.kernel_ns is None or self.clock_step:
                return None
            return arrival.kernel_ns - self.sent_kernel_ns
        return None if self.sent_ns is None else arrival.socket_ns - self.sent_ns

    def starts_ns(self, layer: Layer) -> list[int | None]:
        """From the start of the request to each of its arrivals, by the stamps of one layer."""
        lead_ns = self.lead_ns
        since = (self.since_sent_ns(arrival, layer) for arrival in self.arrivals)
        return [None if ns is None else lead_ns + ns for ns in since]
