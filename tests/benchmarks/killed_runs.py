"""Whole runs of the command, killed at seeded random instants: is a row lost, doubled or invented?

    python -m tests.benchmarks.killed_runs [--kills N] [--seed N] [--json] [--quick]

Two witnesses: the command, which acknowledges each row over a pipe the moment the store has taken
it, and the fleet's own log of what it was asked. Every tenth run is resumed to its end.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.simulator import Fleet
from bench.store import StoredRun, read_run
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.benchmarks.killing import FINISHED, Victim, stored, until_interrupted, untold
from tests.profiles import TWO_REGIONS

ROUNDS = 40
ENDPOINTS = "near,far"
RESUMED_EVERY = 10
IN_FLIGHT = (1, 4)
_SETTLE_S = 0.2
_LOGGED_S = 5.0
_HERE = ("--no-calibrate", "--no-report", "--vantage", "here")


@dataclass(frozen=True)
class Killed:
    """What one kill left behind.

    ``unaccounted``: requests that the fleet answered and that neither have a row nor can have been
    in flight. ``gapless``: resumed runs that do not mark their gap. ``unfinished``: resumed runs
    that do not hold every request of their schedule once.
    """

    concurrency: int
    phase: str
    acknowledged: int = 0
    asked: int = 0
    stored: int = 0
    resumed: int = 0
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    untold: int = 0
    unaccounted: int = 0
    mixed: int = 0
    unfinished: int = 0
    gapless: int = 0


COUNTS = ("acknowledged", "asked", "stored", "resumed")
ROW_FAULTS = ("lost", "doubled", "invented", "untold", "unaccounted", "mixed")
FAULTS = (*ROW_FAULTS, "unfinished", "gapless")


def kill_one(fleet: Fleet, results: Path, choice: random.Random, *, resume: bool) -> Killed:
    """Start a run, kill it, compare what it kept with what was acknowledged and asked."""
    concurrency = choice.choice(IN_FLIGHT)
    before = len(fleet.truth())
    with Victim(_words(fleet, results, concurrency)) as victim:
        early = choice.random() < 0.15
        victim.hear(*((2.0 * choice.random(),) if early else (60.0, 1)))
        victim.hear(1.5 * choice.random())
        victim.kill()
    runs = stored(results)
    asked = _asked(fleet, before, runs)
    found = judge(concurrency, victim.said, asked, runs) | {"untold": untold(results, runs)}
    if resume and runs and runs[0].run["status"] != "complete":
        found |= _resume(next(results.iterdir()), concurrency) | {"resumed": 1}
    return Killed(concurrency, _phase(victim.said, runs), **found)


def judge(
    concurrency: int, said: Sequence[str], asked: Sequence[str], runs: Sequence[StoredRun]
) -> dict[str, int]:
    """Rows against what was acknowledged and what the fleet was asked. One row at a time is on its
    way to the store, and as many requests as there are workers to the fleet."""
    rows = [row for one in runs for row in one.rows]
    known = {f"{row['run_id']} {row['seq']} {row['request_id']}" for row in rows}
    ids = [row["request_id"] for row in rows if row["request_id"] is not None]
    acknowledged = [line for line in said if not line.endswith(FINISHED)]
    ahead = len(rows) - len(acknowledged)
    return {
        "acknowledged": len(acknowledged),
        "asked": len(asked),
        "stored": len(rows),
        "lost": len(set(acknowledged) - known),
        "doubled": len(rows) - len({row["seq"] for row in rows}) + len(ids) - len(set(ids)),
        "invented": len(set(ids) - set(asked)) + max(0, ahead - 1),
        "unaccounted": max(0, len(set(asked) - set(ids)) - concurrency),
        "mixed": len({row["run_id"] for row in rows}) - bool(rows),
    }


def _phase(said: Sequence[str], runs: Sequence[StoredRun]) -> str:
    if not said:
        return "before a row"
    if said[-1].endswith(FINISHED):
        return "after the end"
    return "finish" if len(said) == runs[0].run["scheduled"] else "rows"


def _words(fleet: Fleet, results: Path, concurrency: int) -> list[str]:
    return [
        *("run", "--catalogue", str(fleet.catalogue), "--endpoints", ENDPOINTS, *_HERE),
        *("--results", str(results), "--rounds", str(ROUNDS), "--concurrency", str(concurrency)),
    ]


def _asked(fleet: Fleet, before: int, runs: Sequence[StoredRun]) -> list[str]:
    """What the fleet says it was asked; it writes its log when it has answered."""
    time.sleep(_SETTLE_S)
    ids = {row["request_id"] for one in runs for row in one.rows} - {None}
    until = time.monotonic() + _LOGGED_S
    while True:
        asked = [deed["request_id"] for deed in fleet.truth()[before:] if deed["model"]]
        if ids <= set(asked) or time.monotonic() > until:
            return asked
        time.sleep(_SETTLE_S)


def _resume(folder: Path, concurrency: int) -> dict[str, int]:
    """It goes on to its end with every request of the schedule once, and says where it paused."""
    before = read_run(folder).rows
    command = [sys.executable, "-m", "bench", "run", "--resume", str(folder), *_HERE]
    done = subprocess.run(command, capture_output=True, check=False)
    after = read_run(folder)
    scheduled = 2 * (ROUNDS + concurrency)
    seqs = sorted(row["seq"] for row in after.rows if row["seq"] < scheduled)
    ids = [row["request_id"] for row in after.rows if row["request_id"]]
    whole = seqs == list(range(scheduled)) and len(ids) == len(set(ids))
    same = after.rows[: len(before)] == before and after.run["status"] == "complete"
    marked = "resumed" in {caution.code for caution in after.cautions}
    return {
        "unfinished": int(done.returncode != 0 or not whole or not same),
        "gapless": int(not marked),
    }


def measure(options: argparse.Namespace) -> Result:
    """The kills, one after the other."""
    choice = random.Random(options.seed)
    count, every = (6, 3) if options.quick else (options.kills, RESUMED_EVERY)
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        profile = Path(folder) / "quick.toml"
        profile.write_text(TWO_REGIONS)
        with Fleet.start(profile, seed=options.seed) as fleet:
            killed = until_interrupted(
                kill_one(fleet, Path(folder) / f"k{n}", choice, resume=n % every == 0)
                for n in range(count)
            )
    return Result([*_sums(killed), *_faults(killed)], table(killed))


def _sums(killed: Sequence[Killed]) -> list[Figure]:
    names = {"rows acknowledged": "acknowledged", "requests asked": "asked", "resumed": "resumed"}
    return [Figure(name, sum(getattr(k, key) for k in killed), "") for name, key in names.items()]


def _faults(killed: Sequence[Killed]) -> list[Figure]:
    return [
        Figure(f"{name} in {len(killed)} kills", total, "", goal=0, timed=False)
        for name in FAULTS
        for total in [sum(getattr(one, name) for one in killed)]
    ]


def table(killed: Sequence[Killed]) -> list[dict[str, Any]]:
    """One line per number in flight and phase in which the kill struck."""
    return [
        {"in flight": number, "kill struck": phase, "kills": len(struck)}
        | {name: sum(getattr(one, name) for one in struck) for name in (*COUNTS, *FAULTS)}
        for number in IN_FLIGHT
        for phase in ("before a row", "rows", "finish", "after the end")
        if (struck := [k for k in killed if (k.concurrency, k.phase) == (number, phase)])
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
