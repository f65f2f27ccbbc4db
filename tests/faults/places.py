"""Endpoints that are themselves the fault: nobody is there, or no way leads there."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

from bench.model import Endpoint
from tests.faults.stage import HEALTHY, Setting, on_stage
from tests.faults.trust import BOTH, HOST

Place = Callable[[Setting], AbstractContextManager[Endpoint]]


def _named(host: str) -> Place:
    @contextmanager
    def place(_: Setting) -> Iterator[Endpoint]:
        yield Endpoint(host, f"https://{host}")

    return place


def _at(address: str) -> Place:
    @contextmanager
    def place(_: Setting) -> Iterator[Endpoint]:
        yield Endpoint(address, f"https://{HOST}", connect=address)

    return place


@contextmanager
def _silent(_: Setting) -> Iterator[Endpoint]:
    with full_queue() as port:
        yield Endpoint("silent", f"https://{HOST}", connect=f"127.0.0.1:{port}")


@contextmanager
def _half_broken(setting: Setting) -> Iterator[Endpoint]:
    """One name with two addresses, of which IPv6 leads nowhere."""
    with on_stage(HEALTHY, setting) as stage, full_queue("::1", stage.port):
        yield Endpoint(BOTH, f"https://{BOTH}:{stage.port}")


@contextmanager
def full_queue(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A listener whose queue is full: the kernel answers no further SYN."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port), family=family, backlog=0))
        for _ in range(4):
            sock = stack.enter_context(socket.socket(family))
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname()[:2])
        yield listener.getsockname()[1]


NAMES = ("nx.test", "servfail.test", "silent.test")
ADDRESSES = ("10.9.0.1", "10.9.0.2", "10.8.0.1")

PLACES: Mapping[str, Place] = {
    "a long label": _named(f"{'a' * 64}.test"),
    "a closed port": _at("127.0.0.1:1"),
    "a full queue": _silent,
    # These need the network of `tests.faults.network`
    **{name: _named(name) for name in NAMES},
    **{address: _at(f"{address}:443") for address in ADDRESSES},
    BOTH: _half_broken,
}
