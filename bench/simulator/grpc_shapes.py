"""The service's words in gRPC: protobuf messages in frames, statuses in trailers. Pure.

The messages are those of the stubs that xai-sdk ships. They are loaded without the SDK around
them, which takes 0.1 s instead of 0.8 s; without xai-sdk there are no words.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from bench.simulator.asked import Asked, BadBody, conversation
from bench.simulator.shapes import Answer, Headers, Refusal, Usage

GRPC = b"application/grpc"
SAMPLE = "/xai_api.Chat/GetCompletion"
STREAM = "/xai_api.Chat/GetCompletionChunk"

UNIMPLEMENTED = Refusal(501, "unimplemented", "There is no such method here.")

_UNAUTHENTICATED, _UNKNOWN = 16, 2
_STATUS = {
    400: 3,  # INVALID_ARGUMENT
    401: _UNAUTHENTICATED,
    404: 5,  # NOT_FOUND
    405: 12,  # UNIMPLEMENTED
    422: 3,
    429: 8,  # RESOURCE_EXHAUSTED
    500: 13,  # INTERNAL
    501: 12,
    503: 14,  # UNAVAILABLE
}

_PACKAGE = "bench_xai_proto"
_PREFIX = 5  # a flag that says "compressed", and the length of the message
_EFFORT, _ROLE = "EFFORT_", "ROLE_"
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if code != ord("%"))


class Words:
    """Questions and answers as framed messages."""

    def __init__(self, chat: Any, sample: Any) -> None:
        self._chat = chat
        self._finish = {"stop": sample.REASON_STOP, "length": sample.REASON_MAX_LEN}

    def read(self, body: bytes, *, streamed: bool) -> Asked:
        """The question in a request's body. Raises BadBody."""
        try:
            table = self._chat.GetCompletionsRequest.FromString(_unframe(body))
        except Exception as error:  # protobuf's DecodeError, of whichever implementation
            raise BadBody("the message cannot be decoded") from error
        effort = table.reasoning_effort if table.HasField("reasoning_effort") else None
        return Asked(
            model=table.model,
            prompt=conversation([self._turn(message) for message in table.messages]),
            streamed=streamed,
            include_usage=True,
            effort=None if effort is None else _word(self._chat.ReasoningEffort, effort, _EFFORT),
            max_tokens=table.max_tokens if table.HasField("max_tokens") else None,
        )

    def _turn(self, message: Any) -> dict[str, Any]:
        role = _word(self._chat.MessageRole, message.role, _ROLE)
        return {"role": role, "content": "".join(part.text for part in message.content)}

    def whole(self, answer: Answer) -> bytes:
        """The message of an answer that comes at once."""
        said = self._chat.CompletionMessage(
            role=self._chat.ROLE_ASSISTANT,
            content="".join(answer.content),
            reasoning_content="".join(answer.reasoning),
        )
        output = {"finish_reason": self._finish[answer.finish], "index": 0, "message": said}
        return self._framed(self._chat.GetChatCompletionResponse, answer, [output], answer.usage)

    def stream(self, answer: Answer, _asked: Asked) -> Iterator[bytes]:
        """One message per token, and one that ends it, with the usage.

        The role stands in each: the SDK takes every message's for the whole answer's.
        """
        for token in answer.reasoning:
            yield self._delta(answer, reasoning_content=token)
        for token in answer.content:
            yield self._delta(answer, content=token)
        delta = self._chat.Delta(role=self._chat.ROLE_ASSISTANT)
        last = {"delta": delta, "finish_reason": self._finish[answer.finish], "index": 0}
        yield self._framed(self._chat.GetChatCompletionChunk, answer, [last], answer.usage)

    def _delta(self, answer: Answer, **text: str) -> bytes:
        delta = self._chat.Delta(role=self._chat.ROLE_ASSISTANT, **text)
        return self._framed(
            self._chat.GetChatCompletionChunk, answer, [{"delta": delta, "index": 0}]
        )

    def _framed(
        self, kind: Any, answer: Answer, outputs: list[dict[str, Any]], usage: Usage | None = None
    ) -> bytes:
        message = kind(
            id=str(answer.id),
            outputs=outputs,
            created={"seconds": answer.created},
            model=answer.model.id,
            system_fingerprint=answer.model.fingerprint,
            usage=None if usage is None else _usage(usage),
        )
        return _frame(message.SerializeToString())


def load() -> Words | None:
    """The words of the installed xai-sdk's stubs; None without it, or when they cannot be had."""
    try:
        found = importlib.util.find_spec("xai_sdk")
        if found is None or not found.submodule_search_locations:
            return None
        major = import_module("google.protobuf").__version__.partition(".")[0]
        folder = (
            Path(found.submodule_search_locations[0]) / "proto" / f"v{5 if major == '5' else 6}"
        )
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(folder)]
        sys.modules[_PACKAGE] = package
        return Words(import_module(f"{_PACKAGE}.chat_pb2"), import_module(f"{_PACKAGE}.sample_pb2"))
    except Exception as error:  # the SDK is another's, and REST must be served without it
        sys.stderr.write(f"no gRPC: xai-sdk's stubs cannot be loaded: {error!r}\n")
        return None


def trailers(refusal: Refusal | None) -> Headers:
    """How a call ended, in its last headers."""
    if refusal is None:
        return [(b"grpc-status", b"0")]
    text = refusal.error or refusal.content().decode("utf-8", "replace")
    return [
        (b"grpc-status", str(status(refusal)).encode()),
        (b"grpc-message", quote(text, safe=_PRINTABLE).encode()),
    ]


def status(refusal: Refusal) -> int:
    """The gRPC status of what REST refuses; a wrong key is a 400 there, and told apart here."""
    if "API key" in refusal.error:
        return _UNAUTHENTICATED
    return _STATUS.get(refusal.status, _UNKNOWN)


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt,
        "prompt_text_tokens": usage.prompt,
        "cached_prompt_text_tokens": usage.cached,
        "completion_tokens": usage.completion,
        "reasoning_tokens": usage.reasoning,
        "total_tokens": usage.prompt + usage.completion + usage.reasoning,
        "cost_in_usd_ticks": usage.ticks,
    }


def _word(kind: Any, number: int, prefix: str) -> str:
    """An enumeration's value as REST spells it; an unknown one by its number."""
    known = number in kind.values()
    return kind.Name(number).removeprefix(prefix).lower() if known else str(number)


def _frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def _unframe(body: bytes) -> bytes:
    if len(body) < _PREFIX or body[0] or int.from_bytes(body[1:_PREFIX], "big") != len(body) - 5:
        raise BadBody("expected one uncompressed message")
    return body[_PREFIX:]
