"""What many tests need: a certificate authority, a fleet, settings to send with."""

from __future__ import annotations

import gc
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from hypothesis import settings

from bench.clients import Settings
from bench.key import Key
from bench.simulator import Fleet
from bench.wire.trust import trust

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

for _name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
    os.environ.pop(_name, None)  # a pytest that a test starts would take itself for a worker


def pytest_collection_finish() -> None:
    """What all modules loaded stays: no later collection, of which a run makes several, walks it."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the tests' own."""

    ca: trustme.CA
    file: Path

    def server(self, *names: str) -> ssl.SSLContext:
        """A server's context with a certificate for ``names``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context

    def settings(self, timeout_s: float = 2.0, *, http2: bool = False) -> Settings:
        """Client settings that believe this authority."""
        return Settings(trust(self.file), Key("test-key"), timeout_s, http2)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One CA for the whole session."""
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """One typical fleet for all tests that only ask it."""
    with Fleet.start(profile="typical", seed=1) as running:
        yield running
