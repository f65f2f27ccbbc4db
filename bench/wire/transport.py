"""`Wire`: one connection slot that speaks HTTP through httpx, on sockets of our own."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.wire.clock import ClockWatch
from bench.wire.connect import Family, literal, race, resolve
from bench.wire.httplib import check_heads, holds_more, httpcore, httpx
from bench.wire.proxy import Proxy
from bench.wire.record import Record, WireFault
from bench.wire.stream import WireStream


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach a host: an ``address:port`` that replaces the lookup, the IP family, a proxy
    that looks names up itself, whether the kernel is asked for stamps, and whether a request may
    go in the clear: never where it may carry a key."""

    connect: str | None = None
    family: Family = "any"
    proxy: Proxy | None = None
    stamps: bool = True
    clear: bool = False

    def target(self, port: int) -> tuple[str, int] | None:
        """The pinned address and its port, or None when the name is to be looked up."""
        if self.connect is None:
            return None
        address, _, pinned = self.connect.rpartition(":")
        return (address.strip("[]"), int(pinned)) if address else (self.connect, port)


class Wire:
    """At most one connection, one request in flight; `record` holds the marks of the latest.

    Not safe for several threads, save for `interrupt`.
    """

    def __init__(self, context: ssl.SSLContext, route: Route, *, http2: bool = False) -> None:
        self.record = Record(deadline_ns=0)
        self.stream: WireStream | None = None
        self._route = route
        self._watch = ClockWatch()
        self._pool = _pool(context, route.proxy, _Backend(self), http2=http2)
        self.transport = _Transport(self, self._pool, clear=route.clear)

    def begin(self, deadline_ns: int) -> Record:
        """Start the marks of a new request that must be over at ``deadline_ns`` (monotonic).

        A connection that ended while it was idle is closed: httpcore does not look over HTTP/2.
        """
        if self.stream is not None and self.stream.has_ended():
            self.close()
        self.record = Record(deadline_ns=deadline_ns)
        self._watch = ClockWatch()
        return self.record

    def finish(self, *, broken: bool = False) -> Record:
        """Collect what the kernel still holds for the request; its complete record.

        A connection that broke, or that was left in the middle, or that said more than its answer,
        is closed: what is still to come would be taken for a part of the next one.
        """
        if self.stream is not None:
            self.stream.collect()
            self.stream.describe(self.record)
        watch, record = self._watch, self.record
        record.clock_step = watch.stepped() or record.contradicts(watch.offset_ns, watch.slack_ns())
        if broken or holds_more(self._pool):
            self.close()
        return self.record

    def interrupt(self) -> None:
        """End the request in flight from another thread; its record says ``cancelled``."""
        self.record.cancelled = True
        if self.stream is not None:
            self.stream.interrupt()

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._pool.close()
        self.stream = None

    def connect(self, host: str, port: int) -> WireStream:
        """A new connection, its phases in the record. Raises WireFault."""
        record = self.record
        if record.began_ns is not None:
            # httpcore asks again elsewhere when a GOAWAY names an earlier stream as the last one.
            raise WireFault("stream_error", record.phase, "sent away; nothing is sent twice")
        record.reused = False
        pinned = self._route.target(port)
        if pinned is None:
            addresses = resolve(host, port, self._route.family, record)
        else:
            addresses = [literal(*pinned)]
        sock = race(addresses, record)
        self.stream = WireStream(sock, lambda: self.record, stamps=self._route.stamps)
        return self.stream


def _pool(
    context: ssl.SSLContext,
    proxy: Proxy | None,
    backend: httpcore.NetworkBackend,
    *,
    http2: bool,
) -> httpcore.ConnectionPool:
    kept: dict[str, Any] = {
        "ssl_context": context,
        "http2": http2,
        "max_connections": 1,
        "keepalive_expiry": None,
        "retries": 0,
        "network_backend": backend,
    }
    if http2:
        check_heads()
    if proxy is None:
        return httpcore.ConnectionPool(**kept)
    return httpcore.HTTPProxy(proxy.url, proxy_auth=proxy.auth, **kept)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> WireStream:
        return self._wire.connect(host, port)


class _Transport(httpx.BaseTransport):
    def __init__(self, wire: Wire, pool: httpcore.ConnectionPool, *, clear: bool) -> None:
        self._wire = wire
        self._pool = pool
        self._schemes = ("https", "http") if clear else ("https",)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body, record = request.stream, self._wire.record
        if request.url.scheme not in self._schemes:
            raise WireFault("client_fault", "send", "only https:// is spoken: a key goes over TLS")
        assert isinstance(body, httpx.SyncByteStream)  # noqa: S101  # this transport is synchronous
        # httpcore takes no body, and so ends none, where no header announces one.
        record.body_done = not {"content-length", "transfer-encoding"} & set(request.headers)
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=_Outgoing(body, record),
                extensions=request.extensions,
            )
        )
        _mark_first(record, answer.extensions.get("http_version", b""))
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Incoming(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._wire.close()


class _Outgoing:
    """The request's body; tells the record when the last piece was taken: the next send ends it."""

    def __init__(self, body: Iterable[bytes], record: Record) -> None:
        self._body = body
        self._record = record

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        self._record.body_done = True


class _Incoming(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _mark_first(record: Record, http_version: bytes) -> None:
    """Name the arrival that began the response: the first one, except after early frames.

    Over HTTP/2 the first bytes are often SETTINGS or WINDOW_UPDATE, over HTTP/1.1 they can be a
    1xx response: there it is the read that completed the response's own header.
    """
    if not record.arrivals:
        return
    early = http_version == b"HTTP/2" or record.head[9:10] == b"1"
    record.first = len(record.arrivals) - 1 if early else 0
