"""What a server can do, one small step each; a case is a row of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, repeat

from hyperframe.frame import Frame

from tests.faults.answers import Answer, echoing
from tests.faults.speech import Headers, Http2, Voice

ENDLESS_S = 30.0
"""For how long a server that never stops goes on; far longer than any deadline here."""

PAUSE_S = 0.02


@dataclass
class Scene:
    """One connection, in the hands of a case's steps."""

    sock: socket.socket
    answer: Answer
    speaker: Voice | None = None
    echo: str = ""
    interrupt: Callable[[], None] = field(default=lambda: None)

    @property
    def voice(self) -> Voice:
        """The protocol spoken; only after the handshake."""
        assert self.speaker is not None
        return self.speaker

    def head(self, status: int, *headers: tuple[str, str]) -> None:
        """A head, with the caller's key in it where it is said back."""
        self.voice.head(status, [*headers, *self.echoed])

    @property
    def echoed(self) -> list[tuple[str, str]]:
        """Headers that say back what the caller's said."""
        names = ("x-request-id", "x-echo", "set-cookie", "server", "x-metrics-ttft-ms", "cf-ray")
        return [(name, f"Bearer {self.echo}") for name in names] if self.echo else []


Step = Callable[[Scene], None]


def begin(scene: Scene) -> None:
    """The head of a right answer, of unknown length."""
    scene.head(200, ("content-type", scene.answer.content_type))


def begin_sized(scene: Scene) -> None:
    """The head of a right answer that says its length."""
    length = str(scene.answer.size)
    scene.head(200, ("content-type", scene.answer.content_type), ("content-length", length))


def begin_open(scene: Scene) -> None:
    """The head of an answer that ends with the connection."""
    scene.head(200, ("content-type", scene.answer.content_type), ("connection", "close"))


def begin_with(*headers: tuple[str, str]) -> Step:
    """The head of a right answer, with further headers."""
    return lambda scene: scene.head(200, ("content-type", scene.answer.content_type), *headers)


def bare_lf(scene: Scene) -> None:
    """A right answer with a head that has no CR."""
    answer = scene.answer
    lines = (
        "HTTP/1.1 200 OK",
        f"content-type: {answer.content_type}",
        f"content-length: {answer.size}",
    )
    head = "\n".join([*lines, "", ""]).encode()
    scene.voice.raw(head + answer.part + answer.rest)


def both_framings(scene: Scene) -> None:
    """A right answer in chunks, of which the head says a length as well, and a wrong one."""
    answer = scene.answer
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {answer.content_type}\r\ncontent-length: 3\r\n"
    body = answer.part + answer.rest
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    scene.voice.raw(head.encode() + b"transfer-encoding: chunked\r\n\r\n" + chunk)


def part(scene: Scene) -> None:
    """The first half of a right body."""
    scene.voice.body(scene.answer.part)


def rest(scene: Scene) -> None:
    """The second half."""
    if scene.answer.rest:
        scene.voice.body(scene.answer.rest)


def end(scene: Scene) -> None:
    """The protocol's end of an answer."""
    scene.voice.end()


RIGHT: tuple[Step, ...] = (begin, part, rest, end)
"""What a healthy server does."""


def head(status: int, *headers: tuple[str, str]) -> Step:
    """A head of one's own."""
    return lambda scene: scene.head(status, *headers)


def body(data: bytes) -> Step:
    """A piece of a body of one's own."""
    return lambda scene: scene.voice.body(echoing(data, scene.echo))


def raw(data: bytes) -> Step:
    """Bytes beside all framing."""

    def step(scene: Scene) -> None:
        echo = f" OK\r\nx-request-id: Bearer {scene.echo}\r\n".encode()
        said = data.replace(b" OK\r\n", echo, 1) if scene.echo else data
        scene.voice.raw(echoing(said, scene.echo))

    return step


def said(status: int, content: bytes, *headers: tuple[str, str]) -> Step:
    """A whole answer of known length."""
    return lambda scene: scene.voice.refuse(
        status,
        echoing(content, scene.echo),
        [("content-type", "application/json"), *headers, *scene.echoed],
    )


def half_said(status: int, content: bytes) -> Step:
    """The first bytes of a refusal."""

    def step(scene: Scene) -> None:
        whole = echoing(content, scene.echo)
        scene.head(status, ("content-length", str(len(whole))))
        scene.voice.body(whole[: len(whole) - 3 if scene.echo else 3])

    return step


def frame(make: Callable[[int], Frame]) -> Step:
    """An HTTP/2 frame; ``make`` is given the number of the stream."""

    def step(scene: Scene) -> None:
        assert isinstance(scene.voice, Http2)
        scene.voice.frame(make(scene.voice.stream))

    return step


def fields(headers: Headers) -> Step:
    """An HTTP/2 block of headers, with whatever is missing or doubled in it."""

    def step(scene: Scene) -> None:
        assert isinstance(scene.voice, Http2)
        scene.voice.fields(headers)

    return step


# Ends


def fin(scene: Scene) -> None:
    """FIN, after close_notify."""
    if isinstance(scene.sock, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            scene.sock.settimeout(0.3)
            scene.sock.unwrap()
    cut(scene)


def cut(scene: Scene) -> None:
    """FIN without close_notify."""
    with contextlib.suppress(OSError):
        scene.sock.shutdown(socket.SHUT_RDWR)
    scene.sock.close()


def reset(scene: Scene) -> None:
    """RST."""
    scene.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    scene.sock.close()


def silence(scene: Scene) -> None:
    """Say nothing until the client leaves."""
    scene.sock.settimeout(ENDLESS_S)
    with contextlib.suppress(OSError):
        while scene.sock.recv(65_536):
            pass


def interrupt(scene: Scene) -> None:
    """The user's Ctrl-C, as the probe passes it on."""
    scene.interrupt()


def take(scene: Scene) -> None:
    """Read whatever the client says, once."""
    scene.sock.recv(65_536)


def plain(data: bytes) -> Step:
    """Bytes on the bare socket, before any handshake."""
    return lambda scene: scene.sock.sendall(data)


def together(*steps: Step) -> Step:
    """Several steps as one, that the client may leave in the middle of."""

    def step(scene: Scene) -> None:
        for each in steps:
            each(scene)

    return step


def pause(scene: Scene) -> None:
    """A moment, so that what was sent and what follows arrive apart."""
    time.sleep(3 * PAUSE_S)


# What never ends: these are over when the client leaves


def for_ever(say: Step, first: bytes = b"", pause_s: float = PAUSE_S) -> Step:
    """``first`` by the byte, then ``say`` again and again, until the client leaves."""

    def step(scene: Scene) -> None:
        until = time.monotonic() + ENDLESS_S
        pieces = chain((raw(bytes([byte])) for byte in first), repeat(say))
        with contextlib.suppress(OSError):
            while time.monotonic() < until:
                next(pieces)(scene)
                time.sleep(pause_s)
            raise TimeoutError("the client never left")

    return step


def idle_for_ever(scene: Scene) -> None:
    """Pieces of a body that say nothing."""
    for_ever(body(scene.answer.idle))(scene)
