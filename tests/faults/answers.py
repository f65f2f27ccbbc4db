"""A right answer, in two halves, for each way in which it can be asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "cost_in_usd_ticks": 20_000_000_000}
DOCUMENT = {
    "model": "m",
    "system_fingerprint": "f",
    "choices": [{"index": 0, "message": {"content": "Earth"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
COST_USD = 2.0


@dataclass(frozen=True)
class Answer:
    """``idle`` says nothing, and could be sent for ever."""

    content_type: str
    part: bytes
    rest: bytes
    idle: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return len(self.part) + len(self.rest)


def event(**fields: object) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def token(text: str) -> bytes:
    """An event with a piece of the answer."""
    return event(
        model="m", system_fingerprint="f", choices=[{"index": 0, "delta": {"content": text}}]
    )


def finish_with(usage: object) -> bytes:
    """The last event before the end, with a usage of one's own."""
    return event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=usage)


FINISH = finish_with(USAGE)
DONE = b"data: [DONE]\n\n"
_SPOT = re.compile(
    rb'"(?:error|content|system_fingerprint)": ?"|oops|garbage|upstream|<html>|Failed'
)


def echoing(data: bytes, key: str) -> bytes:
    """``data`` with the caller's key in each text of it."""
    return _SPOT.sub(lambda spot: spot[0] + key.encode() + b" ", data) if key else data


def stream(key: str = "", usage: object = None) -> Answer:
    """A right answer in events."""
    finish = FINISH if usage is None else finish_with(usage)
    part, rest = echoing(token("Ear"), key), echoing(token("th"), key) + finish + DONE
    return Answer("text/event-stream", part, rest, b": idle\n\n")


def at_once(key: str = "", usage: object = None) -> Answer:
    """A right answer in one document."""
    document = DOCUMENT if usage is None else {**DOCUMENT, "usage": usage}
    whole = echoing(json.dumps(document).encode(), key)
    return Answer("application/json", whole[:40], whole[40:], b" ")


STREAM, AT_ONCE = stream(), at_once()


def grpc(streamed: bool, key: str = "", usage: Mapping[str, int] | None = None) -> Answer:
    """The same in the SDK's own messages; the second half is empty where there is one message."""
    usage = {**USAGE, "total_tokens": 11} if usage is None else usage
    if not streamed:
        message = _message("GetChatCompletionResponse", None, key, usage)
        return Answer("application/grpc", message, b"", b"")
    part, rest, idle = (
        _message("GetChatCompletionChunk", text, key, usage) for text in ("Ear", "th", "")
    )
    return Answer("application/grpc", part, rest, idle)


def _message(name: str, text: str | None, key: str, usage: Mapping[str, int]) -> bytes:
    proto = import_module("xai_sdk.proto")
    chat, sample = proto.chat_pb2, proto.sample_pb2
    role = chat.ROLE_ASSISTANT
    output: dict[str, Any] = {"index": 0}
    if text is None:
        output["message"] = chat.CompletionMessage(role=role, content=f"{key}Earth")
    else:
        output["delta"] = chat.Delta(role=role, content=key + text)
    if text in (None, "th"):
        output["finish_reason"] = sample.REASON_STOP
    found: bytes = getattr(chat, name)(
        id=key or "x", model="m", outputs=[output], usage=usage, system_fingerprint=key
    ).SerializeToString()
    return found
