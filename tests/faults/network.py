"""The faults that need a network of their own: names, routes and links, in a namespace.

`cells_inside` is called in the namespace by `tests.lab.inside`; everything there is on loopback.
"""

from __future__ import annotations

import ctypes
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.case import Case, first
from tests.faults.first_rank import SDK_KNOWS_NO_PHASE
from tests.faults.lane import SHORT_S, Cell, Ground, Way
from tests.faults.matrix import DEFAULT, PATIENCE_S, Plan, meet, plan
from tests.faults.steps import (
    RIGHT,
    Scene,
    Step,
    begin,
    body,
    end,
    part,
    pause,
    rest,
    silence,
)
from tests.faults.trust import BOTH
from tests.lab.inside import call_inside, no_namespace, ordinary_priority

_MS_BIND = 4096
_A, _AAAA = 1, 28
_NXDOMAIN, _SERVFAIL = 3, 2


def ip(*words: str) -> None:
    """Run iproute2's ip."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _link_down(_: Scene) -> None:
    """The link is down for longer than anybody waits."""
    ip("link", "set", "lo", "down")
    time.sleep(SHORT_S + 0.3)
    ip("link", "set", "lo", "up")


def _changed(change: tuple[str, ...], back: tuple[str, ...], steps: tuple[Step, ...]) -> Step:
    """Steps on a link that is changed for their time."""

    def step(scene: Scene) -> None:
        subprocess.run(change, check=True, capture_output=True)
        try:
            for each in steps:
                each(scene)
        finally:
            subprocess.run(back, check=True, capture_output=True)

    return step


_SMALL = _changed(
    ("ip", "link", "set", "lo", "mtu", "1280"), ("ip", "link", "set", "lo", "mtu", "65536"), RIGHT
)
_QDISC = "tc qdisc {} dev lo root tbf rate 512kbit burst 4000 latency 900ms"
_NARROW = _changed(
    tuple(_QDISC.format("add").split()),
    tuple(_QDISC.format("del").split()),
    (begin, part, body(b" " * 15_000), rest, end),
)

_HOLE = "tc qdisc {} dev lo root tbf rate 100mbit burst 1400 latency 900ms"
_VANISHING = _changed(
    tuple(_HOLE.format("add").split()),
    tuple(_HOLE.format("del").split()),
    (begin, pause, body(b" " * 15_000), silence),
)
"""tbf drops what is larger than its burst, and tells nobody: the path's MTU is smaller than either
end believes, and no ICMP says so."""

NAMES: tuple[Case, ...] = (
    first("NXDOMAIN", "dns_fail", "dns", place="nx.test"),
    first("SERVFAIL", "dns_fail", "dns", place="servfail.test"),
    first(
        "a resolver that is silent",
        "timeout",
        "dns",
        place="silent.test",
        blind=SDK_KNOWS_NO_PHASE,
    ),
)
ROUTES: tuple[Case, ...] = tuple(
    first(name, "connect_fail", "tcp", place=place)
    for name, place in (
        ("unreachable", "10.9.0.1"),
        ("prohibited", "10.9.0.2"),
        ("no route", "10.8.0.1"),
    )
)
LINKS: tuple[Case, ...] = (
    Case(
        *("broken IPv6 with good IPv4", 3, (), "ok"),
        place=BOTH,
        whole=True,
        says={"peer_ip": "127.0.0.1"},
    ),
    Case("the link goes down", 3, (begin, part, pause, _link_down), "timeout", "body"),
    Case("an MTU of 1280", 3, (_SMALL,), "ok", whole=True, keeps=True),
    Case(
        *("packets over 1400 bytes vanish", 3, (_VANISHING,), "timeout", "body"),
        shape="at once",
    ),
    Case("a bandwidth of 512 kbit/s", 3, (_NARROW,), "ok", whole=True, keeps=True, shape="at once"),
)


CASES = (*NAMES, *ROUTES, *LINKS)


def missing() -> str | None:
    """Why these cannot be made here; None when they can."""
    absent = [name for name in ("ip", "tc") if shutil.which(name) is None]
    return f"{' and '.join(absent)} are missing: install iproute2" if absent else no_namespace()


def cells(clients: list[str]) -> list[Cell]:
    """Every cell of the network's cases, met in a namespace."""
    found = call_inside("tests.faults.network:cells_inside", 300.0, clients=clients)
    return [from_json(cell) for cell in found]


def from_json(cell: dict[str, Any]) -> Cell:
    """A cell that came from another process."""
    names = ("wrong", "latencies", "harmed", "leaks")
    return Cell(**{**cell, "way": Way(**cell["way"]), **{n: tuple(cell[n]) for n in names}})


def cells_inside(clients: list[str]) -> list[dict[str, Any]]:
    """What `cells` calls. Links are changed for all, so one lane after the other has those."""
    ordinary_priority()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as stack:
        stack.enter_context(name_server(Path(folder)))
        ip("route", "add", "unreachable", "10.9.0.1")
        ip("route", "add", "prohibit", "10.9.0.2")
        ground = Ground(Path(folder), echo=True)
        met = meet(ground, plan(clients, (*NAMES, *ROUTES)), PATIENCE_S)
        for lane in plan([DEFAULT], LINKS).lanes:
            met += meet(ground, Plan((lane,)), PATIENCE_S)
    return [asdict(cell) for cell in met]


@contextmanager
def name_server(folder: Path) -> Iterator[None]:
    """Our own, for this namespace: each name has its own way to fail."""
    file = folder / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
    target = str(Path("/etc/resolv.conf").resolve()).encode()
    if ctypes.CDLL(None, use_errno=True).mount(str(file).encode(), target, None, _MS_BIND, None):
        raise OSError(ctypes.get_errno(), "cannot bind a resolv.conf")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 53))
        threading.Thread(target=_answer_all, args=(sock,), daemon=True).start()
        yield


def _answer_all(sock: socket.socket) -> None:
    while True:
        try:
            question, asker = sock.recvfrom(512)
        except OSError:
            return
        if (reply := answer(question)) is not None:
            sock.sendto(reply, asker)


def answer(question: bytes) -> bytes | None:
    """The reply to one DNS question; None: silence."""
    end_of_name = question.index(b"\0", 12)
    stop = end_of_name + 5
    kind = int.from_bytes(question[stop - 4 : stop - 2], "big")
    name = question[12:end_of_name]
    if b"silent" in name:
        return None
    if b"both" in name:
        return _found(question[:2], question[12:stop], kind)
    code = _SERVFAIL if b"servfail" in name else _NXDOMAIN
    return question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 0, 0, 0) + question[12:stop]


def _found(number: bytes, asked: bytes, kind: int) -> bytes:
    known = {_A: socket.inet_aton("127.0.0.1"), _AAAA: socket.inet_pton(socket.AF_INET6, "::1")}
    data = known.get(kind)
    head = number + struct.pack("!HHHHH", 0x8180, 1, int(data is not None), 0, 0)
    if data is None:
        return head + asked
    return head + asked + struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data
