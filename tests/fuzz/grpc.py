"""Replies in gRPC, messages and refusals: `bench.clients.xai_sdk`, `grpc_reply`, `grpc_outcome`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from bench.clients import Settings
from bench.clients.grpc_outcome import _BY_CODE
from bench.clients.xai_sdk import XaiSdkClient
from bench.key import Key
from bench.model import Endpoint
from bench.wire.trust import trust
from tests.fuzz.answers import request
from tests.fuzz.promises import storable
from tests.fuzz.shape import Shape
from tests.fuzz.target import Target

_CODES = (*_BY_CODE, "UNAVAILABLE", "INTERNAL", "UNKNOWN", "OK", "CANCELLED")
_ENDPOINT = Endpoint("e", "https://a.test")


def check(data: bytes) -> None:
    """Messages, each with its length in two bytes before it; then perhaps a refusal in words."""
    shape = Shape(data)
    stream, refused, code = shape.flag(), shape.byte() % 4 == 1, shape.one_of(_CODES)
    messages, words = _split(shape.rest())
    ending = _refusal(code, words) if refused else None
    client = _client()
    client._kept = {"e": _Kept(_Chat(messages, ending))}  # type: ignore[dict-item]  # no channel
    storable(client.send(_ENDPOINT, request("chat", stream=stream), "warm"))


def _split(data: bytes) -> tuple[list[bytes], bytes]:
    found = []
    while len(data) > 2 and (size := data[0] | (data[1] & 3) << 8):
        found.append(data[2 : 2 + size])
        data = data[2 + size :]
    return found, data[2:]


@cache
def _client() -> XaiSdkClient:
    return XaiSdkClient(Settings(trust(None), Key("a-key"), 1.0))


@cache
def _error() -> type[Exception]:
    """A call that failed, as the library raises it."""

    class Refusal(_client()._sdk.error):  # type: ignore[misc]  # known at run time
        def __init__(self, code: str, words: bytes) -> None:
            text, *pairs = words.split(b"\n")
            self._code, self._text = code, text.decode("utf-8", "surrogateescape")
            self._pairs = [
                SimpleNamespace(key=k.decode("latin-1"), value=_value(k, v))
                for k, _, v in (pair.partition(b"=") for pair in pairs)
            ]

        def code(self) -> Any:
            return SimpleNamespace(name=self._code)

        def details(self) -> str:
            return self._text

        def initial_metadata(self) -> list[Any]:
            return self._pairs[:1]

        def trailing_metadata(self) -> list[Any]:
            return self._pairs[1:]

    return Refusal


def _value(key: bytes, value: bytes) -> str | bytes:
    """Bytes for names that say so, as the library does it."""
    return value if key.endswith(b"-bin") else value.decode("latin-1")


def _refusal(code: str, words: bytes) -> Exception:
    return _error()(code, words)


@dataclass
class _Chat:
    """What the SDK's chat does once its channel has given it bytes."""

    messages: list[bytes]
    ending: Exception | None

    def stream(self) -> Iterator[tuple[Any, Any]]:
        from xai_sdk import chat
        from xai_sdk.proto import chat_pb2

        response = chat.Response(chat_pb2.GetChatCompletionResponse(), 0)
        for message in self.messages:
            proto = chat_pb2.GetChatCompletionChunk.FromString(message)
            response.process_chunk(proto)
            yield response, chat.Chunk(proto, 0)
        if self.ending is not None:
            raise self.ending

    def sample(self) -> Any:
        from xai_sdk import chat
        from xai_sdk.proto import chat_pb2

        if self.ending is not None:
            raise self.ending
        proto = chat_pb2.GetChatCompletionResponse.FromString(b"".join(self.messages))
        return chat.Response(proto, 0)


@dataclass
class _Kept:
    """A line that stands, without a channel."""

    chat: _Chat
    cancelled: bool = False
    visible: bool = True

    @property
    def client(self) -> Any:
        return SimpleNamespace(chat=SimpleNamespace(create=lambda **_: self.chat))

    def peer(self) -> None:
        return None

    def close(self) -> None:
        """Nothing is open."""


TARGET = Target(
    "whatever messages and refusals come, the call is one outcome",
    check,
    (
        b"\x0a\x05hello",
        b"\x08\x01",
        b"\x12\x00",
        b"\x20\x00",
        b"retry-after=",
        b"x-request-id=",
        b"\n",
    )
    + (
        b"Socket closed",
        b"failed to connect",
        b"Received http2 header with status: 503",
        b"cf-ray=",
    )
    + (
        b"stream removed (",
        b"handshake",
        b"x-bin=\xff",
        b"\xff\xff\xff\xff\x7f",
        b"api key",
        b"GOAWAY",
    ),
)
