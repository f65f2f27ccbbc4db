"""That a warm connection stays one, and that the client's contract holds on both httpx."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.benchmarks.fidelity_figures import Figure, figure
from tests.lab.keeping import connections_to_fleet, connections_to_lab, fast_fleet
from tests.lab.lab import Lab

PACE_S = 6.0


def kept(lab: Lab, folder: Path, *, quick: bool) -> list[Figure]:
    """Connections opened by 1,000 warm requests, and by a few that are 6 s apart."""
    count, paced = (50, 2) if quick else (1000, 3)
    figures: list[Figure] = []
    with fast_fleet(folder) as fleet:
        versions: dict[str, Callable[..., int]] = {
            "HTTP/1.1": partial(connections_to_lab, lab),
            "HTTP/2": partial(connections_to_fleet, fleet),
        }
        for version, connections in versions.items():
            for stream in (True, False):
                opened = connections(count, stream=stream)
                what = "streamed" if stream else "not streamed"
                figures.append(_opened(f"{count} requests, {version}, {what}", opened))
        with ThreadPoolExecutor() as pool:  # one waits while the other waits
            slow = partial(_slowly, paced)
            for version, opened in zip(versions, pool.map(slow, versions.values()), strict=True):
                figures.append(_opened(f"{paced} requests {PACE_S:g} s apart, {version}", opened))
    return figures


def _slowly(count: int, connections: Callable[..., int]) -> int:
    return connections(count, stream=True, pause_s=PACE_S)


def _opened(what: str, connections: int) -> Figure:
    return figure(f"connections for {what}", connections, 1, "", timing=False)


def contract(*, quick: bool) -> list[Figure]:
    """The contract tests of the client on httpx and on httpx2: their exit statuses."""
    if quick:
        return []  # the test suite runs them by itself
    return [_contract(library) for library in ("httpx", "httpx2")]


def _contract(library: str) -> Figure:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "tests/test_client_http.py"]
    environment = {**os.environ, "REGIONBENCH_HTTPX": library}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=300)
    name = f"the client's contract tests on {library}, exit status"
    return figure(name, done.returncode, 0, "", timing=False)
