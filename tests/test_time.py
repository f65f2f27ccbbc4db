"""Clocks that are set and processes that stand still, in the midst of a run: flagged, and never a
latency that is not one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.model import GAP
from bench.simulator import Fleet
from bench.store import read_run
from tests.profiles import steady
from tests.programs import require_program

TTFT_NS, TOKEN_NS = 100_000_000, 10_000_000
CACHED_NS = 80_000_000
"""What the fleet takes for a prompt that it has seen before."""

HOUR_MS = 3_600_000
STEPS = (*map(str, (HOUR_MS, -HOUR_MS, 20, -20, 500)), f"{HOUR_MS}+back", f"{-HOUR_MS}+back")
TIMES = (
    *("tcp_ns", "tls_ns", "send_ns", "ttfb_kernel_ns", "ttfb_socket_ns", "ttfb_app_ns", "ttfb_ns"),
    *("ttft_ns", "last_token_ns", "total_ns", "wakeup_late_ns"),
)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One region that takes 100 ms to its first token."""
    profile = tmp_path_factory.mktemp("slow") / "slow.toml"
    profile.write_text(steady(TTFT_NS / 1e6, TOKEN_NS / 1e6))
    with Fleet.start(profile, seed=1) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLOCK_REALTIME that can be set for one process."""
    if sys.platform != "linux":
        pytest.skip("a clock for one process needs Linux's LD_PRELOAD")
    require_program("gcc")
    library = tmp_path_factory.mktemp("clock") / "stepped.so"
    source = Path(__file__).with_name("stepped.c")
    command = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library


def test_a_clock_that_is_set_within_a_request_is_in_no_time_of_it(
    clock: Path, slow: Fleet, tmp_path: Path
) -> None:
    """Set on and back by hours and by 20 ms, and there and back, warm and cold: every layer tells
    the truth, and rows of the wire are flagged (there and back: if a packet was stamped then)."""
    for row, step, took_ns in stepped(clock, slow, tmp_path):
        assert row["outcome"] == "ok", row["error"]
        known = {name: row[name] for name in TIMES if row[name] is not None}
        assert all(0 <= value <= took_ns for value in known.values()), (step, took_ns, str(known))
        assert CACHED_NS <= row["ttft_ns"] <= row["total_ns"], (step, str(known))
        if row["client"] != "xai-sdk" and not step.endswith("+back"):
            assert row["clock_step"], step
            assert (row["ttfb_layer"], row["wakeup_late_ns"]) == ("socket", None)


def stepped(clock: Path, fleet: Fleet, folder: Path) -> list[tuple[dict[str, Any], str, int]]:
    """Rows of a run, each with the step in its midst and how long it took by another clock."""
    steps, results = folder / "steps", folder / "results"
    steps.write_bytes(bytes(32))
    words = [str(fleet.catalogue), str(results), str(steps), "2", *STEPS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.stepping", *words],
        env={**os.environ, "LD_PRELOAD": str(clock), "STEPS": str(steps)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (run,) = results.iterdir()
    return [(row, *told[str(row["seq"])]) for row in read_run(run).rows]


def test_the_clock_of_the_test_is_set(clock: Path, tmp_path: Path) -> None:
    """A step that nobody sees would pass everywhere."""
    steps = tmp_path / "steps"
    steps.write_bytes(
        (1).to_bytes(8, "little") + (HOUR_MS * 10**6).to_bytes(8, "little") + bytes(16)
    )
    command = [sys.executable, "-c", "import time; print(time.time_ns())"]
    env = {**os.environ, "LD_PRELOAD": str(clock), "STEPS": str(steps)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert int(done.stdout) - time.time_ns() == pytest.approx(HOUR_MS * 10**6, rel=0.1)


def words(fleet: Fleet, results: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue)),
        *("--results", str(results), "--vantage", "here", "--no-calibrate", "--no-report", *more),
    ]


def test_a_run_that_stood_still_has_no_latency_of_the_silence(slow: Fleet, tmp_path: Path) -> None:
    """SIGSTOP to all of it, as when a laptop is closed: what was in flight is cancelled and says
    why, whether its client is a part of the process or not; all before and after it counts."""
    require_program("curl")
    command = words(slow, tmp_path / "results", "--client", "httpx,curl", "--rounds", "20")
    with subprocess.Popen([*command, "--concurrency", "4"], stderr=subprocess.PIPE) as process:
        wait_for_rows(tmp_path / "results", 20)
        family = [process.pid, *children(process.pid)]
        tell(family, signal.SIGSTOP)
        time.sleep(1.5)
        tell(family, signal.SIGCONT)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    (folder,) = (tmp_path / "results").iterdir()
    stored = read_run(folder)
    assert stored.run["status"] == "complete"
    gaps = [row for row in stored.rows if GAP in (row["flags"] or "").split()]
    assert 1 <= len(gaps) <= 4
    assert {row["outcome"] for row in gaps} == {"cancelled"}
    assert all("nothing ran here for" in row["error"] for row in gaps)
    others = [row for row in stored.rows if row not in gaps]
    assert {row["outcome"] for row in others} == {"ok"}
    assert all(row["total_ns"] < 1e9 for row in others)
    assert bench.summarise(bench.load(folder)).to_dict()


def tell(family: list[int], kind: signal.Signals) -> None:
    """All of them, save one that has ended meanwhile: a curl lives for one request."""
    for number in family:
        with suppress(ProcessLookupError):
            os.kill(number, kind)


def children(parent: int) -> list[int]:
    """Processes that a process has started, and that these have."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [pid for pid, above in pairs if above == parent]
    return found + [below for pid in found for below in children(pid)]


def wait_for_rows(results: Path, count: int) -> None:
    for _ in range(3000):
        if any(f.read_bytes().count(b"\n") >= count for f in results.glob("*/samples.jsonl")):
            return
        time.sleep(0.01)
    raise AssertionError(f"there never were {count} rows in {results}")
