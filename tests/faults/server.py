"""A raw server on loopback that does exactly what a script says, and tells how far it came.

Speaks TCP, or TLS with a certificate that a test made. It reads the whole request before the
script's first step (else its FIN turns into RST and another case is tested).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Script = Callable[["Conversation"], None]


@dataclass
class Conversation:
    """One accepted connection, in the hands of a script."""

    sock: socket.socket
    raw: socket.socket
    request: bytes = b""

    def read_request(self) -> bytes:
        """Everything of one HTTP/1.1 request; b"" when the client left."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            body += self.sock.recv(65536)
        self.request = head + b"\r\n\r\n" + body
        return self.request

    def send(self, data: bytes) -> None:
        """Send ``data`` now."""
        self.sock.sendall(data)

    def drip(self, data: bytes, pause_s: float) -> None:
        """Send ``data`` a byte at a time, as long as the client listens."""
        for byte in data:
            self.sock.sendall(bytes([byte]))
            time.sleep(pause_s)

    def finish(self) -> None:
        """FIN, after TLS close_notify where there is TLS."""
        if isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.sock.settimeout(1)
                self.sock.unwrap()
        self.raw_close()

    def raw_close(self) -> None:
        """FIN without close_notify."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        """RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def silence(self) -> None:
        """Say nothing until the client leaves."""
        self.sock.settimeout(20)
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


@dataclass
class FaultServer:
    """Where it listens, how many connections came, and how many scripts reached their end."""

    port: int
    connections: int = 0
    completed: int = 0
    requests: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def fault_server(
    script: Script, context: ssl.SSLContext | None = None, *, read: bool = True
) -> Iterator[FaultServer]:
    """Serve ``script`` to every connection until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = FaultServer(listener.getsockname()[1])
    threads: list[threading.Thread] = []
    live: list[socket.socket] = []

    def serve(raw: socket.socket) -> None:
        try:
            sock = context.wrap_socket(raw, server_side=True) if context else raw
            live.append(sock)
            _converse(server, script, Conversation(sock, raw), read=read)
        except OSError as error:
            server.errors.append(error)
        finally:
            raw.close()

    def accept() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.connections += 1
            live.append(raw)
            threads.append(threading.Thread(target=serve, args=(raw,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        _shut(listener, *live)
        for thread in (acceptor, *threads):
            thread.join(5)
        for sock in (listener, *live):
            sock.close()


def _converse(
    server: FaultServer, script: Script, conversation: Conversation, *, read: bool
) -> None:
    if read and not conversation.read_request():
        return
    server.requests.append(conversation.request)
    script(conversation)
    server.completed += 1


def _shut(*socks: socket.socket) -> None:
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """True as soon as ``condition`` holds; False when it never did."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return condition()
