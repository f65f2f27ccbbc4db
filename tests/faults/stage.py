"""A server that answers well, save for the one request, or the one handshake, of a case."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.faults.answers import Answer, at_once, grpc, stream
from tests.faults.case import Case
from tests.faults.speech import Grpc, Http1, Http2, Voice
from tests.faults.steps import RIGHT, Scene, Step
from tests.faults.trust import Contexts

PATIENCE_S = 35.0
"""For how long a server waits for anything: longer than what never ends goes on."""


@dataclass
class Stage:
    """Where it listens, what it heard, and whether the case came to its last step."""

    port: int = 0
    connections: int = 0
    heard: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    idle: threading.Event = field(default_factory=threading.Event)
    errors: list[str] = field(default_factory=list)
    interrupt: Callable[[], None] = field(default=lambda: None)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> int:
        """One more request was heard; how many were before."""
        with self._lock:
            self.heard += 1
            return self.heard - 1

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Setting:
    """What is asked of the stage: which protocol, which answer, and which request has the fault
    (the first, or the second on a connection that the first one warmed, or ``every`` one).

    ``echo`` is the key that is said back wherever something is said, ``usage`` what every answer
    says that it cost.
    """

    contexts: Contexts
    http2: bool
    streamed: bool
    grpc: bool = False
    warm: bool = False
    every: bool = False
    echo: str = ""
    usage: Mapping[str, Any] | None = None

    @property
    def answer(self) -> Answer:
        """The right answer."""
        if self.grpc:
            return grpc(self.streamed, self.echo, self.usage)
        return (stream if self.streamed else at_once)(self.echo, self.usage)

    def voice(self, sock: ssl.SSLSocket) -> Voice:
        """What TLS agreed on."""
        if self.grpc:
            return Grpc(sock)
        return Http2(sock) if sock.selected_alpn_protocol() == "h2" else Http1(sock)


HEALTHY = Case("healthy", 0, RIGHT, "ok", keeps=True)


@contextmanager
def on_stage(case: Case, setting: Setting) -> Iterator[Stage]:
    """Serve until the block ends."""
    stage = Stage()
    live: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        stage.port = listener.getsockname()[1]
        threads: list[threading.Thread] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    stage.connections += 1
                    live.append(sock)
                    struck = setting.every or stage.connections == 1
                    play = _Play(case, setting, stage, sock, struck, live)
                    threads.append(threading.Thread(target=play.run, daemon=True))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[0].start()
        try:
            yield stage
        finally:
            for sock in (listener, *live):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)
            for sock in live:
                sock.close()


@dataclass
class _Play:
    """One accepted connection."""

    case: Case
    setting: Setting
    stage: Stage
    sock: socket.socket
    first: bool
    live: list[socket.socket]

    def run(self) -> None:
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(PATIENCE_S)
        try:
            if self.first and self.case.bare:
                self._act(Scene(self.sock, self.setting.answer), self.case.steps)
            elif self.first and self.case.tls is not None:
                self._shake_hands_badly(self.case.tls)
            else:
                self._converse(self.setting.contexts.good(self.setting.http2))
        except OSError as error:
            self.stage.errors.append(f"{type(error).__name__}: {error}")
        finally:
            self.sock.close()

    def _shake_hands_badly(self, name: str) -> None:
        """The client must leave; when it stays instead it is heard, which is one request too
        many."""
        context = self.setting.contexts.bad(name, self.setting.http2)
        if self.case.steps:
            self._converse(context)
            return
        with contextlib.suppress(OSError), context.wrap_socket(self.sock, server_side=True) as sock:
            if self.setting.voice(sock).hear():
                self.stage.count()
        self.stage.reached.set()

    def _converse(self, context: ssl.SSLContext) -> None:
        with context.wrap_socket(self.sock, server_side=True) as sock:
            self.live.append(sock)
            voice = self.setting.voice(sock)
            echo, every = self.setting.echo, self.setting.every
            scene = Scene(sock, self.setting.answer, voice, echo, self.stage.interrupt)
            target = int(self.setting.warm)
            while voice.hear():
                number = self.stage.count()
                if (every or number == target) and self._strikes():
                    self._act(scene, self.case.steps)
                    if not self.case.keeps:
                        return
                    continue
                before = self.case.before if every or number + 1 == target else ()
                for step in (*before, *RIGHT) if self.case.early else (*RIGHT, *before):
                    step(scene)
                self.stage.idle.set()

            if self.case.unsent:
                self.stage.reached.set()  # it waited for the rest, and the client left

    def _strikes(self) -> bool:
        """Whether the request that is due for the fault gets it here; where every one is, a fault
        of idle connections comes after each."""
        idle = self.setting.every and bool(self.case.before)
        return not self.case.opening and not idle and (self.first or not self.case.unsent)

    def _act(self, scene: Scene, steps: tuple[Step, ...]) -> None:
        """The last step counts as reached also when the client left in the middle of it."""
        for step in steps[:-1]:
            step(scene)
        with contextlib.suppress(OSError):
            steps[-1](scene)
        self.stage.reached.set()
