"""The server whose every request carries its true delay. One thread, one process of its own.

    python -m tests.lab.server <folder> <host>...

Reads certificates from the folder, prints one JSON line with its ports, then obeys its standard
input: ``dump`` prints all truths so far, ``forget`` drops them, the end of it ends the server.
Load must not bend its times: it runs under SCHED_FIFO where that is allowed, sleeps until shortly
before a piece is due, then spins.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import itertools
import json
import os
import select
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

from tests.lab.link import Gone, Link
from tests.lab.speech import STAMP_PLACE, Asked, Piece, script, take_request
from tests.lab.truth import Sent, Truth

LIFETIME_S = 3600
SPIN_NS = 200_000
CROWD = 4
"""With more pieces than this on their way the server does not spin: at its priority it would keep
a core for itself, and every true delay is known anyway."""

_IDLE_S = 5.0


def prefer_this_process() -> str:
    """Ask for real-time priority, else for niceness; says what it got."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        return "fifo"
    with contextlib.suppress(OSError):
        os.nice(-15)
        return "nice"
    return "normal"


class Server:
    """Listeners, links, and the pieces that wait for their moment."""

    def __init__(self, listeners: dict[socket.socket, ssl.SSLContext | None]) -> None:
        self._listeners = listeners
        self._links: dict[int, Link] = {}
        self._numbers = itertools.count(1)
        self._order = itertools.count()
        self._due: list[tuple[int, int, Link, Piece, Truth]] = []
        self._truths: list[Truth] = []
        self._open = True

    def run(self) -> None:
        """Serve until standard input ends."""
        while self._open:
            for file in self._wait():
                self._serve(file)
            self._send_due()

    def _wait(self) -> list[int]:
        """What can be read, at the latest shortly before the next piece is due."""
        patience_s = _IDLE_S
        if self._due:
            spin_ns = SPIN_NS if len(self._due) <= CROWD else 0
            patience_s = max(0, self._due[0][0] - spin_ns - time.time_ns()) / 1e9
        files = [0, *(s.fileno() for s in self._listeners), *self._links]
        return select.select(files, [], [], patience_s)[0]

    def _send_due(self) -> None:
        """Spin to the next moment if it is near, and send all that is due."""
        if self._due and len(self._due) <= CROWD:
            due_ns = self._due[0][0]
            if due_ns - time.time_ns() < SPIN_NS:
                while time.time_ns() < due_ns:
                    pass
        while self._due and self._due[0][0] <= time.time_ns():
            _, _, link, piece, truth = heapq.heappop(self._due)
            self._send(link, piece, truth)

    def _send(self, link: Link, piece: Piece, truth: Truth) -> None:
        sent = Sent(time.time_ns(), piece.token)
        data = piece.data
        if not truth.sent:
            data = data.replace(STAMP_PLACE, b"%019d" % sent.send_ns, 1)
        truth.sent.append(sent)
        try:
            link.send(data, sent)
        except Gone:
            self._drop(link)

    def _serve(self, file: int) -> None:
        if file == 0:
            self._obey()
        elif file in self._links:
            self._hear(self._links[file])
        else:
            self._accept(file)

    def _accept(self, file: int) -> None:
        listener = next(s for s in self._listeners if s.fileno() == file)
        sock, _ = listener.accept()
        link = Link(sock, next(self._numbers), self._listeners[listener])
        self._links[sock.fileno()] = link

    def _hear(self, link: Link) -> None:
        try:
            if not link.receive():
                return
            while (found := take_request(link.waiting)) is not None:
                asked, link.waiting = found
                self._schedule(link, asked)
        except Gone:
            self._drop(link)

    def _schedule(self, link: Link, asked: Asked) -> None:
        truth = Truth(
            asked.id, link.number, link.requests, link.rx_ns, link.recv_ns, link.handshake_ns
        )
        link.requests += 1
        self._truths.append(truth)
        for piece in script(asked, link.rx_ns, link.recv_ns):
            due_ns = link.rx_ns + piece.after_ns
            heapq.heappush(self._due, (due_ns, next(self._order), link, piece, truth))

    def _drop(self, link: Link) -> None:
        self._links.pop(link.sock.fileno(), None)
        self._due = [entry for entry in self._due if entry[2] is not link]
        heapq.heapify(self._due)
        link.sock.close()

    def _obey(self) -> None:
        word = os.read(0, 4096).decode().strip()
        if word == "dump":
            for link in self._links.values():
                link.collect()
            say([truth.row() for truth in self._truths])
        elif word == "forget":
            self._truths.clear()
            say([])
        else:
            self._open = False


def say(what: object) -> None:
    """One line of JSON to whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _listen(hosts: list[str]) -> list[socket.socket]:
    """One port on every host."""
    wrong = OSError("never tried")
    for _ in range(20):
        first = _bound(hosts[0], 0)
        try:
            port = first.getsockname()[1]
            return [first, *(_bound(host, port) for host in hosts[1:])]
        except OSError as refused:
            wrong = refused
    raise OSError(f"no port is free on all of {hosts}") from wrong


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def serve(folder: Path, hosts: list[str]) -> None:
    """Listen, say where, and serve."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.set_alpn_protocols(["http/1.1"])
    tls, plain = _listen(hosts), _listen(hosts)
    server = Server({**dict.fromkeys(tls, context), **dict.fromkeys(plain)})
    ports = {"tls": tls[0].getsockname()[1], "plain": plain[0].getsockname()[1]}
    signal.alarm(LIFETIME_S)
    gc.freeze()
    gc.disable()
    say({**ports, "priority": prefer_this_process()})
    server.run()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
