"""What really happened to one request, by the server's own stamps. Nanoseconds of CLOCK_REALTIME,
the clock in which the kernel stamps packets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Sent:
    """One piece of an answer: when the server set out to send it, and when the kernel did."""

    send_ns: int
    token: bool = False
    tx_ns: int | None = None


@dataclass(slots=True)
class Truth:
    """One request: who asked on which connection, when it was there, when each piece left.

    ``rx_ns`` is the kernel's stamp of the last request segment, ``recv_ns`` when the server's
    read returned, ``handshake_ns`` the server's own work in the connection's TLS handshake.
    """

    id: str
    link: int
    nth: int
    rx_ns: int
    recv_ns: int
    handshake_ns: int | None = None
    sent: list[Sent] = field(default_factory=list)

    @property
    def delay_ns(self) -> int:
        """The true delay on the wire: request's last segment in, answer's first segment out."""
        tx_ns = self.sent[0].tx_ns
        assert tx_ns is not None, f"{self.id}: the kernel gave no transmit stamp"
        return tx_ns - self.rx_ns

    @property
    def user_delay_ns(self) -> int:
        """The same as the server's program saw it: without its own wake-up."""
        return self.sent[0].send_ns - self.recv_ns

    @property
    def tokens_ns(self) -> list[int]:
        """From the request's last segment in to each token's segment out."""
        return [(s.tx_ns or s.send_ns) - self.rx_ns for s in self.sent if s.token]

    @property
    def user_tokens_ns(self) -> list[int]:
        """From the request's last segment in to each token's ``send``."""
        return [s.send_ns - self.rx_ns for s in self.sent if s.token]

    def row(self) -> list[Any]:
        """For JSON."""
        sent = [[s.send_ns, s.token, s.tx_ns] for s in self.sent]
        return [self.id, self.link, self.nth, self.rx_ns, self.recv_ns, self.handshake_ns, sent]

    @classmethod
    def of_row(cls, row: list[Any]) -> Truth:
        """From JSON."""
        *head, sent = row
        truth = cls(*head)
        truth.sent = [Sent(*piece) for piece in sent]
        return truth
