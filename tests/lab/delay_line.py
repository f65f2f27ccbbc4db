"""A path of known round trip between two network namespaces, and a name server of known delay.

netem may be missing from a kernel. Two TUN devices and a relay that holds every packet for half
the round trip are enough (nominal 20 ms: 20.1 to 20.3). Used inside `tests.lab.inside`:

    near namespace: the client, lab0 at 10.99.0.1 and fd99::1, the name server at 127.0.0.1
    far namespace:  the lab's server, lab0 at 10.99.0.2 and fd99::2
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.inside import interface_up, ordinary_priority

FAR = ("10.99.0.2", "fd99::2")
NEAR = ("10.99.0.1", "fd99::1")
DEVICE = "lab0"
LIFETIME_S = 600

_SPIN_NS = 200_000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x1, 0x1000
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFINDEX = 0x8916, 0x891C, 0x8933
_CLONE_NEWNET, _MS_BIND, _PR_SET_PDEATHSIG = 0x40000000, 4096, 1

_Held = deque[tuple[int, Callable[[], object]]]


@dataclass(frozen=True)
class Line:
    """A laid line: how to start a program at its far end."""

    far: tuple[str, ...]


@contextmanager
def delay_line(rtt_ms: float, dns_ms: float) -> Iterator[Line]:
    """Lay a line; every name resolves to its far end after ``dns_ms``. The block is the client."""
    with ExitStack() as stack:
        relay = _start(stack, "relay", rtt_ms)
        _start(stack, "names", dns_ms)
        _use_names(stack)
        yield Line(("nsenter", f"--net=/proc/{relay.pid}/ns/net"))


def try_line() -> bool:
    """Lay a line and take it up again."""
    with delay_line(1.0, 1.0):
        ordinary_priority()
        return socket.gethostbyname("some.lab.test") == FAR[0]


def _start(stack: ExitStack, what: str, milliseconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.lab.delay_line", what, str(milliseconds)]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise OSError(f"the {what} did not start")
    return process


def _use_names(stack: ExitStack) -> None:
    """Bind a resolv.conf of ours over the host's, in this mount namespace only."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-")))
    file = folder / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
    target = str(Path("/etc/resolv.conf").resolve()).encode()
    if ctypes.CDLL(None, use_errno=True).mount(str(file).encode(), target, None, _MS_BIND, None):
        raise OSError(ctypes.get_errno(), "cannot bind a resolv.conf")


def hold_and_pass(sources: dict[int, Callable[[], Callable[[], object]]], delay_ns: int) -> None:
    """Read from each source when it can be read; do what it returned exactly ``delay_ns`` later."""
    held: _Held = deque()
    while True:
        patience_s = max(0, held[0][0] - _SPIN_NS - time.monotonic_ns()) / 1e9 if held else 5.0
        for file in select.select(list(sources), [], [], patience_s)[0]:
            held.append((time.monotonic_ns() + delay_ns, sources[file]()))
        if held and held[0][0] - time.monotonic_ns() < _SPIN_NS:
            due_ns, act = held.popleft()
            while time.monotonic_ns() < due_ns:
                pass
            act()


# The relay


def relay(rtt_ms: float) -> None:
    """One device here, one in a namespace of this process's own, and the path between them."""
    near = _device(NEAR)
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot make a namespace")
    interface_up("lo")
    far = _device(FAR)
    _say_ready()
    hold_and_pass({near: _taker(near, far), far: _taker(far, near)}, round(rtt_ms * 1e6 / 2))


def _taker(source: int, target: int) -> Callable[[], Callable[[], object]]:
    def take() -> Callable[[], object]:
        packet = os.read(source, 65536)
        return lambda: os.write(target, packet)

    return take


def _device(addresses: tuple[str, str]) -> int:
    """A TUN device of this namespace with its two addresses, up."""
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    four, six = addresses
    name = struct.pack("16s", DEVICE.encode())
    with socket.socket() as sock:
        for request, address in ((_SIOCSIFADDR, four), (_SIOCSIFNETMASK, "255.255.255.0")):
            packed = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(sock, request, name + packed)
        index = struct.unpack("16si", fcntl.ioctl(sock, _SIOCGIFINDEX, name + bytes(4)))[1]
    interface_up(DEVICE)
    with socket.socket(socket.AF_INET6) as sock:
        fcntl.ioctl(
            sock,
            _SIOCSIFADDR,
            socket.inet_pton(socket.AF_INET6, six) + struct.pack("=Ii", 64, index),
        )
    _until_usable(six)
    return file


def _until_usable(address: str) -> None:
    """Linux lets nobody listen on a new IPv6 address before a work queue has seen to it."""
    wrong = OSError("never tried")
    for _ in range(500):
        with socket.socket(socket.AF_INET6) as sock:
            try:
                return sock.bind((address, 0))
            except OSError as refused:
                wrong = refused
        time.sleep(0.01)
    raise OSError(f"{address} on {DEVICE} is not usable after 5 s") from wrong


# The name server


def names(delay_ms: float) -> None:
    """Every name is at the line's far end."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))

    def take() -> Callable[[], object]:
        question, asker = sock.recvfrom(512)
        reply = answer(question)
        return lambda: sock.sendto(reply, asker)

    _say_ready()
    hold_and_pass({sock.fileno(): take}, round(delay_ms * 1e6))


def answer(question: bytes) -> bytes:
    """The reply to one DNS question: an A or AAAA record, or none of another type."""
    end = question.index(b"\0", 12) + 5
    kind = int.from_bytes(question[end - 4 : end - 2], "big")
    known = {1: socket.inet_aton(FAR[0]), 28: socket.inet_pton(socket.AF_INET6, FAR[1])}
    data = known.get(kind)
    header = question[:2] + struct.pack("!HHHHH", 0x8180, 1, int(data is not None), 0, 0)
    if data is None:
        return header + question[12:end]
    record = struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data
    return header + question[12:end] + record


def _say_ready() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.alarm(LIFETIME_S)
    gc.disable()
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"relay": relay, "names": names}[sys.argv[1]](float(sys.argv[2]))
