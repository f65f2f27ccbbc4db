"""Writers killed at seeded random instants: is any acknowledged row lost or doubled?

    python -m tests.benchmarks.kills [--kills N] [--json] [--quick]

A child makes a run, appends rows and acknowledges each over a pipe; the parent kills it, during
creation, appends, compaction or after, and reads what is left as any user would.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
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


def measure(kills: int, seed: int = 1) -> list[Kill]:
    """The kills, one after the other."""
    choice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        return [kill_one(Path(folder), f"k{n}", choice) for n in range(kills)]


def document(kills: list[Kill]) -> dict[str, Any]:
    """The figures and the table, in the form that all benchmarks share."""
    bad = {name: sum(getattr(kill, name) for kill in kills) for name in FAULTS}
    figures = [
        {"name": f"{name} in {len(kills)} kills", "value": value, "unit": FAULTS[name]}
        | {"goal": 0, "holds": value == 0}
        for name, value in bad.items()
    ]
    return {"machine": machine(), "figures": figures, "table": table(kills)}


FAULTS = {"lost": "rows", "doubled": "rows", "invented": "rows", "untold": "runs"}


def table(kills: list[Kill]) -> list[dict[str, Any]]:
    """One line per phase in which the kill struck."""
    names = ("acknowledged", *FAULTS, "torn")
    return [
        {"phase": phase, "kills": len(struck)}
        | {name: sum(getattr(kill, name) for kill in struck) for name in names}
        for phase in ("creation", "appends", "finish", "finished")
        if (struck := [kill for kill in kills if kill.phase == phase])
    ]


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def show(result: dict[str, Any]) -> None:
    """The same as text."""
    names = list(result["table"][0])
    print("  ".join(f"{name:>12}" for name in names))
    for line in result["table"]:
        print("  ".join(f"{line[name]:>12}" for name in names))
    for figure in result["figures"]:
        verdict = "holds" if figure["holds"] else "MISSED"
        print(f"{figure['name']}: {figure['value']} {figure['unit']} (goal 0, {verdict})")


def main(arguments: list[str]) -> int:
    """The command; 1 when a figure misses its goal."""
    if arguments[:1] == ["--child"]:
        child(Path(arguments[1]), arguments[2], int(arguments[3]))
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kills")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="40 kills")
    options = parser.parse_args(arguments)
    result = document(measure(40 if options.quick else options.kills, options.seed))
    if options.json:
        print(json.dumps(result))
    else:
        show(result)
    return int(not all(figure["holds"] for figure in result["figures"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
