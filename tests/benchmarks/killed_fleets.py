"""Fleets killed in the midst of runs, and runs killed over their fleets: what is left of either?

    python -m tests.benchmarks.killed_fleets [--kills N] [--seed N] [--json] [--quick]

A run whose servers die goes on to its end: every request of its schedule is one row, those that
nobody answered are failures with the right outcome. A fleet whose run dies does not survive it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import OK, UNMEASURABLE
from bench.model import NOT_ASKED
from bench.simulator import Fleet, truth
from bench.store import StoredRun, read_run
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.benchmarks.killing import Victim, alive, descendants, until_interrupted
from tests.profiles import TWO_REGIONS

ROUNDS, WARMUPS, ENDPOINTS = 20, 1, 2
GONE = {"connect_fail", "tls_fail", "truncated", "stream_error"}
"""What a request becomes whose server dies: before it is connected, or in its midst."""

SIDES = ("the fleet of others", "its own fleet", "the run")
FAULTS = ("hung", "missing", "doubled", "wrong_outcome", "untold", "orphans")
_HUNG_S = 600.0
_ORPHAN_S = 10.0


@dataclass(frozen=True)
class Killed:
    """What one kill left behind; ``outcomes`` counts rows by outcome."""

    side: str
    in_flight: int
    outcomes: Counter[str]
    hung: int = 0
    missing: int = 0
    doubled: int = 0
    wrong_outcome: int = 0
    untold: int = 0
    orphans: int = 0


def kill_one(profile: Path, results: Path, side: str, choice: random.Random) -> Killed:
    """Start a run, kill one side of it at a random instant, look at the other."""
    in_flight = choice.choice((1, 4))
    if side == SIDES[0]:
        with Fleet.start(profile, seed=1) as fleet:
            command = words(str(fleet.catalogue), profile, results, in_flight)
            return _strike(command, results, in_flight, side, choice, fleet)
    return _strike(words("fleet", profile, results, in_flight), results, in_flight, side, choice)


def words(catalogue: str, profile: Path, results: Path, in_flight: int) -> list[str]:
    """The command of a run."""
    return [
        *("run", "--catalogue", catalogue, "--profile", str(profile), "--endpoints", "near,far"),
        *("--no-calibrate", "--no-report", "--vantage", "here", "--results", str(results)),
        *("--rounds", str(ROUNDS), "--concurrency", str(in_flight), "--timeout", "10s"),
    ]


def _strike(
    command: Sequence[str],
    results: Path,
    in_flight: int,
    side: str,
    choice: random.Random,
    fleet: Fleet | None = None,
) -> Killed:
    with Victim(command) as victim:
        victim.hear(_HUNG_S, 1)
        servers = descendants(victim.process.pid) if fleet is None else [fleet.pid]
        victim.hear(0.4 * choice.random())
        if side == "the run":
            victim.kill()
            return Killed(side, in_flight, Counter(), orphans=_survivors(servers))
        for server in servers:
            os.kill(server, signal.SIGKILL)
        victim.hear(_HUNG_S)
        code = victim.process.poll() if victim.process.poll() is not None else _wait(victim)
    (folder,) = results.iterdir()
    answered = None if fleet is None else {d["request_id"] for d in truth.read(fleet.folder)}
    found = judge(read_run(folder), in_flight, code, answered)
    return Killed(side, in_flight, **found)


def _wait(victim: Victim) -> int | None:
    until = time.monotonic() + _HUNG_S
    while victim.process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    return victim.process.poll()


def judge(
    stored: StoredRun, in_flight: int, code: int | None, answered: set[str] | None
) -> dict[str, Any]:
    """Each request of the schedule is one row: answered, lost with its server, or not asked."""
    seqs = [row["seq"] for row in stored.rows]
    scheduled = ENDPOINTS * (ROUNDS + WARMUPS * in_flight)
    return {
        "outcomes": Counter(row["outcome"] for row in stored.rows),
        "hung": int(code is None),
        "missing": len(set(range(scheduled)) - set(seqs)),
        "doubled": len(seqs) - len(set(seqs)),
        "wrong_outcome": sum(not _is_right(row, answered) for row in stored.rows),
        "untold": int(stored.run["status"] != "complete" or code not in (OK, UNMEASURABLE)),
    }


def _is_right(row: dict[str, Any], answered: set[str] | None) -> bool:
    if row["outcome"] == "ok":
        return answered is None or row["request_id"] in answered
    if row["outcome"] == "cancelled":
        return NOT_ASKED in (row["flags"] or "").split()
    untimed: bool = row["failed_phase"] is not None and row["total_ns"] is None
    return row["outcome"] in GONE and untimed


def _survivors(servers: Sequence[int]) -> int:
    until = time.monotonic() + _ORPHAN_S
    while any(map(alive, servers)) and time.monotonic() < until:
        time.sleep(0.05)
    return sum(map(alive, servers)) + (not servers)


def measure(options: argparse.Namespace) -> Result:
    """The kills, one after the other."""
    choice = random.Random(options.seed)
    count = 3 if options.quick else options.kills
    with tempfile.TemporaryDirectory(prefix="killed-fleets-") as folder:
        profile = Path(folder) / "quick.toml"
        profile.write_text(TWO_REGIONS)
        killed = until_interrupted(
            kill_one(profile, Path(folder) / f"k{n}", SIDES[n % len(SIDES)], choice)
            for n in range(count)
        )
    sums = {name: sum(getattr(one, name) for one in killed) for name in FAULTS}
    figures = [
        Figure(f"{name} in {len(killed)} kills", total, "", goal=0, timed=False)
        for name, total in sums.items()
    ]
    failed = sum(sum(one.outcomes[name] for name in GONE) for one in killed)
    return Result([Figure("requests lost with their server", failed, ""), *figures], table(killed))


def table(killed: Sequence[Killed]) -> list[dict[str, Any]]:
    """One line per side that was killed."""
    return [
        {"killed": side, "kills": len(those)}
        | {"rows": "; ".join(f"{n} {name}" for name, n in outcomes.most_common())}
        | {name: sum(getattr(one, name) for one in those) for name in FAULTS}
        for side in SIDES
        if (those := [one for one in killed if one.side == side])
        for outcomes in [sum((one.outcomes for one in those), Counter())]
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
