"""One connection's bytes, in the clear or under TLS, with a mark for every arrival.

The socket stays in blocking mode with SO_RCVTIMEO and SO_SNDTIMEO: waiting transmit stamps raise
POLLERR, so a socket in Python's timeout mode (which polls) would spin. TLS runs over memory BIOs so
that every byte still passes `recvmsg` and its ancillary data.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any

from bench.wire import kernel
from bench.wire.clock import ClockWatch, now_ns
from bench.wire.httplib import httpcore
from bench.wire.record import Arrival, Record, WireFault

_RECV_BYTES = 65_536
_HEAD_BYTES = 16
_TIMEVAL = struct.Struct("@ll")
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK)

CurrentRecord = Callable[[], Record]


class WireStream(httpcore.NetworkStream):
    """A connected socket that writes what it is given only when it is next read from.

    httpcore sends headers and body in separate writes; held back, they leave in one piece and
    "sent" is one instant.
    """

    def __init__(self, sock: socket.socket, current: CurrentRecord, *, stamps: bool) -> None:
        self._sock = sock
        self._current = current
        self._stamped = stamps and kernel.enable_stamps(sock)
        with contextlib.suppress(OSError):  # reset already: the first read will say so
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer_ip = current().peer_ip
        # Read now: later the smoothed RTT carries the server's delayed ACKs.
        self._path = kernel.tcp_info(sock)
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._held = bytearray()
        self._ready = b""
        self._sent_bytes = 0
        self._latest: Arrival | None = None
        self._reset = False
        self._closed = False

    # What httpcore asks for

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what is held, then give what arrived; b"" at the end. Raises WireFault."""
        record = self._current()
        self._flush(record)
        if self._ready:
            data, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
            return data
        record.phase = _waiting_for(record)
        return self._read(max_bytes, record)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hold ``buffer`` back until the next read."""
        self._held += buffer

    def close(self) -> None:
        """Drain the stamps that are still due, then close. Never raises."""
        if not self._closed:
            self.collect()
            self._closed = True
            self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> WireStream:
        """Shake hands; the record gets ``tls_ns`` and the version. Raises WireFault.

        ``tls_ns`` runs from the hello to the server's last word: checking a certificate costs this
        process a millisecond or two, which is neither the network's time nor the server's.
        """
        record = self._current()
        record.enter_tunnel(now_ns())
        record.phase = "tls"
        self._tls = ssl_context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        clocks = ClockWatch()
        try:
            hello_ns = self._shake_hands(self._tls, record)
        except BaseException:
            self.close()
            raise
        record.tls_ns = self._heard_ns(hello_ns, stepped=clocks.stepped()) - hello_ns
        return self

    def get_extra_info(self, info: str) -> Any:
        """``ssl_object``, ``socket``, addresses, and whether an idle connection has ended."""
        if info == "ssl_object":
            return self._tls
        if info == "is_readable":
            return self._has_news()
        if info == "socket":
            return self._sock
        if info in ("server_addr", "client_addr"):
            return self._sock.getpeername() if info == "server_addr" else self._sock.getsockname()
        return None

    # What the wire asks for

    def collect(self) -> None:
        """Give the record its transmit stamp and the kernel's view of the path."""
        record = self._current()
        if self._closed:
            return
        if self._stamped:
            stamps = kernel.drain_sent(self._sock)
            if record.sent_id is not None and record.sent_id in stamps:
                record.sent_kernel_ns = stamps[record.sent_id]
        info = kernel.tcp_info(self._sock)
        if info is not None:
            record.min_rtt_ns, record.retransmits = info.min_rtt_ns, info.retransmits

    def describe(self, record: Record) -> None:
        """Give the record what is true of the connection as a whole."""
        record.peer_ip = self._peer_ip
        record.rtt_ns = None if self._path is None else self._path.rtt_ns
        record.tls_version = None if self._tls is None else self._tls.version()

    def interrupt(self) -> None:
        """End whatever the connection's own thread waits for. Callable from any thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    # Sending

    def _flush(self, record: Record) -> None:
        if not self._held:
            return
        held, self._held = bytes(self._held), bytearray()
        if not record.send_final:
            record.phase = "send"
        if self._tls is not None:
            self._tls.write(held)
            held = self._outgoing.read()
        self._send_request(held, record)

    def _send_request(self, data: bytes, record: Record) -> None:
        began_ns = now_ns()
        try:
            last_ns = self._send_all(data, record)
        except OSError as error:
            last_ns = self._note_unsent(error)
        if record.send_final:
            return
        record.send_final = record.body_done
        record.began_ns = began_ns if record.began_ns is None else record.began_ns
        record.send_ns = now_ns() - record.began_ns
        record.sent_ns = last_ns
        record.sent_id = (self._sent_bytes - 1) & 0xFFFFFFFF

    def _note_unsent(self, error: OSError) -> int:
        """The server may have answered before it closed: the read that follows will tell.

        It tells of everything but a reset, which the kernel reports once, and did.
        """
        self._reset = self._reset or error.errno == errno.ECONNRESET
        return now_ns()

    def _send_all(self, data: bytes, record: Record) -> int:
        """Send everything; the time just before the last piece was handed to the kernel."""
        view = memoryview(data)
        began_ns = now_ns()
        while view:
            self._limit(socket.SO_SNDTIMEO, record)
            began_ns = now_ns()
            try:
                count = self._sock.send(view)
            except OSError as error:
                if error.errno in _AGAIN:
                    raise _timeout(record) from None
                raise
            self._sent_bytes += count
            view = view[count:]
        return began_ns

    # Receiving

    def _read(self, max_bytes: int, record: Record) -> bytes:
        tls = self._tls
        data = self._receive(record) if tls is None else self._decrypt(tls, max_bytes, record)
        self._mark(data, record)
        if len(data) > max_bytes:
            data, self._ready = data[:max_bytes], data[max_bytes:]
        return data

    def _mark(self, data: bytes, record: Record) -> None:
        record.eof = not data
        if not data or self._latest is None:
            return
        record.bytes_in += len(data)
        if not record.arrivals:
            record.head = data[:_HEAD_BYTES]
        record.arrivals.append(self._latest)

    def _decrypt(self, tls: ssl.SSLObject, max_bytes: int, record: Record) -> bytes:
        while True:
            try:
                return tls.read(max_bytes)
            except ssl.SSLWantReadError:
                self._push(record)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                record.ragged_eof = True
                return b""
            except ssl.SSLError as error:
                raise WireFault("protocol_error", record.phase, _ssl_text(error)) from None
            raw = self._receive(record)
            if raw:
                self._incoming.write(raw)
            else:
                self._incoming.write_eof()

    def _receive(self, record: Record) -> bytes:
        self._limit(socket.SO_RCVTIMEO, record)
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_RECV_BYTES, kernel.ANCILLARY_BYTES)
        except OSError as error:
            raise self._receive_fault(error, record) from None
        if not data and self._reset:
            raise self._receive_fault(OSError(errno.ECONNRESET, ""), record)
        socket_ns = now_ns()
        if data:
            stamp = kernel.stamp_of(ancillary) if self._stamped else None
            late_ns = None if stamp is None else time.time_ns() - stamp
            self._latest = Arrival(socket_ns, stamp, late_ns)
        return data

    def _receive_fault(self, error: OSError, record: Record) -> WireFault:
        if error.errno in _AGAIN:
            return _timeout(record)
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        if record.phase == "tls":
            return WireFault("tls_fail", "tls", name)
        broken = "truncated" if record.phase == "body" else "stream_error"
        return WireFault(broken, record.phase, name)

    # TLS

    def _shake_hands(self, tls: ssl.SSLObject, record: Record) -> int:
        """Until both sides are done; when the hello was handed to the kernel."""
        hello_ns: int | None = None
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pushed_ns = self._push(record)
                hello_ns = pushed_ns if hello_ns is None else hello_ns
            except ssl.SSLError as error:
                with contextlib.suppress(WireFault):
                    self._push(record)  # the alert that tells the server why
                raise WireFault("tls_fail", "tls", _ssl_text(error)) from None
            except (ssl.CertificateError, ValueError) as error:
                raise WireFault("tls_fail", "tls", str(error)) from None
            else:
                pushed_ns = self._push(record)
                return pushed_ns if hello_ns is None else hello_ns
            raw = self._receive(record)
            if raw:
                self._incoming.write(raw)
            else:
                self._incoming.write_eof()

    def _heard_ns(self, hello_ns: int, *, stepped: bool) -> int:
        """When the kernel had the latest arrival, on the monotonic clock."""
        latest = self._latest
        if latest is None:
            return now_ns()
        arrived_ns = latest.socket_ns - (latest.late_ns or 0)
        likely = hello_ns <= arrived_ns <= latest.socket_ns and not stepped
        return arrived_ns if likely else latest.socket_ns

    def _push(self, record: Record) -> int:
        """Send what TLS has to say; when that was handed to the kernel."""
        try:
            return self._send_all(self._outgoing.read(), record)
        except OSError as error:
            return self._note_unsent(error)

    # Idle

    def _has_news(self) -> bool:
        """True when an idle connection ended or spoke unasked.

        TLS session tickets that arrive after the handshake are neither: they are read and kept.
        """
        return self.has_ended() or bool(self._ready)

    def has_ended(self) -> bool:
        """Whether an idle connection is over; what it says meanwhile is kept for the next read."""
        while True:
            try:
                raw = self._sock.recv(_RECV_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not raw or not self._keep(raw):
                return True

    def _keep(self, raw: bytes) -> bool:
        """Keep what came unasked; False when it ends the connection."""
        if self._tls is None:
            self._ready += raw
            return True
        self._incoming.write(raw)
        try:
            while said := self._tls.read(_RECV_BYTES):  # nothing: it said goodbye
                self._ready += said
            return False
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            return False

    def _limit(self, option: int, record: Record) -> None:
        left_ns = record.deadline_ns - now_ns()
        if left_ns <= 0:
            raise _timeout(record)
        left_us = max(1, left_ns // 1000)
        value = _TIMEVAL.pack(left_us // 1_000_000, left_us % 1_000_000)
        self._sock.setsockopt(socket.SOL_SOCKET, option, value)


def _waiting_for(record: Record) -> str:
    """The phase of a read: over HTTP/2 it can be for leave to send the rest of the body."""
    if record.first is not None:
        return "body"
    return "ttfb" if record.body_done else "send"


def _timeout(record: Record) -> WireFault:
    return WireFault("timeout", record.phase, "the deadline passed")


def _ssl_text(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message} (verify code {error.verify_code})"
    return error.reason or type(error).__name__
