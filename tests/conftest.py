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
from tests.profiles import TWO_REGIONS

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

for _name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
    os.environ.pop(_name, None)  # a pytest that a test starts would take itself for a worker


LONG = (
    *("test_session", "test_faults", "test_pytest_plugin", "test_signals", "test_terminal"),
    *("test_notebooks", "test_report_browser", "test_vantages", "test_report", "test_resuming"),
    *("test_vantage_places", "test_store_crash", "test_stats_race", "test_security_canary"),
    *("test_wire_truth", "test_watch", "test_routes", "test_hotpaths", "test_vantage_recipes"),
    *("test_notebook_kernel", "test_disk_faults", "test_choosing", "test_store_injected"),
    *("test_limits", "test_time"),
)
"""Modules that take more than a minute of a busy machine, the longest first: whichever begins last
is what all workers wait for."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with the longest: by number of tests, as xdist has it, most came last."""
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))


def pytest_collection_finish() -> None:
    """What modules loaded stays: no later collection, of which a run makes several, walks it."""
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


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two quick regions."""
    profile = tmp_path_factory.mktemp("profile") / "two.toml"
    profile.write_text(TWO_REGIONS)
    with Fleet.start(profile) as fleet:
        yield fleet
