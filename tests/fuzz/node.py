"""The lines of the OpenAI JavaScript driver: `bench.clients.node`, `bench.clients.openai_js`."""

from __future__ import annotations

import base64
import json
from typing import Any

from bench.clients.openai_js_line import reply_of
from bench.clients.outcome import parse_json
from bench.model import Kind
from tests.fuzz.answers import NOW, request
from tests.fuzz.promises import storable
from tests.fuzz.shape import Shape, pieces
from tests.fuzz.target import Target

_KINDS: tuple[Kind, ...] = ("chat", "responses", "models")


def check(data: bytes) -> None:
    """Raw, or a likely line with what the bytes say laid over it, and an answer's bytes in it."""
    shape = Shape(data)
    asked, over = request(shape.one_of(_KINDS), stream=shape.flag()), shape.flag()
    said, _, answer = shape.rest().partition(b"\n\n")
    told = parse_json(said)
    if over and isinstance(told, dict):
        told = _likely(answer) | told
    storable(reply_of(told if isinstance(told, dict) else {}, asked, NOW))


def _likely(answer: bytes) -> dict[str, Any]:
    body = [[50 + n, base64.b64encode(piece).decode()] for n, piece in enumerate(pieces(answer, 9))]
    return {
        "phase": "body",
        "connecting": 1,
        "lookup": 2,
        "connect": 3,
        "secure": 4,
        "sent": 5,
        "head": 40,
        "status": 200,
        "headers": {"content-type": "text/event-stream"},
        "pieces": body,
        "events": [60, 70],
        "given": 45,
        "began": 0,
        "ended": 90,
        "complete": True,
    }


_NAMES = (*_likely(b""), "error", "aborted", "peer", "tls")

TARGET = Target(
    "whatever the driver says, the request is one outcome",
    check,
    tuple(json.dumps(name).encode() + b":" for name in _NAMES)
    + (
        b"{}",
        b"\n\n",
        b'{"name":"Error","message":"m","code":"ECONNRESET"}',
        b'"interrupt"',
        b"null",
    )
    + (b'[[1,"AA=="]]', b"[1]", b"true", b"NaN", b"1e999", b"9" * 30, b"-1", b'"\\ud800"', b"[[[[")
    + (
        b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
        b"data: [DONE]\n\n",
        b'"dns"',
        b'"HPE_X"',
    ),
)
