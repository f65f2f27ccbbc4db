"""Names to addresses, addresses to a connected socket; each step timed, each try kept."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from bench.wire.clock import now_ns
from bench.wire.record import Attempt, Record, WireFault

Family = Literal["4", "6", "any"]
Address = tuple[socket.AddressFamily, str, int]

STAGGER_NS = 250_000_000
"""RFC 8305's connection attempt delay: the next address is tried when this one has not answered."""

_LOOK_S = 0.05
"""How often whoever waits for a name or a connection looks whether the request was interrupted."""

_FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6, "any": socket.AF_UNSPEC}


def resolve(host: str, port: int, family: Family, record: Record) -> list[Address]:
    """Addresses of ``host``, families alternating; ``record.dns_ns`` is how long that took.

    The lookup runs in a thread of its own because getaddrinfo has no timeout.
    Raises WireFault(dns_fail), or timeout at the record's deadline.
    """
    record.phase = "dns"
    answer: list[Address] = []
    failure: list[Exception] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            answer.extend(_lookup(host, port, family))
        except (OSError, UnicodeError) as error:
            failure.append(error)
        done.set()

    began_ns = now_ns()
    threading.Thread(target=look_up, daemon=True, name="regionbench-dns").start()
    while not done.wait(_look_s(record.deadline_ns)):
        if _is_over(record):
            raise WireFault("timeout", "dns", f"no answer for {host}")
    took_ns = now_ns() - began_ns
    if failure or not answer:
        raise WireFault("dns_fail", "dns", f"{host}: {failure[0] if failure else 'no address'}")
    record.dns_ns = took_ns
    return answer


def _look_s(until_ns: int) -> float:
    return min(_LOOK_S, max(0, until_ns - now_ns()) / 1e9)


def _is_over(record: Record) -> bool:
    return record.cancelled or now_ns() >= record.deadline_ns


def literal(address: str, port: int) -> Address:
    """An address that needs no lookup."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, address, port


def _lookup(host: str, port: int, family: Family) -> list[Address]:
    found = socket.getaddrinfo(host, port, _FAMILIES[family], socket.SOCK_STREAM)
    unique = dict.fromkeys((entry[0], str(entry[4][0])) for entry in found)
    addresses: list[Address] = [(kind, address, port) for kind, address in unique]
    first = addresses[0][0] if addresses else socket.AF_INET6
    return list(_alternate(addresses, first))


def _alternate(addresses: list[Address], first: socket.AddressFamily) -> Iterator[Address]:
    one = [a for a in addresses if a[0] == first]
    other = [a for a in addresses if a[0] != first]
    for pair in zip_longest(one, other):
        yield from (address for address in pair if address is not None)


@dataclass(slots=True)
class _Racer:
    sock: socket.socket
    address: str
    began_ns: int


def race(addresses: list[Address], record: Record) -> socket.socket:
    """Connect to the first address that answers, a new one starting each 250 ms or on failure.

    The winner comes back blocking; ``record.tcp_ns`` is the time from the first attempt.
    Raises WireFault(connect_fail) when all failed, or timeout at the record's deadline.
    """
    record.phase = "tcp"
    return _Race(addresses, record).run()


class _Race:
    def __init__(self, addresses: list[Address], record: Record) -> None:
        self.waiting = list(addresses)
        self.record = record
        self.running: dict[int, _Racer] = {}
        self.last_errno = errno.EADDRNOTAVAIL
        self.next_ns = 0

    def run(self) -> socket.socket:
        began_ns = now_ns()
        with selectors.DefaultSelector() as selector:
            try:
                winner = self._winner(selector)
            finally:
                for racer in self.running.values():
                    racer.sock.close()
        self.record.tcp_ns = now_ns() - began_ns
        winner.setblocking(True)
        return winner

    def _winner(self, selector: selectors.BaseSelector) -> socket.socket:
        while self.waiting or self.running:
            if self.waiting and (not self.running or now_ns() >= self.next_ns):
                self._start(selector, self.waiting.pop(0))
            for key, _ in selector.select(self._patience_s()):
                selector.unregister(key.fileobj)
                sock = self._settle(self.running.pop(key.fd))
                if sock is not None:
                    return sock
            if _is_over(self.record):
                raise WireFault("timeout", "tcp", f"no answer from {self._names()}")
        raise WireFault("connect_fail", "tcp", _errno_text(self.last_errno))

    def _patience_s(self) -> float:
        if not self.running:
            return 0.0
        until_ns = self.next_ns if self.waiting else self.record.deadline_ns
        return _look_s(min(until_ns, self.record.deadline_ns))

    def _start(self, selector: selectors.BaseSelector, target: Address) -> None:
        family, address, port = target
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        racer = _Racer(sock, address, now_ns())
        self.next_ns = racer.began_ns + STAGGER_NS
        code = sock.connect_ex((address, port))
        if code in (0, errno.EINPROGRESS):
            self.running[sock.fileno()] = racer
            selector.register(sock, selectors.EVENT_WRITE)
        else:
            self._lost(racer, code)

    def _settle(self, racer: _Racer) -> socket.socket | None:
        code = racer.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._lost(racer, code)
            return None
        self.record.attempts.append(Attempt(racer.address, now_ns() - racer.began_ns, 0))
        self.record.peer_ip = racer.address
        return racer.sock

    def _lost(self, racer: _Racer, code: int) -> None:
        racer.sock.close()
        self.last_errno = code
        self.record.attempts.append(Attempt(racer.address, now_ns() - racer.began_ns, code))

    def _names(self) -> str:
        return ", ".join(racer.address for racer in self.running.values())


def _errno_text(code: int) -> str:
    return f"{errno.errorcode.get(code, code)}: {os.strerror(code)}"
