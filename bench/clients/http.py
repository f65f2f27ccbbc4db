"""The default client: httpx over the wire's own transport."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy

from bench.clients import Settings
from bench.clients.answer import Facts, close_stream
from bench.clients.outcome import classify, clean, describe_error, parse_json
from bench.clients.readers import READERS, TakeEvent
from bench.clients.reply import Head, assemble
from bench.clients.sse import SseError, SseParser
from bench.model import Connection, Endpoint, Reply, Request
from bench.units import NS_PER_S
from bench.wire.clock import now_ns
from bench.wire.httplib import httpcore, httpx
from bench.wire.record import Record, WireFault
from bench.wire.transport import Route, Wire

MAX_BODY_BYTES = 32_000_000


@dataclass(slots=True)
class _Slot:
    """A wire with the httpx client on top of it."""

    wire: Wire
    http: httpx.Client


@dataclass(slots=True)
class Exchange:
    """All that became of one request: its marks, its head, what the answer said, what failed."""

    record: Record
    head: Head | None = None
    facts: Facts = field(default_factory=Facts)
    body: bytearray = field(default_factory=bytearray)
    app_ns: int | None = None
    done_at: int | None = None


class HttpClient:
    """One kept connection per endpoint for ``warm``, a new one per request for ``cold``.

    Retries, redirects, cookies, proxies and content encodings are off; streams are read to their
    end; the total deadline is the wire's own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, _Slot] = {}
        self._active: Wire | None = None

    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        return self.fetch(endpoint, request, connection)[0]

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

    def _slot(self, endpoint: Endpoint, connection: Connection) -> _Slot:
        if connection == "cold":
            return self._new_slot(endpoint)
        if endpoint.name not in self._kept:
            self._kept[endpoint.name] = self._new_slot(endpoint)
        return self._kept[endpoint.name]

    def _new_slot(self, endpoint: Endpoint) -> _Slot:
        settings = self._settings
        route = Route(endpoint.connect, settings.family, settings.proxy, settings.stamps)
        wire = Wire(settings.context, route, http2=settings.http2)
        http = httpx.Client(
            transport=wire.transport,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # the wire keeps one deadline for the whole request
        )
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return _Slot(wire, http)

    # One request

    def _exchange(self, slot: _Slot, endpoint: Endpoint, request: Request) -> Exchange:
        built = self._build(slot.http, endpoint, request)
        began_ns = now_ns()
        deadline_ns = began_ns + round(self._settings.timeout_s * NS_PER_S)
        exchange = Exchange(slot.wire.begin(deadline_ns))
        self._active = slot.wire
        try:
            _converse(slot.http, built, request, exchange, began_ns)
        except Exception as error:
            _note_fault(exchange, error)
        finally:
            self._active = None
        slot.wire.finish()
        return exchange

    def _build(self, http: httpx.Client, endpoint: Endpoint, request: Request) -> httpx.Request:
        headers = list(request.headers)
        if request.with_key and self._settings.key is not None:
            headers.append(("authorization", f"Bearer {self._settings.key.reveal()}"))
        url = endpoint.url + request.path
        return http.build_request(request.method, url, headers=headers, content=request.body)

    def _reply(self, exchange: Exchange, request: Request) -> Reply:
        reply = assemble(exchange, request, dt.datetime.now(dt.UTC))
        key = self._settings.key
        if key is None or reply.error is None:
            return reply
        return replace(reply, error=key.hide(reply.error))


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
        if request.streamed and response.is_success and _is_event_stream(response):
            _read_stream(response, exchange, READERS[request.kind][0])
        else:
            _read_document(response, request, exchange)
    finally:
        response.close()


def _is_event_stream(response: httpx.Response) -> bool:
    content_type: str = response.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def _read_stream(response: httpx.Response, exchange: Exchange, take: TakeEvent) -> None:
    facts, record, parser = exchange.facts, exchange.record, SseParser()
    for chunk in response.iter_raw():
        arrival = len(record.arrivals) - 1
        try:
            for event in parser.feed(chunk):
                take(facts, event, arrival)
                if facts.done and exchange.done_at is None:
                    exchange.done_at = arrival
        except SseError as error:
            facts.fail("protocol_error", str(error))
        if record.bytes_in > MAX_BODY_BYTES:
            facts.fail("protocol_error", f"a stream of more than {MAX_BODY_BYTES} bytes")
            break
    if record.ragged_eof:
        facts.lose("truncated", "the connection ended without TLS close_notify")
    close_stream(facts)


def _read_document(response: httpx.Response, request: Request, exchange: Exchange) -> None:
    for chunk in response.iter_raw():
        exchange.body += chunk
        if len(exchange.body) > MAX_BODY_BYTES:
            exchange.facts.fail("protocol_error", f"a body of more than {MAX_BODY_BYTES} bytes")
            return
    _judge_document(response.status_code, bytes(exchange.body), request, exchange.facts)
    if exchange.record.ragged_eof and "content-length" not in response.headers:
        exchange.facts.fail("truncated", "the connection ended without TLS close_notify")


def _judge_document(status: int, body: bytes, request: Request, facts: Facts) -> None:
    outcome = classify(status, body, request.kind)
    if outcome != "ok":
        facts.fail(outcome, describe_error(body))
    elif request.streamed:
        facts.fail("protocol_error", f"not an event stream: {describe_error(body)}")
    elif request.kind in READERS:
        READERS[request.kind][1](facts, body)
    elif request.kind == "models" and not isinstance(parse_json(body), dict):
        facts.fail("protocol_error", "the body is not a JSON object")


def _note_fault(exchange: Exchange, error: Exception) -> None:
    """Turn what was raised into an outcome; the text of unknown errors is not trusted."""
    record, facts = exchange.record, exchange.facts
    if isinstance(error, WireFault):
        facts.lose(error.outcome, error.detail)
        record.phase = error.phase
    elif isinstance(error, httpcore.ProxyError):
        facts.lose("connect_fail", f"the proxy refused: {clean(str(error))}")
        record.phase = "tcp"
    elif isinstance(error, httpcore.RemoteProtocolError):
        _note_protocol(record, facts, error)
    elif isinstance(error, httpcore.LocalProtocolError) and record.arrivals:
        facts.lose("protocol_error", f"httpcore gave up: {clean(str(error))}")
    elif type(error).__module__.partition(".")[0] in ("h2", "hpack", "hyperframe", "h11"):
        facts.lose("protocol_error", f"{type(error).__name__}")
    else:
        facts.lose("client_fault", type(error).__name__)


def _note_protocol(record: Record, facts: Facts, error: Exception) -> None:
    if record.eof:
        facts.lose("truncated", f"the connection ended after {record.bytes_in} bytes")
    elif "StreamReset" in str(error) or "ConnectionTerminated" in str(error):
        facts.lose("stream_error", clean(str(error)))
    else:
        facts.lose("protocol_error", clean(str(error)))
