"""Watches killed at seeded random instants: is a row lost, and does anything survive its watch?

    python -m tests.benchmarks.killed_watches [--kills N] [--seed N] [--json] [--quick]

A watch with a fleet of its own and a new run folder every two seconds, so that there is nearly
always a review under way. It acknowledges each row over a pipe. Every third one is followed by
another watch in the same results folder.
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

from bench.store import StoredRun
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.benchmarks.killing import (
    FINISHED,
    Victim,
    alive,
    descendants,
    stored,
    until_interrupted,
    untold,
)
from tests.profiles import TWO_REGIONS

FOLLOWED_EVERY = 3
FAULTS = ("lost", "doubled", "invented", "untold", "orphans", "stuck")
_FIRST_S, _MIDST_S, _ORPHAN_S = 120.0, 6.0, 60.0


@dataclass(frozen=True)
class Killed:
    """What one kill left behind. ``stuck``: the next watch did not go on beside it."""

    acknowledged: int = 0
    stored: int = 0
    folders: int = 0
    children: int = 0
    followed: int = 0
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    untold: int = 0
    orphans: int = 0
    stuck: int = 0


def words(profile: Path, results: Path, *more: str) -> list[str]:
    """The command of a watch."""
    return [
        *("watch", "--catalogue", "fleet", "--profile", str(profile), "--endpoints", "near,far"),
        *("--results", str(results), "--vantage", "here", "--no-calibrate"),
        *("--listen", "127.0.0.1:0", "--every", "100ms", "--rotate", "2s", *more),
    ]


def kill_one(profile: Path, results: Path, choice: random.Random, *, follow: bool) -> Killed:
    """Start a watch, kill it, look at its folders and for its children."""
    with Victim(words(profile, results)) as victim:
        victim.hear(_FIRST_S, 1)
        victim.hear(_MIDST_S * choice.random())
        children = descendants(victim.process.pid)
        victim.kill()
    orphans = _survivors(children)
    runs = stored(results)
    found = judge(victim.said, runs) | {"untold": untold(results, runs)}
    stuck = int(follow and not _goes_on(profile, results, runs))
    return Killed(
        children=len(children), followed=int(follow), orphans=orphans, stuck=stuck, **found
    )


def judge(said: Sequence[str], runs: Sequence[StoredRun]) -> dict[str, int]:
    """Rows against what was acknowledged; one row is on its way to the store."""
    rows = [row for one in runs for row in one.rows]
    names = [f"{row['run_id']} {row['seq']} {row['request_id']}" for row in rows]
    acknowledged = {line for line in said if not line.endswith(FINISHED)}
    unfinished = [one for one in runs if one.run["status"] == "running"]
    return {
        "acknowledged": len(acknowledged),
        "stored": len(rows),
        "folders": len(runs),
        "lost": len(acknowledged - set(names)) + max(0, len(unfinished) - 1),
        "doubled": len(names) - len(set(names)),
        "invented": max(0, len(set(names) - acknowledged) - 1),
    }


def _survivors(children: Sequence[int]) -> int:
    """A review looks for its watch once it has been loaded, which takes a moment."""
    until = time.monotonic() + _ORPHAN_S
    while any(map(alive, children)) and time.monotonic() < until:
        time.sleep(0.05)
    return sum(map(alive, children))


def _goes_on(profile: Path, results: Path, before: Sequence[StoredRun]) -> bool:
    command = [sys.executable, "-m", "bench", *words(profile, results, "--for", "1s")]
    done = subprocess.run(command, capture_output=True, check=False)
    after = {one.run["run_id"]: one.rows for one in stored(results)}
    kept = all(after[one.run["run_id"]] == one.rows for one in before)
    return done.returncode == 0 and kept and len(after) > len(before)


def measure(options: argparse.Namespace) -> Result:
    """The kills, one after the other."""
    choice = random.Random(options.seed)
    count = 2 if options.quick else options.kills
    with tempfile.TemporaryDirectory(prefix="killed-watches-") as folder:
        profile = Path(folder) / "quick.toml"
        profile.write_text(TWO_REGIONS)
        killed = until_interrupted(
            kill_one(profile, Path(folder) / f"k{n}", choice, follow=n % FOLLOWED_EVERY == 0)
            for n in range(count)
        )
    sums = {name: sum(getattr(one, name) for one in killed) for name in Killed.__dataclass_fields__}
    return Result(_figures(sums, len(killed)), [{"kills": len(killed), **sums}])


def _figures(sums: dict[str, int], count: int) -> list[Figure]:
    return [
        Figure("rows acknowledged", sums["acknowledged"], ""),
        Figure("processes whose watch was killed", sums["children"], ""),
        *(
            Figure(f"{name} in {count} kills", sums[name], "", goal=0, timed=False)
            for name in FAULTS
        ),
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
