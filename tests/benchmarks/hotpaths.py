"""Our own speed: the hot paths of an older revision and of the working tree, by turns.

    python -m tests.benchmarks.hotpaths [--against REV] [--json] [--quick] [--keep FOLDER]

REV is by default where this branch left main, or the commit before. Two processes of the same
interpreter take turns round by round, in CPU time; a few such pairs, since each process has a luck
of its own. Both sides' pytest-benchmark files are loaded as runs, and judged by the product's own
comparison (mode A): a path has regressed when its p50 is shown to be slower, by a fifth or more.
With ``--against HEAD`` a clean tree is compared with itself. CPU time does not see waiting: a sleep
or a slower disk is not found here.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd

import bench
from bench.stats.compare import compare
from bench.stats.verdict import Judged
from tests.benchmarks.figures import Figure, Result, run
from tests.benchmarks.paths import PATHS
from tests.benchmarks.turns import ROOT, Player, play

FLOOR = 0.20
"""The smallest change that counts: what remains of a shared machine's noise stays below it."""

PAIRS, ROUNDS = 4, 15
QUICK = (1, 5)
"""Every path on both sides, and too few rounds to judge one: CI asks whether it still runs."""


def revision(asked: str | None) -> str | None:
    """The commit to compare with; None where there is no history."""
    for name in (asked,) if asked else ("origin/main", "main", "HEAD~1"):
        base = _git("merge-base", "HEAD", name) if not asked else _git("rev-parse", name)
        if base and (asked or base != _git("rev-parse", "HEAD")):
            return base
    return None


def _git(*words: str) -> str | None:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def check_out(commit: str, folder: Path) -> Path:
    """The package as it was at ``commit``, without a trace in the repository."""
    command = ["git", "-C", str(ROOT), "archive", commit, "bench"]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass(frozen=True)
class Versions:
    """Two folders that hold a `bench` each."""

    old: Path
    new: Path


def sit(versions: Versions, folder: Path, number: int, rounds: int, only: str = "") -> pd.DataFrame:
    """One pair of processes to its end, as rows of one run with the clients ``old`` and ``new``."""
    with (
        Player(versions.old, folder / "old", rounds, only) as one,
        Player(versions.new, folder / "new", rounds, only) as other,
    ):
        play(one, other, random.Random(number))
    sides = [side(one.json, "old", versions.old), side(other.json, "new", versions.new)]
    both = pd.concat(sides, ignore_index=True)
    return both.assign(run_id=f"pair-{number}")


def side(file: Path, name: str, packages: Path) -> pd.DataFrame:
    """The rows of one side. RuntimeError when another product than was meant was timed."""
    timed = set(_packages(file))
    if timed != {str(packages / "bench")}:
        raise RuntimeError(f"{name}: {packages / 'bench'} was to be timed, and {timed} was")
    df = bench.load(file)
    paths = df["endpoint"].astype(str).str.extract(r"\[(.*)\]")[0]
    return df.assign(client=name, endpoint=paths)


def _packages(file: Path) -> list[str]:
    benchmarks = json.loads(file.read_text("utf-8"))["benchmarks"]
    return [one["extra_info"]["bench"] for one in benchmarks]


def slower(one: Judged) -> bool:
    """Whether a path's median is shown to be slower, and by enough."""
    return one.state == "regressed" and (one.change or 0.0) >= FLOOR


def judge(df: pd.DataFrame) -> list[Judged]:
    """Each path's p50, new against old."""
    return [one for one in compare(df, "client", "old", "new").judged if one.measure == "p50"]


def _line(one: Judged) -> dict[str, object]:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:+.1f} %"

    return {
        "path": one.endpoint,
        "rounds": one.n,
        "old ms": one.baseline,
        "new ms": one.observed,
        "change": percent(one.change),
        "interval": f"{percent(one.low)} … {percent(one.high)}",
        "detectable": percent(one.detectable),
        "state": "slower" if slower(one) else one.state,
        "reason": one.reason,
    }


def measure(options: argparse.Namespace) -> Result:
    """Old against new; without history, nothing to measure, said aloud."""
    commit = revision(options.against)
    if commit is None:
        told = options.against or "an older revision"
        return Result([], notes=[f"There is no {told} in this repository: nothing was compared."])
    whole = not options.quick
    pairs, rounds = (PAIRS, ROUNDS) if whole else QUICK
    with tempfile.TemporaryDirectory(prefix="hotpaths-") as made:
        folder = options.keep or Path(made)
        versions = Versions(check_out(commit, folder / "then"), ROOT)
        sittings = [sit(versions, folder / str(n), n, rounds) for n in range(pairs)]
    judged = judge(pd.concat(sittings, ignore_index=True))
    regressed = [one.endpoint for one in judged if slower(one)]
    figures = [
        Figure("paths that are slower by a fifth", len(regressed), "", 0),
        Figure("paths compared", sum(one.change is not None for one in judged), "",
               len(PATHS) if whole and commit == _git("rev-parse", "HEAD") else None, True, False),
    ]  # fmt: skip
    against = f"Against {commit[:12]}, {pairs} pairs of processes, CPU time."
    return Result(figures, [_line(one) for one in judged], [against])


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--against", metavar="REV", help="default: the merge base with main")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep both sides' JSON there")


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure, _options)


if __name__ == "__main__":
    sys.exit(main())
