"""A socket without a kernel: what its other end says is bytes of a fuzzer's. No thread, no waiting.

`bench.wire.stream` asks of a socket what is here, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Speak = Callable[[bytes], bytes]
ENDS = ("fin", "reset", "silence")


class Line:
    """Bytes sent go to ``speak``, which gives bytes to be read; after them comes the end."""

    def __init__(self, speak: Speak, size: int, end: str) -> None:
        self._speak = speak
        self._size = size
        self._end = end
        self._waiting = b""

    def send(self, data: bytes) -> int:
        """All of it is taken."""
        self._waiting += self._speak(bytes(data))
        return len(data)

    def recvmsg(self, most: int, ancillary: int, flags: int = 0) -> tuple[bytes, Any, int, None]:
        """The next piece, or how it ends."""
        if flags:
            raise OSError(errno.EAGAIN, "no stamps")
        if not self._waiting and self._end != "fin":
            raise OSError(errno.ECONNRESET if self._end == "reset" else errno.EAGAIN, "")
        return self._take(most), [], 0, None

    def recv(self, most: int, flags: int) -> bytes:
        """As an idle connection is looked at: without waiting."""
        if not self._waiting and self._end == "silence":
            raise BlockingIOError(errno.EAGAIN, "")
        if not self._waiting and self._end == "reset":
            raise ConnectionResetError(errno.ECONNRESET, "")
        return self._take(most)

    def _take(self, most: int) -> bytes:
        size = min(most, self._size or most)
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        return piece

    def setsockopt(self, *_: object) -> None:
        """Nothing is to be set."""

    def getsockopt(self, *_: object) -> bytes:
        """Nothing is known."""
        raise OSError(errno.ENOPROTOOPT, "no kernel")

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def shutdown(self, how: int) -> None:
        """Nobody is there to hear."""

    def close(self) -> None:
        """Nothing is kept."""


class Plain:
    """Says everything when it is first spoken to, whatever is said."""

    def __init__(self, words: bytes) -> None:
        self._words = words

    def __call__(self, heard: bytes) -> bytes:
        said, self._words = self._words, b""
        return said


@dataclass(frozen=True)
class Damage:
    """Bytes put into a server's stream at a place in it, instead of ``gone`` of its own."""

    at: int
    gone: int
    words: bytes


class Tls:
    """A real TLS server that says ``words`` once hands are shaken, damaged on the way."""

    def __init__(self, context: ssl.SSLContext, words: bytes, damage: Damage | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._words = words
        self._damage = damage
        self._said = 0
        self._shaken = False

    def __call__(self, heard: bytes) -> bytes:
        self._incoming.write(heard)
        with contextlib.suppress(ssl.SSLError):  # its alert is on its way
            self._answer()
        return self._damaged(self._outgoing.read())

    def _answer(self) -> None:
        if not self._shaken:
            self._tls.do_handshake()
            self._shaken = True
            return
        words, self._words = self._words, b""
        if words:
            self._tls.write(words)

    def _damaged(self, data: bytes) -> bytes:
        begin, self._said = self._said, self._said + len(data)
        damage = self._damage
        if damage is None or not begin <= damage.at < self._said:
            return data
        at = damage.at - begin
        return data[:at] + damage.words + data[at + damage.gone :]
