"""What curl writes: heads and body on stdout, its own JSON on stderr, and an exit code."""

from __future__ import annotations

from bench.clients.curl import _Told, _understand
from bench.clients.reply import assemble
from bench.model import Kind
from tests.fuzz.answers import NOW, request
from tests.fuzz.promises import storable
from tests.fuzz.shape import Shape, pieces
from tests.fuzz.target import Target

_CODES = (0, 0, 0, 5, 6, 7, 18, 28, 35, 52, 55, 56, 92, 97, 255)
_KINDS: tuple[Kind, ...] = ("chat", "responses", "models", "edge")


def check(data: bytes) -> None:
    """The report, an empty line, and the answer."""
    shape = Shape(data)
    asked = request(shape.one_of(_KINDS), stream=shape.flag())
    code, pinned, size = shape.one_of(_CODES), shape.flag(), shape.byte()
    report, _, answer = shape.rest().partition(b"\n\n")
    out = [(10 + n, piece) for n, piece in enumerate(pieces(answer, size))]
    told = _Told(out=out, err=[(999, report)] if report else [], code=code)
    told.overdue, told.too_large = code == 28 and size == 1, code == 18 and size == 1
    storable(assemble(_understand(told, asked, pinned=pinned), asked, NOW))


TARGET = Target(
    "whatever curl says and however it ends, the request is one outcome",
    check,
    (
        b'{"time_total":1.5,"time_starttransfer":1,"time_pretransfer":0.5}',
        b'"time_connect":',
        b"NaN",
    )
    + (b'"time_namelookup":', b'"time_appconnect":', b'"http_version":"1.1"', b'"remote_ip":"::1"')
    + (b'"errormsg":"x"', b"Infinity", b"1e999", b"9" * 30, b"-1", b"true", b"null", b"[]", b"{}")
    + (
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/2 100 \r\n\r\n",
        b"content-type: text/event-stream\r\n",
        b"\n\n",
    )
    + (
        b"\r\n\r\n",
        b"data: [DONE]\n\n",
        b"retry-after: 1\r\n",
        b'"\\ud800"',
        b"HTTP/1.1 99999999 x",
    ),
)
