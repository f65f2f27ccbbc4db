"""HTTP/1.1 as far as the lab needs it: requests out of bytes, scripts of what to answer when.

What a request may ask for, in its query: ``id``, ``delay_ms``, and for streams ``tokens`` and
``gap_ms``. The answers have the shapes of the service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

STAMP_PLACE = b"0" * 19
"""Where the server writes the time of sending, at the last moment."""

_CHAT = "/v1/chat/completions"
_HEAD = (
    b"HTTP/1.1 200 OK\r\nserver: lab\r\nx-lab-send-ns: " + STAMP_PLACE + b"\r\n"
    b"x-lab-recv-ns: %d\r\nx-lab-rx-ns: %d\r\ncontent-type: %s\r\n"
)
_CHUNK = {"id": "lab", "object": "chat.completion.chunk", "created": 1, "model": "lab"}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and what it wants."""

    path: str
    id: str
    delay_ns: int
    streamed: bool
    tokens: int
    gap_ns: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What to send, and when: nanoseconds after the request's last segment."""

    after_ns: int
    data: bytes
    token: bool


def take_request(waiting: bytes) -> tuple[Asked, bytes] | None:
    """The first whole request in ``waiting`` and the bytes after it; None: more must come."""
    head, found, rest = waiting.partition(b"\r\n\r\n")
    if not found:
        return None
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if len(rest) < length:
        return None
    target = head.split(b" ", 2)[1].decode()
    return _asked(target, rest[:length]), rest[length:]


def _asked(target: str, body: bytes) -> Asked:
    parts = urlsplit(target)
    query = parse_qs(parts.query)

    def number(name: str, default: float) -> float:
        return float(query.get(name, [str(default)])[0])

    streamed = parts.path == _CHAT and bool(body) and bool(json.loads(body).get("stream"))
    return Asked(
        parts.path,
        query.get("id", [""])[0],
        round(number("delay_ms", 5.0) * 1e6),
        streamed,
        int(number("tokens", 4)),
        round(number("gap_ms", 5.0) * 1e6),
    )


def script(asked: Asked, rx_ns: int, recv_ns: int) -> list[Piece]:
    """The pieces of the answer in order."""
    kind = b"text/event-stream" if asked.streamed else b"application/json"
    head = _HEAD % (recv_ns, rx_ns, kind)
    if asked.streamed:
        return _stream(asked, head)
    body = _document(asked.path)
    whole = head + b"content-length: %d\r\n\r\n" % len(body) + body
    return [Piece(asked.delay_ns, whole, False)]


def _document(path: str) -> bytes:
    if path == _CHAT:
        message = {"role": "assistant", "content": "Earth"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps({**_CHUNK, "choices": [choice], "usage": _USAGE}).encode()
    return b'{"object": "list", "data": [{"id": "lab", "object": "model"}]}'


def _stream(asked: Asked, head: bytes) -> list[Piece]:
    """The head travels with the first token, the end comes one gap after the last."""
    head += b"transfer-encoding: chunked\r\n\r\n"
    token = _event({**_CHUNK, "choices": [{"index": 0, "delta": {"content": "t"}}]})
    due = [asked.delay_ns + n * asked.gap_ns for n in range(asked.tokens + 1)]
    pieces = [Piece(due[0], head + token, True)]
    pieces += [Piece(after, token, True) for after in due[1:-1]]
    finish = {"index": 0, "delta": {}, "finish_reason": "stop"}
    end = _event({**_CHUNK, "choices": [finish], "usage": _USAGE})
    return [*pieces, Piece(due[-1], end + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n", False)]


def _event(fields: object) -> bytes:
    return _chunk(b"data: " + json.dumps(fields).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
