"""Metrics over HTTP/1: GET / , /metrics and /-/healthy, and nothing else.

A thread with an event loop of its own. A client has a few seconds for all of it, and there may be
only so many at once: one that dawdles keeps nobody waiting but itself. Nobody waits for this
thread either, and what it answers is in memory.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

from bench.errors import UsageError

PATIENCE_S = 5.0
MOST_BYTES = 8192
MOST_CLIENTS = 16
_JOIN_S = 1.0
_ELSEWHERE = "name an address of this machine"

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""

Page = Callable[[str], Answer]
"""The answer, given the value of ``Accept``."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 is any free one. An IPv6 ``host`` has no brackets."""

    host: str = "127.0.0.1"
    port: int = 9464

    @property
    def open(self) -> bool:
        """Whether other machines may reach it."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """``HOST:PORT``. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--listen {text}: write HOST:PORT, such as {Address()}")
    return Address(host.strip("[]"), int(port))


@contextmanager
def serving(
    address: Address, pages: Mapping[str, Page], beat: Callable[[], None], every_s: float
) -> Iterator[Address]:
    """Serve ``pages`` (path → page) until the context ends; gives the address that was bound.

    ``beat`` is called in the thread every ``every_s``. Raises UsageError where nothing can listen.
    """
    listener = _listen(address)
    over = threading.Event()

    async def serve() -> None:
        desk = _Desk(pages)
        server = await asyncio.start_server(desk.meet, sock=listener, limit=MOST_BYTES)
        while not over.is_set():
            beat()
            await asyncio.sleep(every_s)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="metrics", daemon=True)
    thread.start()
    try:
        yield Address(address.host, listener.getsockname()[1])
    finally:
        over.set()
        thread.join(_JOIN_S)
        listener.close()


def _listen(address: Address) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = "stop what listens there, or name another port" if taken else _ELSEWHERE
        why = "the port is taken" if taken else error.strerror or str(error)
        raise UsageError(
            f"--listen {address}: {why}; {remedy} (--listen {replace(address, port=0)}: any that is"
            " free)"
        ) from None


class _Desk:
    """Meets one client after the other, as many as `MOST_CLIENTS` at once."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._clients = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one request, answer it, and hang up."""
        self._clients += 1
        try:
            if self._clients <= MOST_CLIENTS:
                async with asyncio.timeout(PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head.decode("latin-1")))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it said nothing, too much, or left: nothing to answer
        except asyncio.CancelledError:
            pass  # the watch ends; asyncio would print that as an error
        finally:
            self._clients -= 1
            writer.close()

    def _answer(self, head: str) -> bytes:
        line, *fields = head.split("\r\n")
        method, _, rest = line.partition(" ")
        target, _, protocol = rest.rpartition(" ")
        if not protocol.startswith("HTTP/1."):
            return _message(_plain(HTTPStatus.BAD_REQUEST), body=True)
        if method not in ("GET", "HEAD"):
            return _message(_plain(HTTPStatus.METHOD_NOT_ALLOWED), body=True)
        page = self._pages.get(target.partition("?")[0])
        answer = _plain(HTTPStatus.NOT_FOUND) if page is None else page(_accepted(fields))
        return _message(answer, body=method == "GET")


def _accepted(fields: Sequence[str]) -> str:
    named = (field.partition(":") for field in fields)
    return ",".join(value.strip() for name, _, value in named if name.lower() == "accept")


def _plain(status: HTTPStatus) -> Answer:
    return status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode()


def _message(answer: Answer, *, body: bool) -> bytes:
    status, content_type, content = answer
    fields = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        *(("Allow: GET, HEAD",) if status == HTTPStatus.METHOD_NOT_ALLOWED else ()),
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    )
    return "\r\n".join((*fields, "", "")).encode("latin-1") + (content if body else b"")
