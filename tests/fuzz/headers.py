"""Every header that is interpreted, and what is done with it: `bench.clients.reply`, `manners`."""

from __future__ import annotations

import math

from bench.clients.exchange import Exchange, is_event_stream
from bench.clients.outcome import MAX_RETRY_AFTER_S
from bench.clients.reply import Head, assemble
from bench.manners import LONGEST_PAUSE_S, Manners
from bench.model import Reply, Trial
from bench.units import NS_PER_S
from bench.wire.httplib import httpx
from bench.wire.record import Record
from tests.fuzz.answers import NOW, request
from tests.fuzz.promises import storable
from tests.fuzz.shape import Shape
from tests.fuzz.target import Target, Words

NAMES: Words = (
    b"retry-after",
    b"x-metrics-ttft-ms",
    b"x-metrics-e2e-ms",
    b"cf-ray",
    b"x-request-id",
)
NAMES += (b"content-type", b"content-length")
_REQUEST = request("chat", stream=True)
_TRIAL = Trial(0, 0, "e", "chat", "warm", "httpx", False, None)


def check(data: bytes) -> None:
    """One line a header; a line without a name is the value of the one chosen by its first byte."""
    shape = Shape(data)
    status = 200 + shape.byte() * 2
    headers = httpx.Headers([_header(line) for line in shape.rest().split(b"\n")])
    exchange = Exchange(Record(deadline_ns=0), Head(status, "HTTP/1.1", headers))
    if status == 429:
        exchange.facts.fail("rate_limited", "x")
    reply = assemble(exchange, _REQUEST, NOW)
    storable(reply)
    _sane(reply)
    is_event_stream(headers)
    _patient(reply)


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b": ")
    if colon:
        return name, value
    return NAMES[(line[:1] or b"\0")[0] % len(NAMES)], line[1:]


def _sane(reply: Reply) -> None:
    for ms in (reply.server_ttft_ms, reply.server_e2e_ms):
        assert ms is None or (math.isfinite(ms) and ms >= 0), ms
    asked_s = reply.retry_after_s
    assert asked_s is None or 0 <= asked_s <= MAX_RETRY_AFTER_S, asked_s
    assert reply.edge is None or len(reply.edge) == 3, reply.edge
    assert reply.request_id is None or len(reply.request_id) <= 128


def _patient(reply: Reply) -> None:
    """Nobody waits for ever because a header says so."""
    manners = Manners()
    manners.see(_TRIAL, reply, now_ns=0)
    assert 0 <= manners.resume_ns("e") <= LONGEST_PAUSE_S * NS_PER_S


TARGET = Target(
    "any headers are values in their bounds or unknown, and no pause is longer than a minute",
    check,
    (*(name + b": " for name in NAMES), b"Wed, 21 Oct 2026 07:28:00 GMT", b"1e999", b"nan", b"-1")
    + (b"120", b"\xd9\xa1", b"-FRA", b"text/event-stream", b"+9999", b"Thu Jan  1 00:00:00 1970"),
)
