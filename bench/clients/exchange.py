"""What became of one request, whichever client sent it: bytes of an answer → facts, faults → words.

Every HTTP client classifies what came back with these, so that an outcome means the same thing
whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.clients.answer import Facts, close_stream
from bench.clients.outcome import classify, clean, describe_error, parse_json
from bench.clients.readers import READERS
from bench.clients.reply import Head
from bench.clients.sse import SseError, SseParser
from bench.model import Request
from bench.wire.httplib import httpcore
from bench.wire.record import Record, WireFault

MAX_BODY_BYTES = 32_000_000

Piece = tuple[int, bytes]
"""Bytes of a body, and the number of the arrival that they came with."""


@dataclass(slots=True)
class Exchange:
    """All that became of one request: its marks, its head, what the answer said, what failed.

    ``ended`` is whether the answer came to its end, whatever it said.
    """

    record: Record
    head: Head | None = None
    facts: Facts = field(default_factory=Facts)
    body: bytearray = field(default_factory=bytearray)
    app_ns: int | None = None
    done_at: int | None = None
    ended: bool = False


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Whether a response says that its body is server-sent events."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"


def streams(request: Request, head: Head) -> bool:
    """Whether this response is the stream that was asked for."""
    return request.streamed and 200 <= head.status < 300 and is_event_stream(head.headers)


def take_answer(
    exchange: Exchange, request: Request, pieces: Iterable[Piece], *, whole: bool
) -> None:
    """Judge a body that was gathered before; ``whole`` says whether it came to its end."""
    head = exchange.head
    if head is None:
        return
    exchange.ended = whole
    if streams(request, head):
        take_events(exchange, request, pieces)
        if whole:
            close_stream(exchange.facts)
        return
    exchange.body += b"".join(data for _, data in pieces)
    if whole:
        judge_document(head.status, bytes(exchange.body), request, exchange.facts)


def take_events(exchange: Exchange, request: Request, pieces: Iterable[Piece]) -> None:
    """Take the events of a stream, each with the piece that completed it."""
    facts, parser, take_event = exchange.facts, SseParser(), READERS[request.kind][0]
    for arrival, data in pieces:
        try:
            for event in parser.feed(data):
                take_event(facts, event, arrival)
                if facts.done and exchange.done_at is None:
                    exchange.done_at = arrival
        except SseError as error:
            facts.fail("protocol_error", str(error))


def judge_document(status: int, body: bytes, request: Request, facts: Facts) -> None:
    """Judge an answer that came at once, by its status and body."""
    outcome = classify(status, body, request.kind)
    if outcome != "ok":
        facts.fail(outcome, describe_error(body))
    elif request.streamed:
        facts.fail("protocol_error", f"not an event stream: {describe_error(body)}")
    elif request.kind in READERS:
        READERS[request.kind][1](facts, body)
    elif request.kind == "models" and not isinstance(parse_json(body), dict):
        facts.fail("protocol_error", "the body is not a JSON object")


def note_fault(exchange: Exchange, error: BaseException) -> None:
    """Turn what the wire raised into an outcome; the text of unknown errors is not trusted."""
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
    elif _is_artefact(error.args[0]):
        facts.lose("client_fault", "httpcore gives up an answer at a graceful GOAWAY")
    elif "StreamReset" in str(error) or "ConnectionTerminated" in str(error):
        facts.lose("stream_error", clean(str(error)))
    else:
        facts.lose("protocol_error", clean(str(error)))


def _is_artefact(event: object) -> bool:
    """A GOAWAY that lets the streams which have begun end well, and httpcore does not."""
    return getattr(event, "error_code", None) == 0 and bool(getattr(event, "last_stream_id", 0))
