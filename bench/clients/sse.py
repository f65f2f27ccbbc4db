"""Server-sent events, incrementally: bytes in, the data of whole events out.

Follows the parsing rules of the HTML standard's "Server-sent events" section for what an API
sends: ``data`` and ``event`` fields, comments, any of the three line ends, a byte order mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_EVENT_BYTES = 4_000_000
_LINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_USUAL = b"data: "
_END = b"\n\n"


class SseError(ValueError):
    """The bytes are not an event stream; the text says why."""


class Event(NamedTuple):
    """One event: its data lines joined by newlines, and its type."""

    data: str
    type: str = "message"


class SseParser:
    """Feed it chunks as they come; it gives the events that became complete with each."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._half = b""
        self._data: list[bytes] = []
        self._type = ""
        self._size = 0
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Events completed by ``chunk``, those before a fault too: then it raises SseError, for bad
        UTF-8 or an endless event. Only what is new is looked at: lines may come in drips."""
        if self._is_usual(chunk):
            self._begun = True
            self._data.append(chunk[len(_USUAL) : -len(_END)])
            if (event := self._dispatch()) is not None:
                yield event
            return
        *ends, rest = self._split(chunk)
        for end in ends:
            self._count(end)
            line = self._joined(end) if self._pieces else end
            if line.startswith(_USUAL):  # half of all lines are, the other half are empty
                self._begun = True
                self._data.append(line[len(_USUAL) :])
            elif (event := self._take(line)) is not None:
                yield event
        if rest:
            self._count(rest)
            self._pieces.append(rest)

    def _is_usual(self, chunk: bytes) -> bool:
        """Whether it is one line that ends an event, and no part of a line waits: as nearly all."""
        return (
            chunk.startswith(_USUAL)
            and chunk.find(b"\n") == len(chunk) - len(_END)
            and chunk.endswith(_END)
            and self._size + len(chunk) <= MAX_EVENT_BYTES
            and b"\r" not in chunk
            and not (self._pieces or self._half)
        )

    def _split(self, chunk: bytes) -> list[bytes]:
        """The lines that end in ``chunk``, as far as they are in it, and what is after them."""
        if self._half or b"\r" in chunk:
            waiting = self._half + chunk
            # A last \r may be half of \r\n, whose \n would look like an empty line: it waits.
            self._half = b"\r" if waiting.endswith(b"\r") else b""
            return _LINE.split(waiting.removesuffix(b"\r"))
        return chunk.split(b"\n")

    def _count(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MAX_EVENT_BYTES:
            raise SseError(f"an event is larger than {MAX_EVENT_BYTES} bytes")

    def _joined(self, end: bytes) -> bytes:
        line = b"".join((*self._pieces, end))
        self._pieces.clear()
        return line

    def _take(self, line: bytes) -> Event | None:
        if not self._begun:
            self._begun, line = True, line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._type, self._size = [], "", 0
        if not data:
            return None
        try:
            return Event(b"\n".join(data).decode("utf-8"), kind or "message")
        except UnicodeDecodeError:
            raise SseError("an event is not UTF-8") from None
