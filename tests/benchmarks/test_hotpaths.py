"""The hot paths as pytest benchmarks.

Run by themselves they print a table; `tests.benchmarks.hotpaths` runs two of these side by side,
an older product and this one, and passes the turn from one to the other, round by round.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import bench
from tests.benchmarks.paths import PATHS

ROUNDS = int(os.environ.get("HOTPATH_ROUNDS", "20"))
TURNS = os.environ.get("HOTPATH_TURNS")
"""Two descriptors, from and to who says whose turn it is; see `tests.benchmarks.turns`."""


@pytest.mark.parametrize("name", PATHS)
def test_hot_path(name: str, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Times one path, ``ROUNDS`` times, and says of which product."""
    benchmark.extra_info["bench"] = str(Path(bench.__file__).parent)
    with PATHS[name](tmp_path) as call:
        call()  # what only the first call costs is not the path's
        pedantic: Callable[..., object] = benchmark.pedantic
        pedantic(call, setup=lambda: _wait(name), teardown=_done, rounds=ROUNDS, iterations=1)


def _wait(name: str) -> None:
    gc.collect()
    if TURNS is not None:
        turn, told = map(int, TURNS.split(","))
        os.write(told, f"{name}\n".encode())
        os.read(turn, 1)


def _done() -> None:
    if TURNS is not None:
        os.write(int(TURNS.split(",")[1]), b"done\n")
