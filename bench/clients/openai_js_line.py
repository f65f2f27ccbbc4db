"""The line that the driver of the OpenAI JavaScript SDK answers with → the flat `Reply`. Pure."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from bench.clients.exchange import Exchange, Piece, streams, take_answer
from bench.clients.handed import HandedUp, as_handed_up
from bench.clients.outcome import clean
from bench.clients.reply import Head, assemble, short
from bench.model import Reply, Request
from bench.wire.record import Arrival, Record

_RESETS = ("ECONNRESET", "EPIPE")
_Ns = Annotated[int, Field(strict=True, ge=0, lt=2**62)]
"""A mark of Node's clock."""


class _Error(BaseModel):
    code: str = ""
    name: str = "Error"
    message: str = ""


class _Line(BaseModel):
    """What the driver says of one request; a mark that was not reached is absent."""

    phase: Literal["dns", "tcp", "tls", "send", "ttfb", "body"]
    began: _Ns
    ended: _Ns
    connecting: _Ns | None = None
    lookup: _Ns | None = None
    connect: _Ns | None = None
    secure: _Ns | None = None
    sent: _Ns | None = None
    head: _Ns | None = None
    given: _Ns | None = None
    pieces: list[tuple[_Ns, str]]
    events: list[_Ns]
    status: Annotated[int, Field(strict=True, ge=100, le=999)] | None = None
    headers: dict[str, str] = {}
    complete: bool
    aborted: str | None = None
    error: _Error | None = None
    peer: str | None = None
    tls: str | None = None


def reply_of(told: Mapping[str, Any], request: Request, now: dt.datetime) -> Reply:
    """The flat reply; ``now`` turns a Retry-After date into seconds.

    A line that is none is the client's fault, and nobody else's.
    """
    try:
        line = _Line.model_validate(told)
        pieces = [
            (n, base64.b64decode(text, validate=True)) for n, (_, text) in enumerate(line.pieces, 1)
        ]
    except (ValidationError, ValueError, RecursionError):
        return Reply(outcome="client_fault", error="the driver of the SDK told nonsense")
    exchange = _understand(line, pieces, request)
    exchange.record.cancelled = line.aborted == "interrupt"
    reply = assemble(exchange, request, now)
    handed = HandedUp(line.began, line.events, line.ended)
    reply = as_handed_up(reply, request, pieces, handed)
    layer = None if reply.ttfb_layer is None else "app"
    return replace(reply, ttfb_layer=layer, ttfb_app_ns=_app(line, exchange), ttfb_socket_ns=None)


def _understand(line: _Line, pieces: list[Piece], request: Request) -> Exchange:
    """What the driver told, as marks, head and facts."""
    exchange = Exchange(_record(line))
    if line.status is not None:
        exchange.head = Head(line.status, "HTTP/1.1", line.headers)
    take_answer(exchange, request, pieces, whole=line.complete)
    streamed = exchange.head is not None and streams(request, exchange.head)
    if not streamed and exchange.record.arrivals:
        exchange.record.arrivals.append(Arrival(line.ended, None, None))
    exchange.record.bytes_in = sum(len(data) for _, data in pieces)
    if exchange.facts.outcome is None and (exchange.head is None or not line.complete):
        exchange.facts.lose(*_fault(line))
    elif exchange.facts.outcome is None and line.error is not None:
        exchange.facts.fail("client_fault", line.error.name)
    return exchange


def _fault(line: _Line) -> tuple[str, str]:
    """Outcome and words for a request that the transport broke or that was ended."""
    if line.aborted:
        return "timeout", "the deadline passed"
    error = line.error or _Error(name="the body did not end")
    words = clean(f"{error.code or error.name}: {error.message}")
    return _outcome(error.code, line.phase), words


def _outcome(code: str, phase: str) -> str:
    """By the phase that was reached, then by the system's, undici's or the parser's code."""
    before = {"dns": "dns_fail", "tcp": "connect_fail", "tls": "tls_fail"}
    if phase in before:
        return before[phase]
    if not code:
        return "client_fault"
    if code.startswith(("HPE_", "UND_ERR_HEADERS_OVERFLOW", "TOO_LARGE")):
        return "protocol_error"
    return "stream_error" if code in _RESETS and phase != "body" else "truncated"


def _record(line: _Line) -> Record:
    record = Record(deadline_ns=0, phase=line.phase, reused=line.connecting is None)
    record.dns_ns = _between(line.connecting, line.lookup)
    begun = line.connecting if line.lookup is None else line.lookup
    record.tcp_ns = _between(begun, line.connect)
    record.tls_ns = _between(line.connect, line.secure)
    record.peer_ip, record.tls_version = short(line.peer), short(line.tls)
    record.sent_ns = line.sent
    if record.sent_ns is None or line.head is None:
        return record
    stamps = [line.head, *(at_ns for at_ns, _ in line.pieces)]
    record.arrivals = [Arrival(ns, None, None) for ns in stamps]
    record.first = 0
    return record


def _between(first_ns: int | None, last_ns: int | None) -> int | None:
    """Nanoseconds from one mark to another; any may be missing."""
    return None if first_ns is None or last_ns is None else last_ns - first_ns


def _app(line: _Line, exchange: Exchange) -> int | None:
    span = _between(line.began, line.given)
    return None if span is None else span - exchange.record.lead_ns
