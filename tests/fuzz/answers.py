"""Replies of the service: `bench.clients.answer`, `responses`, `exchange`, `reply`."""

from __future__ import annotations

import datetime as dt
from functools import partial

from bench.clients.exchange import Exchange, take_answer
from bench.clients.reply import Head, assemble
from bench.model import Kind, Request
from bench.plan import make_plan
from bench.request import build_request
from bench.wire.record import Arrival, Record
from tests.fuzz.promises import storable
from tests.fuzz.shape import Shape, pieces
from tests.fuzz.target import Target, Words

NOW = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)
_STATUSES = (200, 200, 200, 201, 400, 401, 403, 404, 418, 429, 500, 503, 302, 101, 600, 999)
_TYPES = ("text/event-stream", "application/json", "Text/Event-Stream; charset=x", "")


def request(kind: Kind, *, stream: bool) -> Request:
    """What is asked; the same for every input."""
    plan = make_plan(stream=stream)
    return build_request(kind, plan, api="/v1", model="m", parameters={}, nonce="")


def check(kind: Kind, data: bytes) -> None:
    """One outcome, and a row that can be stored."""
    shape = Shape(data)
    stream = shape.flag()
    status, form = shape.one_of(_STATUSES), shape.one_of(_TYPES)
    whole, size = shape.flag(), shape.byte()
    exchange = Exchange(_record(), Head(status, "HTTP/1.1", {"content-type": form}))
    chunks = list(enumerate(pieces(shape.rest(), size)))
    exchange.record.arrivals += [Arrival(9 + n, None, None) for n in range(len(chunks) + 1)]
    take_answer(exchange, request(kind, stream=stream), chunks, whole=whole)
    if not whole:
        exchange.facts.lose("truncated", "the connection ended")
    storable(assemble(exchange, request(kind, stream=stream), NOW))


def _record() -> Record:
    return Record(deadline_ns=0, sent_ns=1, first=0, send_ns=1, send_final=True)


_JSON: Words = (b"null", b"true", b"[]", b"{}", b"[{", b"}]", b'"\\ud800"', b"1e999", b"-1", b"NaN")
_COMMON: Words = (
    b'"error":',
    b'"code":',
    b'"message":',
    b'"model":',
    b'"usage":',
    b"[DONE]",
    b"data: ",
)
_CHAT: Words = (
    b'"choices":',
    b'"delta":',
    b'"content":',
    b'"reasoning_content":',
    b'"finish_reason":',
)
_CHAT += (b'"prompt_tokens":', b'"completion_tokens_details":', b'"cost_in_usd_ticks":')
_RESPONSES: Words = (
    b'"type":',
    b'"response":',
    b'"response.completed"',
    b'"response.failed"',
    b'"text":',
)
_RESPONSES += (b'"response.output_text.delta"', b'"delta":', b'"output":', b'"status":"completed"')
_RESPONSES += (b'"output_tokens":', b'"output_tokens_details":', b'"reasoning_tokens":')

CHAT = Target(
    "any answer to a chat request is one outcome and a row that can be stored",
    partial(check, "chat"),
    (*_JSON, *_COMMON, *_CHAT),
)
RESPONSES = Target(
    "any answer to a /v1/responses request is one outcome and a row that can be stored",
    partial(check, "responses"),
    (*_JSON, *_COMMON, *_RESPONSES),
)
