"""One accepted connection of the lab's server: bytes in and out, each with the kernel's stamp."""

from __future__ import annotations

import socket
import ssl
import time

from bench.wire import kernel
from tests.lab.truth import Sent

_RECV_BYTES = 65_536


class Gone(Exception):
    """The client left, or does not read."""


class Link:
    """A non-blocking socket, in the clear or under TLS over memory BIOs."""

    def __init__(self, sock: socket.socket, number: int, context: ssl.SSLContext | None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kernel.enable_stamps(sock)
        self.sock = sock
        self.number = number
        self.requests = 0
        self.waiting = b""
        self.rx_ns = self.recv_ns = 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._shaken = context is None
        if context is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._bytes_sent = 0
        self._hello_ns = 0
        self._flight: Sent | None = None
        self._unstamped: dict[int, Sent] = {}

    def receive(self) -> bool:
        """Read once into ``waiting``; False when only transmit stamps had come. Raises Gone."""
        self.collect()
        try:
            data, ancillary, _, _ = self.sock.recvmsg(_RECV_BYTES, kernel.ANCILLARY_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Gone from error
        self.recv_ns = time.time_ns()
        self.rx_ns = kernel.stamp_of(ancillary) or self.recv_ns
        if not data:
            raise Gone
        self.waiting += data if self._tls is None else self._decrypt(self._tls, data)
        return True

    def send(self, data: bytes, sent: Sent) -> None:
        """Hand one piece to the kernel; its stamp goes to ``sent``. Raises Gone."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self._push(data)
        self._await(sent)

    def collect(self) -> None:
        """Give the transmit stamps that came to the pieces they belong to."""
        if self._unstamped:
            for number, stamp in kernel.drain_sent(self.sock).items():
                if (sent := self._unstamped.pop(number, None)) is not None:
                    sent.tx_ns = stamp
        else:
            kernel.drain_sent(self.sock)

    @property
    def handshake_ns(self) -> int | None:
        """The server's own work: from the client's hello in to its answer out."""
        if self._flight is None or self._flight.tx_ns is None:
            return None
        return self._flight.tx_ns - self._hello_ns

    def _answer_hello(self) -> None:
        data = self._outgoing.read()
        if self._flight is not None:
            self._push(data)
            return
        self._hello_ns, self._flight = self.rx_ns, Sent(time.time_ns())
        self._push(data)
        self._await(self._flight)

    def _decrypt(self, tls: ssl.SSLObject, raw: bytes) -> bytes:
        self._incoming.write(raw)
        plain = b""
        try:
            if not self._shaken:
                tls.do_handshake()
                self._shaken = True
            while piece := tls.read(_RECV_BYTES):
                plain += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise Gone from error
        if self._outgoing.pending:
            self._answer_hello()
        return plain

    def _await(self, sent: Sent) -> None:
        """The stamp of the byte sent last goes to ``sent``."""
        self._unstamped[(self._bytes_sent - 1) & 0xFFFFFFFF] = sent
        self.collect()

    def _push(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                count = self.sock.send(view)
            except OSError as error:
                raise Gone from error
            self._bytes_sent += count
            view = view[count:]
