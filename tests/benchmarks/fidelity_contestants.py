"""The contestants that live in this process: each asks once and says when the answer began."""

from __future__ import annotations

import asyncio
import importlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

import httpx

from bench.clients.http import HttpClient
from bench.model import Reply
from tests.lab.lab import HOST, Lab, lab_request

Seen = dict[str, int]
"""By layer: from the last request byte to the first byte of the answer, in ns."""

KERNEL = "regionbench kernel"
SOCKET = "regionbench socket"
APPLICATION = "regionbench application"
FALLBACK = "regionbench without stamps"
PLAIN = "httpx sync"
RAW = "raw socket"
PATH = "/v1/models"


class Contestant(Protocol):
    """Asks the lab on a connection that it keeps."""

    def ask(self, name: str, delay_ms: float) -> Seen:
        """One request under the id ``name``."""

    def close(self) -> None:
        """End the connection."""


class Ours:
    """The product's client; three layers in one row."""

    def __init__(self, lab: Lab, *, stamps: bool = True) -> None:
        self._client = HttpClient(lab.settings(stamps=stamps))
        self._endpoint = lab.endpoint()
        self._stamps = stamps

    def send(self, name: str, delay_ms: float) -> Reply:
        """The whole row."""
        reply = self._client.send(self._endpoint, lab_request(name, delay_ms), "warm")
        assert reply.outcome == "ok", reply
        return reply

    def ask(self, name: str, delay_ms: float) -> Seen:
        """See `Contestant.ask`."""
        reply = self.send(name, delay_ms)
        assert reply.ttfb_ns is not None
        if not self._stamps:
            return {FALLBACK: reply.ttfb_ns}
        assert reply.ttfb_kernel_ns is not None
        assert reply.ttfb_socket_ns is not None
        assert reply.ttfb_app_ns is not None
        return {
            KERNEL: reply.ttfb_kernel_ns,
            SOCKET: reply.ttfb_socket_ns,
            APPLICATION: reply.ttfb_app_ns,
        }

    def close(self) -> None:
        """See `Contestant.close`."""
        self._client.close()


def url(lab: Lab, name: str, delay_ms: float) -> str:
    """Where to ask for a delay, under an id."""
    return f"https://127.0.0.1:{lab.tls_port}{PATH}?id={name}&delay_ms={delay_ms}"


class PlainHttpx:
    """httpx as a user takes it: the time around the call until the head is there."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._client = httpx.Client(verify=lab.context, trust_env=False, timeout=10)

    def ask(self, name: str, delay_ms: float) -> Seen:
        """See `Contestant.ask`."""
        target = url(self._lab, name, delay_ms)
        began_ns = time.perf_counter_ns()
        with self._client.stream("GET", target) as response:
            seen_ns = time.perf_counter_ns() - began_ns
            response.read()
        return {PLAIN: seen_ns}

    def close(self) -> None:
        """See `Contestant.close`."""
        self._client.close()


class RawSocket:
    """A blocking TLS socket, the clock read around send and recv."""

    def __init__(self, lab: Lab) -> None:
        plain = socket.create_connection(("127.0.0.1", lab.tls_port), timeout=10)
        plain.settimeout(None)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock: ssl.SSLSocket = lab.context.wrap_socket(plain, server_hostname=HOST)

    def ask(self, name: str, delay_ms: float) -> Seen:
        """See `Contestant.ask`."""
        target = f"{PATH}?id={name}&delay_ms={delay_ms}"
        request = f"GET {target} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()
        began_ns = time.perf_counter_ns()
        self._sock.sendall(request)
        self._sock.recv(65536)
        return {RAW: time.perf_counter_ns() - began_ns}

    def close(self) -> None:
        """See `Contestant.close`."""
        self._sock.close()


class _OnLoop:
    """An asynchronous client on a loop of its own, driven one request at a time."""

    def __init__(self, lab: Lab, label: str) -> None:
        self._lab, self._label = lab, label
        self._runner = asyncio.Runner()

    def ask(self, name: str, delay_ms: float) -> Seen:
        """See `Contestant.ask`."""
        return {self._label: self._runner.run(self.timed(url(self._lab, name, delay_ms)))}

    def close(self) -> None:
        """See `Contestant.close`."""
        self._runner.run(self.end())
        self._runner.close()

    async def timed(self, target: str) -> int:
        """One request, timed inside the loop."""
        raise NotImplementedError

    async def end(self) -> None:
        """Close the client."""
        raise NotImplementedError


class AsyncHttpx(_OnLoop):
    """httpx's asynchronous client."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, "httpx async")
        self._client = httpx.AsyncClient(verify=lab.context, trust_env=False, timeout=10)

    async def timed(self, target: str) -> int:
        """See `_OnLoop.timed`."""
        began_ns = time.perf_counter_ns()
        async with self._client.stream("GET", target) as response:
            seen_ns = time.perf_counter_ns() - began_ns
            await response.aread()
        return seen_ns

    async def end(self) -> None:
        """See `_OnLoop.end`."""
        await self._client.aclose()


class Aiohttp(_OnLoop):
    """aiohttp, which the product does not use."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, "aiohttp")
        self._client: Any = self._runner.run(self._start())

    async def _start(self) -> Any:
        library = importlib.import_module("aiohttp")
        connector = library.TCPConnector(ssl=self._lab.context, limit=0)
        return library.ClientSession(connector=connector)

    async def timed(self, target: str) -> int:
        """See `_OnLoop.timed`."""
        began_ns = time.perf_counter_ns()
        async with self._client.get(target) as response:
            seen_ns = time.perf_counter_ns() - began_ns
            await response.read()
        return seen_ns

    async def end(self) -> None:
        """See `_OnLoop.end`."""
        await self._client.close()


def _without_stamps(lab: Lab) -> Ours:
    return Ours(lab, stamps=False)


MAKERS: dict[str, Callable[[Lab], Contestant]] = {
    "regionbench": Ours,
    FALLBACK: _without_stamps,
    PLAIN: PlainHttpx,
    "httpx async": AsyncHttpx,
    "aiohttp": Aiohttp,
    RAW: RawSocket,
}


def absent() -> list[str]:
    """Contestants whose library is not installed."""
    return [] if find_spec("aiohttp") else ["aiohttp"]


@contextmanager
def contestants(lab: Lab) -> Iterator[dict[str, Contestant]]:
    """All that are installed, each on a warm connection."""
    missing = absent()
    with ExitStack() as stack:
        ready: dict[str, Contestant] = {}
        for name, make in MAKERS.items():
            if name not in missing:
                ready[name] = make(lab)
                stack.callback(ready[name].close)
        for contestant in ready.values():
            for _ in range(3):
                contestant.ask("warmup", 1.0)
        yield ready
