"""An open loop at 200 requests a second over five endpoints: how late do requests start?

The command itself in a process of its own, against a fleet in another, on one machine: the server's
load is on the same cores, and is told beside the figures.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

import bench
from bench.simulator import Fleet
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.turns import ROOT

RATE = 200.0
ENDPOINTS = 5
IN_FLIGHT = 32
LATE_MS = 5.0

PROFILE = """\
about = "Four regions that think for 20 ms, and the endpoint in front of them."
edge_rtt_ms = 0.0

[defaults]
capacity = 200
cache_factor = 1.0
rtt_ms = 1.0
latitude = 0.0
longitude = 0.0
models = ["quick"]
service = { ttft_ms = 20.0, sigma = 0.1, token_ms = 1.0, token_sigma = 0.0 }
background_load = { calm = 0.0 }

[[regions]]
name = "a"
[[regions]]
name = "b"
[[regions]]
name = "c"
[[regions]]
name = "d"

[[models]]
id = "quick"
created = 1775001600
fingerprint = "fp_0000000000"
usd_per_million = { input = 1.0, cached_input = 1.0, output = 1.0 }
efforts = ["none"]
reasoning_tokens = 0
completion_tokens = 8
"""


def open_loop(folder: Path, seconds: float) -> Result:
    """One run of the command, its rows and what it and the fleet took of the cores."""
    profile = folder / "open.toml"
    profile.write_text(PROFILE, encoding="utf-8")
    before = _children_s()
    with Fleet.start(profile=profile) as fleet:
        began = time.monotonic()
        _ask(fleet, folder, round(RATE * seconds / ENDPOINTS))
        took_s, ours_s = time.monotonic() - began, _children_s() - before
    theirs_s = _children_s() - before - ours_s
    rows = bench.load(folder / "open")
    return _result(rows[~rows["warmup"]], {"regionbench": ours_s, "fleet": theirs_s}, took_s)


def _ask(fleet: Fleet, folder: Path, rounds: int) -> None:
    command = [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue), "--yes"),
        *("--rate", f"{RATE:g}", "--rounds", str(rounds), "--concurrency", str(IN_FLIGHT)),
        *("--results", str(folder / "open"), "--no-calibrate", "--no-report", "--json"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])


def _children_s() -> float:
    """CPU time of the children that are over: ours once it is, the fleet's at its end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _result(rows: pd.DataFrame, cpu_s: dict[str, float], took_s: float) -> Result:
    late_ms = rows["late_ns"].dropna().astype("int64") / 1e6
    started = pd.to_datetime(rows["started_at"])
    span_s = (started.max() - started.min()).total_seconds()
    line: dict[str, Any] = {
        "open loop": f"{RATE:g}/s over {rows['endpoint'].nunique()} endpoints",
        "requests": len(rows),
        "failed": int((rows["outcome"] != "ok").sum()),
        "late ms p50": round(float(late_ms.quantile(0.5)), 3),
        "p90": round(float(late_ms.quantile(0.9)), 3),
        "p99": round(float(late_ms.quantile(0.99)), 3),
        "max": round(float(late_ms.max()), 2),
        **{f"cores {name}": round(s / took_s, 2) for name, s in cpu_s.items()},
    }
    figures = [
        Figure("open loop, start lateness p50", float(late_ms.quantile(0.5)), "ms"),
        Figure("open loop, start lateness p99", float(late_ms.quantile(0.99)), "ms", LATE_MS),
        Figure("open loop, start lateness max", float(late_ms.max()), "ms"),
        Figure("open loop, requests a second", (len(rows) - 1) / span_s, "1/s", 0.99 * RATE, True),
        Figure("open loop, rows without their lateness", len(rows) - len(late_ms), "", 0,
               timed=False),
    ]  # fmt: skip
    return Result(figures, [line])
