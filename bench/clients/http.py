"""The default client: httpx over the wire's own transport."""

from __future__ import annotations

import datetime as dt

from bench.clients import Settings
from bench.clients.answer import close_stream
from bench.clients.exchange import (
    MAX_BODY_BYTES,
    Exchange,
    Piece,
    judge_document,
    note_fault,
    streams,
    take_events,
)
from bench.clients.reply import Head, assemble, without_key
from bench.clients.slot import Slot, open_slot
from bench.key import sealed
from bench.model import Connection, Endpoint, Reply, Request
from bench.units import NS_PER_S
from bench.wire.clock import now_ns
from bench.wire.httplib import httpx
from bench.wire.transport import Wire


class HttpClient:
    """One kept connection per endpoint for ``warm``, a new one per request for ``cold``.

    Retries, redirects, cookies, proxies and content encodings are off: nothing of httpx.Client's
    own sending would be left, so httpx's requests go to the transport at once. Streams are read to
    their end; the total deadline is the wire's own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, Slot] = {}
        self._built: dict[tuple[object, ...], httpx.Request] = {}
        self._active: Wire | None = None

    @sealed
    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        return self.fetch(endpoint, request, connection)[0]

    @sealed
    def fetch(
        self, endpoint: Endpoint, request: Request, connection: Connection
    ) -> tuple[Reply, bytes]:
        """The reply, and the body of an answer that was not streamed (for the preflight)."""
        slot = self._slot(endpoint, connection)
        try:
            exchange = self._exchange(slot, endpoint, request)
        finally:
            if connection == "cold":
                slot.http.close()
        return self._reply(exchange, request), bytes(exchange.body)

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        if (wire := self._active) is not None:
            wire.interrupt()

    def close(self) -> None:
        """Close every connection."""
        for slot in self._kept.values():
            slot.http.close()
        self._kept.clear()

    # Connections

    def _slot(self, endpoint: Endpoint, connection: Connection) -> Slot:
        if connection == "cold":
            return open_slot(self._settings, endpoint)
        if endpoint.name not in self._kept:
            self._kept[endpoint.name] = open_slot(self._settings, endpoint)
        return self._kept[endpoint.name]

    # One request

    def _exchange(self, slot: Slot, endpoint: Endpoint, request: Request) -> Exchange:
        built = self._build(slot.http, endpoint, request)
        deadline_ns = now_ns() + round(self._settings.timeout_s * NS_PER_S)
        exchange, pieces = Exchange(slot.wire.begin(deadline_ns)), list[Piece]()
        self._active = slot.wire
        try:
            try:
                _converse(slot.wire.transport, built, exchange, pieces)
            finally:
                _judge(exchange, request, pieces)
        except Exception as error:
            note_fault(exchange, error)
        finally:
            self._active = None
        slot.wire.finish(broken=not exchange.ended)
        return exchange

    def _build(self, http: httpx.Client, endpoint: Endpoint, request: Request) -> httpx.Request:
        """Requests to one place differ in their bodies only: the rest is put together once."""
        size = len(request.body)
        alike = (
            endpoint.url,
            request.method,
            request.path,
            request.headers,
            request.with_key,
            size,
        )
        first = self._built.get(alike)
        if first is None:
            first = self._built[alike] = self._first(http, endpoint, request)
        return httpx.Request(
            first.method,
            first.url,
            headers=first.headers,
            stream=httpx.ByteStream(request.body),
            extensions=first.extensions,
        )

    def _first(self, http: httpx.Client, endpoint: Endpoint, request: Request) -> httpx.Request:
        headers = list(request.headers)
        if request.with_key and self._settings.key is not None:
            headers.append(("authorization", f"Bearer {self._settings.key.reveal()}"))
        url = endpoint.url + request.path
        return http.build_request(request.method, url, headers=headers, content=request.body)

    def _reply(self, exchange: Exchange, request: Request) -> Reply:
        reply = assemble(exchange, request, dt.datetime.now(dt.UTC))
        return without_key(reply, self._settings.key)


def _converse(
    transport: httpx.BaseTransport, built: httpx.Request, exchange: Exchange, pieces: list[Piece]
) -> None:
    """Ask, and gather the answer; what it says is read when it is over."""
    began_ns = now_ns()
    response = transport.handle_request(built)
    exchange.app_ns = now_ns() - began_ns - exchange.record.lead_ns
    headers = dict(response.headers.items())  # its own look-up walks through all of them
    exchange.head = Head(response.status_code, response.http_version, headers)
    try:
        _gather(response, exchange, pieces)
    finally:
        response.close()


def _gather(response: httpx.Response, exchange: Exchange, pieces: list[Piece]) -> None:
    """The body as it came, up to its end or to what is too much of it."""
    record, stream = exchange.record, response.stream
    assert isinstance(stream, httpx.SyncByteStream)  # noqa: S101  # the wire's own
    for chunk in stream:
        pieces.append((len(record.arrivals) - 1, chunk))
        if record.bytes_in > MAX_BODY_BYTES:
            return
    exchange.ended = True


def _judge(exchange: Exchange, request: Request, pieces: list[Piece]) -> None:
    if exchange.head is None:
        return
    if streams(request, exchange.head):
        _judge_stream(exchange, request, pieces)
    else:
        _judge_document(exchange, exchange.head, request, pieces)


def _judge_stream(exchange: Exchange, request: Request, pieces: list[Piece]) -> None:
    facts, record = exchange.facts, exchange.record
    take_events(exchange, request, pieces)
    if record.bytes_in > MAX_BODY_BYTES and not exchange.ended:
        facts.fail("protocol_error", f"a stream of more than {MAX_BODY_BYTES} bytes")
    if not exchange.ended:
        return
    if record.ragged_eof:
        facts.lose("truncated", "the connection ended without TLS close_notify")
    close_stream(facts)


def _judge_document(exchange: Exchange, head: Head, request: Request, pieces: list[Piece]) -> None:
    exchange.body += b"".join(data for _, data in pieces)
    if exchange.record.bytes_in > MAX_BODY_BYTES and not exchange.ended:
        exchange.facts.fail("protocol_error", f"a body of more than {MAX_BODY_BYTES} bytes")
    if not exchange.ended:
        return
    judge_document(head.status, bytes(exchange.body), request, exchange.facts)
    if exchange.record.ragged_eof and "content-length" not in head.headers:
        exchange.facts.fail("truncated", "the connection ended without TLS close_notify")
