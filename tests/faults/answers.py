"""A right answer, in two halves, for each way in which it can be asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "cost_in_usd_ticks": 20_000_000_000}
DOCUMENT = {
    "model": "m",
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
    return event(model="m", choices=[{"index": 0, "delta": {"content": text}}])


FINISH = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=USAGE)
DONE = b"data: [DONE]\n\n"
_WHOLE = json.dumps(DOCUMENT).encode()

STREAM = Answer("text/event-stream", token("Ear"), token("th") + FINISH + DONE, b": idle\n\n")
AT_ONCE = Answer("application/json", _WHOLE[:40], _WHOLE[40:], b" ")


@cache
def grpc(streamed: bool) -> Answer:
    """The same in the SDK's own messages; the second half is empty where there is one message."""
    if not streamed:
        return Answer("application/grpc", _message("GetChatCompletionResponse"), b"", b"")
    part, rest = (_message("GetChatCompletionChunk", text) for text in ("Ear", "th"))
    return Answer("application/grpc", part, rest, _message("GetChatCompletionChunk", ""))


def _message(name: str, text: str | None = None) -> bytes:
    proto = import_module("xai_sdk.proto")
    chat, sample = proto.chat_pb2, proto.sample_pb2
    role = chat.ROLE_ASSISTANT
    output: dict[str, Any] = {"index": 0}
    if text is None:
        output["message"] = chat.CompletionMessage(role=role, content="Earth")
    else:
        output["delta"] = chat.Delta(role=role, content=text)
    if text in (None, "th"):
        output["finish_reason"] = sample.REASON_STOP
    usage = {**USAGE, "total_tokens": 11}
    found: bytes = getattr(chat, name)(
        id="x", model="m", outputs=[output], usage=usage
    ).SerializeToString()
    return found
