"""How a server speaks: the same answer in HTTP/1.1 and HTTP/2, by hand, so that it can be wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Protocol

from hpack import Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, SettingsFrame

from bench.simulator.grpc_shapes import trailers
from bench.simulator.shapes import Refusal

Headers = Iterable[tuple[str, str]]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD = 9
_READ_BYTES = 65_536
_AS_THE_SERVICE = (("content-type", "application/grpc"), ("x-request-id", "r-1"))
_OWN_FRAMING = ("content-length", "transfer-encoding", "connection")


class Gone(OSError):
    """The client has left."""


class Voice(Protocol):
    """One connection's server side."""

    stream: int

    def hear(self) -> bool:
        """Take one whole request; False when the client left instead."""

    def head(self, status: int, headers: Headers = ()) -> None:
        """The answer's head."""

    def body(self, data: bytes) -> None:
        """A piece of the body."""

    def end(self) -> None:
        """The end of the answer, however this protocol says it."""

    def refuse(self, status: int, content: bytes, headers: Headers = ()) -> None:
        """A whole answer of known length that says no."""

    def raw(self, data: bytes) -> None:
        """Bytes beside all framing."""


class _Reader:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with ``mark``."""
        while mark not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(mark)
        return head + mark

    def exactly(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        while len(self._rest) < count:
            self._more()
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def _more(self) -> None:
        data = self._sock.recv(_READ_BYTES)
        if not data:
            raise Gone
        self._rest += data


class Http1:
    """Chunked unless the headers say how the body ends."""

    stream = 0

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = _Reader(sock)
        self._chunked = False

    def hear(self) -> bool:
        """See `Voice`."""
        try:
            head = self._reader.until(b"\r\n\r\n").lower()
            _, _, rest = head.partition(b"content-length:")
            self._reader.exactly(int(rest.split(b"\r\n")[0] or 0))
        except OSError:
            return False
        return True

    def head(self, status: int, headers: Headers = ()) -> None:
        """See `Voice`."""
        headers = list(headers)
        self._chunked = not any(name in _OWN_FRAMING for name, _ in headers)
        if self._chunked:
            headers.append(("transfer-encoding", "chunked"))
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers)]
        self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def body(self, data: bytes) -> None:
        """See `Voice`."""
        self.raw(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        """See `Voice`."""
        if self._chunked:
            self.raw(b"0\r\n\r\n")

    def refuse(self, status: int, content: bytes, headers: Headers = ()) -> None:
        """See `Voice`."""
        self.head(status, [*headers, ("content-length", str(len(content)))])
        self.body(content)

    def raw(self, data: bytes) -> None:
        """See `Voice`."""
        self._sock.sendall(data)


class Http2:
    """Frames of the stream that was asked on last."""

    def __init__(self, sock: socket.socket) -> None:
        self.stream = 1
        self._sock = sock
        self._reader = _Reader(sock)
        self._encoder = Encoder()
        self._greeted = False

    def hear(self) -> bool:
        """See `Voice`."""
        try:
            self._greet()
            while not self._is_whole(self._next()):
                pass
        except OSError:
            return False
        return True

    def head(self, status: int, headers: Headers = ()) -> None:
        """See `Voice`."""
        kept = [(name, text) for name, text in headers if name not in _OWN_FRAMING[1:]]
        self.fields([(":status", str(status)), *kept])

    def fields(self, fields: Headers, *, last: bool = False) -> None:
        """A block of headers, or trailers."""
        frame = HeadersFrame(self.stream, self._encoder.encode(list(fields)))
        frame.flags.add("END_HEADERS")
        if last:
            frame.flags.add("END_STREAM")
        self.frame(frame)

    def body(self, data: bytes) -> None:
        """See `Voice`."""
        self.frame(DataFrame(self.stream, data))

    def end(self) -> None:
        """See `Voice`."""
        frame = DataFrame(self.stream, b"")
        frame.flags.add("END_STREAM")
        self.frame(frame)

    def refuse(self, status: int, content: bytes, headers: Headers = ()) -> None:
        """See `Voice`."""
        self.head(status, [*headers, ("content-length", str(len(content)))])
        self.frame(DataFrame(self.stream, content, flags=["END_STREAM"]))

    def frame(self, frame: Frame) -> None:
        """Any frame."""
        self.raw(frame.serialize())

    def raw(self, data: bytes) -> None:
        """See `Voice`."""
        self._sock.sendall(data)

    def _greet(self) -> None:
        if not self._greeted:
            self._reader.exactly(len(_PREFACE))
            self.frame(SettingsFrame(0))
            self._greeted = True

    def _next(self) -> Frame:
        head = self._reader.exactly(_FRAME_HEAD)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self._reader.exactly(length)))
        return frame

    def _is_whole(self, frame: Frame) -> bool:
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.frame(SettingsFrame(0, flags=["ACK"]))
        if isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self.frame(PingFrame(0, frame.opaque_data, flags=["ACK"]))
        self.stream = frame.stream_id or self.stream
        return "END_STREAM" in frame.flags


class Grpc(Http2):
    """Messages in frames of their own, and a status in trailers."""

    def body(self, data: bytes) -> None:
        """See `Voice`."""
        super().body(b"\0" + len(data).to_bytes(4, "big") + data)

    def end(self) -> None:
        """See `Voice`."""
        self.fields([("grpc-status", "0")], last=True)

    def refuse(self, status: int, content: bytes, headers: Headers = ()) -> None:
        """In the service's own words; what is in HTML comes from a proxy that knows no gRPC."""
        if content.startswith(b"<") or status < 400:
            super().refuse(status, content, headers)
            return
        words = trailers(Refusal(status, "", content.decode()))
        said = [(name.decode(), text.decode()) for name, text in words]
        headers = [(name, text) for name, text in headers if name != "content-type"]
        self.fields([(":status", "200"), *_AS_THE_SERVICE, *headers, *said], last=True)
