"""What a server may say before, within and after TLS, and as HTTP: `bench.wire`, `clients.http`."""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import trustme

from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.key import Key
from bench.model import Endpoint, Kind, Request
from bench.wire.trust import trust
from tests.fuzz.answers import request
from tests.fuzz.line import ENDS, Damage, Line, Plain, Speak, Tls
from tests.fuzz.promises import storable
from tests.fuzz.shape import Shape
from tests.fuzz.target import Target, Words

_HOST = "a.test"
_KINDS: tuple[Kind, ...] = ("chat", "responses", "models", "edge")
_SIZES = (0, 1, 2, 7, 64, 1000)


def check_tls(data: bytes) -> None:
    """A real server whose handshake or records are damaged, or none at all."""
    shape = Shape(data)
    asked, size, end, raw = _asked(shape), shape.one_of(_SIZES), shape.one_of(ENDS), shape.flag()
    at, gone = shape.byte() << 4 | shape.byte() & 15, shape.byte() << 2
    words = shape.rest()

    def speak() -> Speak:
        if raw:
            return Plain(words)
        return Tls(_server(http2=False), _ANSWER, Damage(at, gone, words))

    _ask(f"https://{_HOST}", asked, speak, size, end)


def check_http1(data: bytes) -> None:
    """Any bytes for an answer, in the clear."""
    shape = Shape(data)
    asked, size, end = _asked(shape), shape.one_of(_SIZES), shape.one_of(ENDS)
    words = shape.rest()
    _ask(f"http://{_HOST}", asked, lambda: Plain(words), size, end)


def check_http2(data: bytes) -> None:
    """Any bytes for frames, in real TLS."""
    shape = Shape(data)
    asked, size, end = _asked(shape), shape.one_of(_SIZES), shape.one_of(ENDS)
    words = shape.rest()

    def speak() -> Tls:
        return Tls(_server(http2=True), words, None)

    _ask(f"https://{_HOST}", asked, speak, size, end, http2=True)


def _asked(shape: Shape) -> Request:
    return request(shape.one_of(_KINDS), stream=shape.flag())


def _ask(url: str, asked: Request, speak: Any, size: int, end: str, *, http2: bool = False) -> None:
    """Two requests of one kept connection: each is one outcome and a row that can be stored."""
    client = HttpClient(_settings(http2=http2))
    endpoint = Endpoint("e", url, connect="127.0.0.1:1")

    def connect(addresses: object, record: Any) -> Any:
        record.tcp_ns, record.peer_ip = 1, "127.0.0.1"
        return Line(speak(), size, end)

    with mock.patch("bench.wire.transport.race", connect):
        for _ in range(2):
            storable(client.send(endpoint, asked, "warm"))
        client.close()


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _settings(*, http2: bool) -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ca.pem"
        _authority().cert_pem.write_to_path(str(file))
        return Settings(trust(file), Key("a-key"), 3600.0, http2, stamps=False)


@cache
def _server(*, http2: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(_HOST).configure_cert(context)
    if http2:
        context.set_alpn_protocols(["h2"])
    return context


_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"

_HTTP: Words = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 429 x\r\n",
    b"\r\n\r\n",
)
_HTTP += (b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")
_HTTP += (b"content-type: text/event-stream\r\n", b"content-type: application/json\r\n", b"\x00")
_HTTP += (
    b"data: [DONE]\n\n",
    b'{"data":[]}',
    b"connection: close\r\n",
    b"location: http://b.test\r\n",
)
_HTTP += (b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 103 x\r\n\r\n", b"HTTP/1.1 101 x\r\n", b"\xff", b"-1")
_HTTP += (b"HTTP/1.1 204 No Content\r\n\r\n", b"content-encoding: gzip\r\n", b"retry-after: 1\r\n")
_RECORDS: Words = (
    b"\x16\x03\x03",
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"\x17\x03\x03",
    b"\x14\x03\x03\x00\x01",
)
_RECORDS += (b"\x02\x00\x00", b"\x03\x04", b"\x13\x01", b"HTTP/1.1 400 x\r\n\r\n", b"\x16\x03\x01")
_FRAMES: Words = (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"\x00\x00\x00\x04\x01\x00\x00\x00\x00")
_FRAMES += (
    b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88",
    b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88",
)
_FRAMES += (b"\x00\x00\x02\x00\x01\x00\x00\x00\x01{}", b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00")
_FRAMES += (b"\x00\x00\x08\x07\x00\x00\x00\x00\x00", b"\x00\x00\x04\x08\x00\x00\x00\x00\x00")
_FRAMES += (b"\x00\x00\x08\x06\x00\x00\x00\x00\x00", b"\x88", b"\x7f\xff\xff\xff", b"\x0f\x10")

TLS = Target(
    "whatever a server does to TLS, each request is one outcome",
    check_tls,
    _RECORDS,
)
HTTP1 = Target(
    "whatever a server says in HTTP/1.1, in whatever pieces, each request is one outcome",
    check_http1,
    _HTTP,
)
HTTP2 = Target(
    "whatever frames a server sends, each request is one outcome",
    check_http2,
    _FRAMES,
)
