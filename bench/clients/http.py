"""The default client: httpx over the wire's own transport."""

from __future__ import annotations

import datetime as dt

from bench.clients import Settings
from bench.clients.answer import close_stream
from bench.clients.exchange import (
    MAX_BODY_BYTES,
    Exchange,
    is_event_stream,
    judge_document,
    note_fault,
    take_bytes,
)
from bench.clients.reply import Head, assemble, without_key
from bench.clients.slot import Slot, open_slot
from bench.clients.sse import SseParser
from bench.key import sealed
from bench.model import Connection, Endpoint, Reply, Request
from bench.units import NS_PER_S
from bench.wire.clock import now_ns
from bench.wire.httplib import httpx
from bench.wire.transport import Wire


class HttpClient:
    """One kept connection per endpoint for ``warm``, a new one per request for ``cold``.

    Retries, redirects, cookies, proxies and content encodings are off; streams are read to their
    end; the total deadline is the wire's own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, Slot] = {}
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
        exchange = Exchange(slot.wire.begin(deadline_ns))
        began_ns = now_ns()
        self._active = slot.wire
        try:
            _converse(slot.http, built, request, exchange, began_ns)
        except Exception as error:
            note_fault(exchange, error)
        finally:
            self._active = None
        slot.wire.finish(broken=not exchange.ended)
        return exchange

    def _build(self, http: httpx.Client, endpoint: Endpoint, request: Request) -> httpx.Request:
        headers = list(request.headers)
        if request.with_key and self._settings.key is not None:
            headers.append(("authorization", f"Bearer {self._settings.key.reveal()}"))
        url = endpoint.url + request.path
        return http.build_request(request.method, url, headers=headers, content=request.body)

    def _reply(self, exchange: Exchange, request: Request) -> Reply:
        reply = assemble(exchange, request, dt.datetime.now(dt.UTC))
        return without_key(reply, self._settings.key)


def _converse(
    http: httpx.Client,
    built: httpx.Request,
    request: Request,
    exchange: Exchange,
    began_ns: int,
) -> None:
    response = http.send(built, stream=True)
    exchange.app_ns = now_ns() - began_ns - exchange.record.lead_ns
    exchange.head = Head(response.status_code, response.http_version, response.headers)
    try:
        if request.streamed and response.is_success and is_event_stream(response.headers):
            _read_stream(response, request, exchange)
        else:
            _read_document(response, request, exchange)
    finally:
        response.close()


def _read_stream(response: httpx.Response, request: Request, exchange: Exchange) -> None:
    facts, record, parser = exchange.facts, exchange.record, SseParser()
    for chunk in response.iter_raw():
        take_bytes(exchange, request, parser, (len(record.arrivals) - 1, chunk))
        if record.bytes_in > MAX_BODY_BYTES:
            facts.fail("protocol_error", f"a stream of more than {MAX_BODY_BYTES} bytes")
            return
    exchange.ended = True
    if record.ragged_eof:
        facts.lose("truncated", "the connection ended without TLS close_notify")
    close_stream(facts)


def _read_document(response: httpx.Response, request: Request, exchange: Exchange) -> None:
    for chunk in response.iter_raw():
        exchange.body += chunk
        if len(exchange.body) > MAX_BODY_BYTES:
            exchange.facts.fail("protocol_error", f"a body of more than {MAX_BODY_BYTES} bytes")
            return
    exchange.ended = True
    judge_document(response.status_code, bytes(exchange.body), request, exchange.facts)
    if exchange.record.ragged_eof and "content-length" not in response.headers:
        exchange.facts.fail("truncated", "the connection ended without TLS close_notify")
