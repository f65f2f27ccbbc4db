"""A server that says the caller's key back, in every place where a server can say anything.

HTTP/1.1, HTTP/2 and gRPC on one port; an endpoint's path chooses the way: ``/redirect/v1/…``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from hpack import Decoder
from hyperframe.frame import Frame, HeadersFrame

from tests.faults.answers import DONE, FINISH, STREAM, event, grpc, token
from tests.faults.speech import Grpc, Headers, Http1, Http2, Voice

_STREAM_HEAD = ("content-type", STREAM.content_type)


@dataclass
class Heard:
    """What was asked, and how often."""

    port: int = 0
    keys: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)
    chats: int = 0
    on_chat: Callable[[], None] = field(default=lambda: None)

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"


# The ways: what is said back is the Authorization header as it came, and other writings of it


def _everywhere(voice: Voice, key: str) -> None:
    """A good stream whose every field is the key."""
    names = ("x-request-id", "x-metrics-ttft-ms", "retry-after", "x-echo", "set-cookie", "server")
    voice.head(200, [_STREAM_HEAD, *((name, key) for name in names), ("cf-ray", f"1-{key}")])
    said = {"id": key, "model": key, "system_fingerprint": key}
    voice.body(event(**said, choices=[{"index": 0, "delta": {"content": key}}]))
    voice.body(event(**said, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]) + DONE)
    voice.end()


def _error(message: Callable[[str], str]) -> Callable[[Voice, str], None]:
    def say(voice: Voice, key: str) -> None:
        body = json.dumps({"code": "bad", "error": message(key)}).encode()
        voice.refuse(401, body, [("content-type", "application/json"), ("x-request-id", key)])

    return say


def _page(voice: Voice, key: str) -> None:
    voice.refuse(502, f"<h1>{key}</h1>".encode(), [("content-type", "text/html")])


def _redirect(voice: Voice, key: str) -> None:
    place = f"https://elsewhere.test/?key={quote(key)}"
    voice.refuse(307, key.encode(), [("location", place)])


def _in_stream(voice: Voice, key: str) -> None:
    voice.head(200, [_STREAM_HEAD])
    voice.body(token("Earth") + event(code=key, error=f"Incorrect API key: {key}"))
    voice.end()


def _not_json(voice: Voice, key: str) -> None:
    voice.head(200, [_STREAM_HEAD])
    voice.body(f"event: {key}\ndata: {key}\n\n".encode())
    voice.end()


def _bare(text: str) -> Callable[[Voice, str], None]:
    """Bytes of HTTP/1.1, right or wrong; as a body in HTTP/2."""

    def say(voice: Voice, key: str) -> None:
        if isinstance(voice, Http2):
            return _page(voice, key)
        voice.raw(text.replace("KEY", key).encode())
        raise ConnectionError  # and ends

    return say


_CHUNKED = (
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_WHOLE = (token("Earth") + FINISH + DONE).decode()

WAYS: dict[str, Callable[[Voice, str], None]] = {
    "everywhere": _everywhere,
    "plain": _error(lambda key: f"Incorrect API key provided: {key}. See the console."),
    "base64": _error(lambda key: base64.b64encode(f"<{key}>".encode()).decode()),
    "hex": _error(lambda key: key.encode().hex().upper()),
    "url": _error(lambda key: quote(key, safe="")),
    "long": _error(lambda key: "x" * 200 + key),
    "part": _error(lambda key: f"{key[:24]}… is no key"),
    "page": _page,
    "redirect": _redirect,
    "in-stream": _in_stream,
    "not-json": _not_json,
    "status-line": _bare("HTTP/1.1 500 KEY\r\ncontent-length: 0\r\n\r\n"),
    "no-status": _bare("KEY\r\n\r\n"),
    "no-colon": _bare("HTTP/1.1 200 OK\r\nKEY\r\n\r\n"),
    "chunk-size": _bare(f"{_CHUNKED}KEY\r\n"),
    "trailers": _bare(f"{_CHUNKED}{len(_WHOLE):x}\r\n{_WHOLE}\r\n0\r\nx-echo: KEY\r\n\r\n"),
}
"""Of each endpoint's chat; every list of models is right, with the key among the names."""


def _models(voice: Voice, key: str) -> None:
    body = json.dumps({"data": [{"id": "m"}, {"id": key}]}).encode()
    voice.refuse(200, body, [("content-type", "application/json"), ("x-echo", key)])


def _grpc(voice: Voice, key: str, turn: int) -> None:
    if turn % 3 == 0:
        voice.refuse(401, f"Incorrect API key {key}".encode(), [("x-request-id", key)])
    elif turn % 3 == 1:
        voice.refuse(502, f"<h1>{key}</h1>".encode(), [("content-type", "text/html")])
    else:
        answer = grpc(streamed=True)
        voice.head(200, [("content-type", "application/grpc"), ("x-request-id", key)])
        voice.body(answer.part)
        voice.body(answer.rest)
        voice.end()


# Voices that remember who asked what


class _One(Http1):
    said: dict[str, str]

    def hear(self) -> bool:
        try:
            first, *lines = self._reader.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            pairs = (line.partition(": ") for line in lines)
            self.said = {name.lower(): value for name, _, value in pairs}
            self.said[":path"] = first.split(" ")[1]
            self._reader.exactly(int(self.said.get("content-length", 0)))
        except OSError:
            return False
        return True


class _Two(Grpc):
    """gRPC to those who ask for it, plain HTTP/2 to others."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.said: dict[str, str] = {}
        self._decoder = Decoder()

    @property
    def calls(self) -> bool:
        """Whether this is a gRPC call."""
        return self.said.get("content-type", "").startswith("application/grpc")

    def hear(self) -> bool:
        self.said = {}
        return super().hear()

    def body(self, data: bytes) -> None:
        (Grpc if self.calls else Http2).body(self, data)

    def end(self) -> None:
        (Grpc if self.calls else Http2).end(self)

    def refuse(self, status: int, content: bytes, headers: Headers = ()) -> None:
        (Grpc if self.calls else Http2).refuse(self, status, content, headers)

    def _next(self) -> Frame:
        frame = super()._next()
        if isinstance(frame, HeadersFrame):
            found = self._decoder.decode(frame.data)
            self.said |= {str(name): str(value) for name, value in found}
        return frame


@contextmanager
def echo_server(context: ssl.SSLContext) -> Iterator[Heard]:
    """Serve until the block ends."""
    context.set_alpn_protocols(["h2", "http/1.1"])
    heard, live = Heard(), list[socket.socket]()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    heard.port = listener.getsockname()[1]

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                live.append(sock)
                threading.Thread(target=_serve, args=(sock, context, heard), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield heard
    finally:
        for sock in (listener, *live):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        acceptor.join(5)


def _serve(raw: socket.socket, context: ssl.SSLContext, heard: Heard) -> None:
    raw.settimeout(30)
    with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as sock:
        voice = _Two(sock) if sock.selected_alpn_protocol() == "h2" else _One(sock)
        while voice.hear():
            _answer(voice, heard)


def _answer(voice: _One | _Two, heard: Heard) -> None:
    key, path = voice.said.get("authorization", "").removeprefix("Bearer "), voice.said[":path"]
    heard.keys.add(key)
    if path.endswith("/models"):
        return _models(voice, key)
    way = "grpc" if isinstance(voice, _Two) and voice.calls else path.split("/")[1]
    heard.ways.add(way)
    heard.chats += 1
    heard.on_chat()
    return _grpc(voice, key, heard.chats) if way == "grpc" else WAYS[way](voice, key)
