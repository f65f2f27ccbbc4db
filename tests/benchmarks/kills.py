"""Writers killed at seeded random instants: is any acknowledged row lost or doubled?

    python -m tests.benchmarks.kills [--kills N] [--json] [--quick]

A child makes a run, appends rows and acknowledges each over a pipe; the parent kills it, during
creation, appends, compaction or after, and reads what is left as any user would.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.store import RunWriter, StoredRun, read_run, repair
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.store_kit import row, run, sample

CREATED, FINISHED = -1, -2
_ENDLESS = 100_000


@dataclass(frozen=True)
class Kill:
    """What one kill left behind."""

    acknowledged: int
    phase: str
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    untold: int = 0
    torn: int = 0


def child(results: Path, run_id: str, rows: int) -> None:
    """A run that acknowledges each step the moment its call has returned."""
    with RunWriter.create(results, run(rows, run_id=run_id)) as writer:
        acknowledge(CREATED)
        for seq in range(rows):
            writer.append(sample(seq, run_id=run_id))
            acknowledge(seq)
            writer.sync_if_due()
        writer.finish("complete")
        acknowledge(FINISHED)


def acknowledge(what: int) -> None:
    os.write(1, b"%d\n" % what)


def kill_one(results: Path, run_id: str, choice: random.Random) -> Kill:
    """Starts a child, kills it at a random instant, judges what is on the disk."""
    rows = choice.choice((0, 20, 500, _ENDLESS, _ENDLESS, _ENDLESS))
    command = [sys.executable, "-m", __spec__.name, "--child", str(results), run_id, str(rows)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    longest_s = 0.15 if rows == _ENDLESS else 1.0
    heard = _hear(process, longest_s * choice.random(), choice.random() < 0.1)
    return judge(results / run_id, run_id, rows, heard)


def _hear(process: subprocess.Popen[bytes], wait_s: float, early: bool) -> list[int]:
    """All that was acknowledged before the kill. An early kill hits start and creation."""
    assert process.stdout is not None
    fd, heard, until = process.stdout.fileno(), b"", float("inf")
    if early:
        until = time.monotonic() + wait_s
    while time.monotonic() < until:
        ready, _, _ = select.select([fd], [], [], min(max(until - time.monotonic(), 0), 30))
        if not ready:
            break
        part = os.read(fd, 1 << 16)
        if not part:
            break
        until = min(until, time.monotonic() + wait_s)
        heard += part
    process.send_signal(signal.SIGKILL)
    with process:
        heard += process.stdout.read()
    # An acknowledgement is a whole line; a pipe passes short writes whole
    return [int(word) for word in heard.split()]


def judge(folder: Path, run_id: str, rows: int, heard: list[int]) -> Kill:
    """Compares what was acknowledged with what a reader finds, before and after a repair."""
    acknowledged = [seq for seq in heard if seq >= 0]
    if CREATED not in heard:
        return Kill(0, "creation", lost=int(not _sound(folder)))
    stored = read_run(folder)
    told = {caution.code for caution in stored.cautions}
    phase = "finished" if FINISHED in heard else "appends"
    if phase == "appends" and len(acknowledged) == rows:
        phase = "finish"
    found = [found["seq"] for found in stored.rows]
    return Kill(
        acknowledged=len(acknowledged),
        phase=phase,
        lost=len(set(acknowledged) - set(found)),
        doubled=len(found) - len(set(found)),
        invented=_invented(stored, run_id) + max(0, len(found) - len(acknowledged) - 1),
        untold=int(_untold(stored, FINISHED in heard) or not _repairable(folder, stored)),
        torn=int("torn_tail" in told),
    )


def _sound(folder: Path) -> bool:
    """A folder that was never promised may be missing or unreadable, but not full of wonders."""
    try:
        return not read_run(folder).rows
    except StoreError:
        return True


def _invented(stored: StoredRun, run_id: str) -> int:
    return sum(found != row(sample(found["seq"], run_id=run_id)) for found in stored.rows)


def _untold(stored: StoredRun, finished: bool) -> bool:
    if stored.run["status"] == "complete":
        return bool(stored.cautions)
    return finished or "killed" not in {caution.code for caution in stored.cautions}


def _repairable(folder: Path, stored: StoredRun) -> bool:
    repair(folder)
    return read_run(folder).rows == stored.rows and repair(folder) == ()


QUICK = 25
FAULTS = {"lost": "rows", "doubled": "rows", "invented": "rows", "untold": "runs"}


def measure(options: argparse.Namespace) -> Result:
    """The kills, one after the other."""
    choice = random.Random(options.seed)
    count = QUICK if options.quick else options.kills
    with tempfile.TemporaryDirectory() as folder:
        kills = [kill_one(Path(folder), f"k{n}", choice) for n in range(count)]
    return Result([_figure(name, kills) for name in FAULTS], table(kills))


def _figure(name: str, kills: list[Kill]) -> Figure:
    bad = sum(getattr(kill, name) for kill in kills)
    return Figure(f"{name} in {len(kills)} kills", bad, FAULTS[name], goal=0, timed=False)


def table(kills: list[Kill]) -> list[dict[str, Any]]:
    """One line per phase in which the kill struck."""
    names = ("acknowledged", *FAULTS, "torn")
    return [
        {"phase": phase, "kills": len(struck)}
        | {name: sum(getattr(kill, name) for kill in struck) for name in names}
        for phase in ("creation", "appends", "finish", "finished")
        if (struck := [kill for kill in kills if kill.phase == phase])
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)


def main() -> int:
    """The command, and the child that it kills."""
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return 0
    return run_benchmark(__doc__ or "", measure, _options)


if __name__ == "__main__":
    sys.exit(main())
