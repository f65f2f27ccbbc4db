"""The parent's side of the lab's server: start it, ask what really happened, stop it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import trustme

from bench.clients import Settings
from bench.key import Key
from bench.model import Endpoint, Request
from bench.plan import make_plan
from bench.request import build_request
from bench.wire.trust import trust
from tests.lab.truth import Truth

HOST = "api.lab.test"
LOOPBACK = ("127.0.0.1", "::1")
ADDRESSES = (*LOOPBACK, "10.99.0.2", "fd99::2")


@dataclass
class Lab:
    """A running server. Its process ends with the block that started it."""

    ca: Path
    tls_port: int
    plain_port: int
    priority: str
    process: subprocess.Popen[str]
    _asking: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Trusts the lab's authority, and verifies."""
        return trust(self.ca)

    def settings(self, timeout_s: float = 10.0, *, stamps: bool = True) -> Settings:
        """For the product's clients."""
        return Settings(self.context, Key("test-key"), timeout_s, stamps=stamps)

    def endpoint(self, address: str = "127.0.0.1") -> Endpoint:
        """The lab as an endpoint, pinned to one of its addresses."""
        host = f"[{address}]" if ":" in address else address
        return Endpoint("lab", f"https://{HOST}", connect=f"{host}:{self.tls_port}")

    def truths(self) -> dict[str, list[Truth]]:
        """All requests so far: by id, in order of arrival."""
        found: dict[str, list[Truth]] = {}
        for row in self._ask("dump"):
            truth = Truth.of_row(row)
            found.setdefault(truth.id, []).append(truth)
        return found

    def truth(self, name: str) -> Truth:
        """The one request with this id."""
        (only,) = self.truths()[name]
        return only

    def forget(self) -> None:
        """Drop what was kept."""
        self._ask("forget")

    def _ask(self, word: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self._asking:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())


def certify(folder: Path) -> Path:
    """Write an authority and a server's certificate; the path of the authority's."""
    authority = trustme.CA()
    server = authority.issue_cert(HOST, "localhost", *ADDRESSES)
    pem = folder / "server.pem"
    server.private_key_and_cert_chain_pem.write_to_path(str(pem))
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    return ca


@contextmanager
def start_lab(
    folder: Path, hosts: tuple[str, ...] = LOOPBACK, where: tuple[str, ...] = ()
) -> Iterator[Lab]:
    """Run a server that listens on ``hosts``, with its certificates in ``folder``.

    ``where`` is put before the command: the namespace in which it runs.
    """
    ca = folder / "ca.pem"
    if not ca.exists():
        certify(folder)
    command = [*where, sys.executable, "-m", "tests.lab.server", str(folder), *hosts]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield Lab(ca, said["tls"], said["plain"], said["priority"], process)
        finally:
            process.terminate()


def lab_request(
    name: str, delay_ms: float = 5.0, *, stream: bool = False, tokens: int = 4, gap_ms: float = 5.0
) -> Request:
    """A chat request under the id ``name`` that asks the lab for exact times."""
    query = f"?id={name}&delay_ms={delay_ms}&tokens={tokens}&gap_ms={gap_ms}"
    plan = make_plan(stream=stream)
    request = build_request("chat", plan, api="/v1", model="lab", parameters={}, nonce="0" * 16)
    return replace(request, path=request.path + query)
