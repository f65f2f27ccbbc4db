"""One client connection: TCP bytes through the delay line into TLS, and back.

The TLS of asyncio would sit below the line; here it sits above, so that handshakes feel the
distance as requests do. To the HTTP server a link is the reader and writer of a stream.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bench.simulator.line import DelayLine, Parcel

_CHUNK = 2**16


class Link(asyncio.Protocol):
    """A server-side TLS connection with a distance. ``start`` is called after the handshake.

    Times are the loop's. ``arrived`` is when the last bytes came in. What is written leaves at
    ``hold_until`` at the earliest: so a piece can be made and encrypted ahead of its time.
    ``writes`` counts the writes, ``sent`` is the last one's parcel. ``first_left`` is
    when the first bytes left since it was None.
    """

    def __init__(
        self, context: ssl.SSLContext, one_way_s: float, start: Callable[[Link], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.one_way_s = one_way_s
        self._start = start
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False
        self._closing = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self.reader = asyncio.StreamReader(loop=self._loop)
        self.arrived = self._loop.time()
        self.hold_until = 0.0
        self.writes = 0
        self.sent: Parcel | None = None
        self.first_left: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the TCP connection stands."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 — narrows for the type checker
        self._transport = transport
        self._arriving = DelayLine(self._loop, self.one_way_s, self._arrived)
        self._leaving = DelayLine(self._loop, self.one_way_s, self._left)
        self.reader.set_transport(transport)

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes from the client."""
        self._arriving.push(data)

    def eof_received(self) -> bool:
        """asyncio's: the client sends no more; it may still be read to."""
        self._arriving.push(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: the end."""
        self._closing = True
        self._writable.set()
        if not self.reader.at_eof():
            self.reader.feed_eof()
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        """asyncio's: the client reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """asyncio's: it caught up."""
        self._writable.set()

    def _arrived(self, data: bytes | None, at: float) -> None:
        self.arrived = at
        if data is None:
            self._in.write_eof()
        else:
            self._in.write(data)
        try:
            self._read()
        except ssl.SSLError:
            self._flush()  # the alert
            self._end()
        else:
            self._flush()
            if data is None:
                self._end()

    def _read(self) -> None:
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
                self._flush()
                self._start(self)
            while data := self._tls.read(_CHUNK):
                self.reader.feed_data(data)
            self._end()
        except ssl.SSLWantReadError:
            return
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._end()

    def _end(self) -> None:
        if self._shaken:
            self.reader.feed_eof()
        else:
            self.break_off()

    def _flush(self) -> None:
        data = self._out.read()
        if data and not self._transport.is_closing():
            self.sent = self._leaving.push(data, self.hold_until)

    def _left(self, data: bytes | None, _at: float) -> None:
        if data is None:
            self._transport.close()
        elif not self._transport.is_closing():
            if self.first_left is None:
                self.first_left = self._loop.time()
            self._transport.write(data)

    # What follows is the part of asyncio.StreamWriter that the HTTP server uses.

    def write(self, data: bytes) -> None:
        """Encrypts and sends. Raises ConnectionResetError after the end."""
        if self._closing:
            raise ConnectionResetError("the connection is closed")
        self.writes += 1
        self._tls.write(data)
        self._flush()

    async def drain(self) -> None:
        """Waits while the client is slow."""
        if not self._writable.is_set():
            await self._writable.wait()

    def write_eof(self) -> None:
        """TLS cannot close one direction only."""
        raise NotImplementedError

    def close(self) -> None:
        """Says goodbye (close_notify) and closes."""
        if self._closing:
            return
        self._closing = True
        with suppress(ssl.SSLError):  # SSLWantRead: nobody waits for the client's goodbye
            self._tls.unwrap()
        self._flush()
        self._leaving.push(None, self.hold_until)

    def break_off(self) -> None:
        """Closes in the middle of things, without a goodbye."""
        if not self._closing:
            self._closing = True
            self._leaving.push(None, self.hold_until)

    async def wait_closed(self) -> None:
        """Returns when the connection is gone."""
        await asyncio.shield(self._lost)

    def get_extra_info(self, name: str) -> Any:
        """``socket`` and ``ssl_object``, as of an asyncio transport."""
        return self._tls if name == "ssl_object" else self._transport.get_extra_info(name)
