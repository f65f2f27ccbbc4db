"""Whole runs of the command, killed at seeded random instants: is a request lost or doubled?

    python -m tests.benchmarks.killed_runs [--kills N] [--json] [--quick]

The fleet's own log is the witness: a request counts as acknowledged when a later one was asked,
since the command stores a row before it sends the next. Every tenth run is resumed to its end.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.simulator import Fleet
from bench.store import read_run
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.profiles import TWO_REGIONS

ROUNDS = 40
ENDPOINTS = "near,far"
RESUMED_EVERY = 10
_SETTLE_S = 0.2


@dataclass(frozen=True)
class Killed:
    """What one kill left behind."""

    concurrency: int
    asked: int
    stored: int
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    mixed: int = 0
    unfinished: int = 0


FAULTS = tuple(f.name for f in fields(Killed) if f.name not in ("concurrency", "asked", "stored"))


def kill_one(fleet: Fleet, results: Path, choice: random.Random, *, resumed: bool) -> Killed:
    """Start a run, kill it, compare what it kept with what the fleet was asked."""
    concurrency = choice.choice((1, 1, 4))
    before = len(fleet.truth())
    command = _command(fleet, results, "--rounds", str(ROUNDS), "--concurrency", str(concurrency))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait(results, process, choice)
        process.send_signal(signal.SIGKILL)
    time.sleep(_SETTLE_S)  # what was in flight is written into the fleet's log
    asked = _asked(fleet, before)
    rows = _rows(results)
    unfinished = int(resumed and bool(rows) and not _resumes(fleet, results, concurrency))
    return judge(concurrency, asked, rows, unfinished)


def judge(
    concurrency: int, asked: list[str], rows: list[dict[str, Any]], unfinished: int = 0
) -> Killed:
    """The last requests asked, one a worker, may be on their way; all others have a row."""
    ids = [row["request_id"] for row in rows if row["request_id"] is not None]
    missing = [number for number, name in enumerate(asked) if name not in set(ids)]
    late = len(asked) - concurrency
    lost = [number for number in missing if concurrency > 1 or number < late]
    return Killed(
        concurrency=concurrency,
        asked=len(asked),
        stored=len(rows),
        lost=max(0, len(lost) - (concurrency if concurrency > 1 else 0)),
        doubled=len(rows) - len({row["seq"] for row in rows}) + len(ids) - len(set(ids)),
        invented=len(set(ids) - set(asked)),
        mixed=len({row["run_id"] for row in rows}) - bool(rows),
        unfinished=unfinished,
    )


def _command(fleet: Fleet, results: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue)),
        *("--endpoints", ENDPOINTS, "--no-calibrate", "--no-report", "--vantage", "here"),
        *("--results", str(results), *more),
    ]


def _wait(results: Path, process: subprocess.Popen[bytes], choice: random.Random) -> None:
    """Until a random instant: mostly of the measuring, sometimes of what comes before it."""
    until = time.monotonic() + (60.0 if choice.random() < 0.85 else 2.0 * choice.random())
    while time.monotonic() < until and process.poll() is None:
        if any(file.stat().st_size for file in results.glob("*/samples.jsonl")):
            time.sleep(1.5 * choice.random())
            return
        time.sleep(0.005)


def _asked(fleet: Fleet, before: int) -> list[str]:
    return [deed["request_id"] for deed in fleet.truth()[before:] if deed["model"]]


def _rows(results: Path) -> list[dict[str, Any]]:
    try:
        return [row for folder in results.iterdir() for row in read_run(folder).rows]
    except (FileNotFoundError, StoreError):
        return []


def _resumes(fleet: Fleet, results: Path, concurrency: int) -> bool:
    """Whether it goes on to its end, with every request of the schedule once."""
    folder = next(results.iterdir())
    if read_run(folder).run["status"] == "complete":
        return True
    command = [sys.executable, "-m", "bench", "run", "--resume", str(folder)]
    done = subprocess.run(
        [*command, "--no-calibrate", "--no-report", "--vantage", "here"],
        capture_output=True,
        check=False,
    )
    scheduled = 2 * (ROUNDS + concurrency)
    rows = _rows(results)
    seqs = sorted(row["seq"] for row in rows if row["seq"] < scheduled)
    ids = [row["request_id"] for row in rows if row["request_id"]]
    return done.returncode == 0 and seqs == list(range(scheduled)) and len(ids) == len(set(ids))


def measure(options: argparse.Namespace) -> Result:
    """The kills, one after the other."""
    choice = random.Random(options.seed)
    count = 6 if options.quick else options.kills
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        profile = Path(folder) / "quick.toml"
        profile.write_text(TWO_REGIONS)
        with Fleet.start(profile, seed=options.seed) as fleet:
            killed = [
                kill_one(
                    *(fleet, Path(folder) / f"k{number}", choice),
                    resumed=number % (3 if options.quick else RESUMED_EVERY) == 0,
                )
                for number in range(count)
            ]
    figures = [
        Figure(
            f"{name} in {count} kills", sum(getattr(k, name) for k in killed), "", 0, timed=False
        )
        for name in FAULTS
    ]
    return Result(
        [Figure("requests asked", sum(k.asked for k in killed), ""), *figures], table(killed)
    )


def table(killed: list[Killed]) -> list[dict[str, Any]]:
    """One line per number in flight."""
    return [
        {"in flight": number, "kills": len(struck)}
        | {name: sum(getattr(k, name) for k in struck) for name in ("asked", "stored", *FAULTS)}
        for number in (1, 4)
        if (struck := [k for k in killed if k.concurrency == number])
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
