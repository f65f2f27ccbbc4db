"""Event streams: `bench.clients.sse`."""

from __future__ import annotations

from bench.clients.sse import Event, SseError, SseParser
from tests.fuzz.promises import sentence
from tests.fuzz.shape import Shape, pieces
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """However it is cut into chunks, a stream says the same."""
    shape = Shape(data)
    size = 1 + shape.byte() % 16
    stream = shape.rest()
    whole, cut = _parse([stream]), _parse(list(pieces(stream, size)))
    assert whole == cut, f"{whole} of the whole, {cut} of chunks of {size}"


def _parse(chunks: list[bytes]) -> list[Event | str]:
    """Its events, and last what is wrong with it."""
    parser, found = SseParser(), list[Event | str]()
    for chunk in chunks:
        try:
            found += parser.feed(chunk)
        except SseError as error:
            sentence(error, "event", remedy=False)
            return [*found, str(error)]
    return found


TARGET = Target(
    "any bytes are events or one SseError, the same however they are cut",
    check,
    (b"data:", b"data: ", b"event: ", b"id: 1", b"\n\n", b"\r\n\r\n", b"\r\r", b": ", b"[DONE]")
    + (b"\xef\xbb\xbf", b"\xff", b"{}", b"retry: 1"),
)
