"""Power cuts at every instant of a results folder's life: is a promise of the store broken?

    python -m tests.benchmarks.power_cuts [--cuts N] [--seed N] [--json] [--quick]

On a disk that keeps what was not synced and materialises any of it: see `tests.crash_disk`. Three
stores that leave out one kind of fsync show that it would be seen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests import crash_life
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark

QUICK = 200


def lives(first_seed: int, cuts: int, control: str | None = None) -> tuple[int, int, list[str]]:
    """One life after the other until so many cuts: lives, cuts and broken promises."""
    seed, struck, faults = first_seed, 0, list[str]()
    with tempfile.TemporaryDirectory(prefix="power-cuts-") as folder, suppress(KeyboardInterrupt):
        while struck < cuts:
            found = crash_life.live(Path(folder), seed, 1.0, control)
            struck, faults, seed = struck + found[0], faults + found[1], seed + 1
    return seed - first_seed, struck, faults


def measure(options: argparse.Namespace) -> Result:
    """The store as it is, and the controls."""
    count, struck, faults = lives(options.seed, QUICK if options.quick else options.cuts)
    figures = [
        Figure("lives of a results folder", count, ""),
        Figure("power cuts", struck, ""),
        Figure("promises broken", len(faults), "", goal=0, timed=False),
    ]
    controls = {name: lives(options.seed, QUICK, name) for name in crash_life.CONTROLS}
    figures += [
        Figure(f"caught with {name}", len(broken), f"of {cuts}", goal=1, floor=True, timed=False)
        for name, (_, cuts, broken) in controls.items()
    ]
    return Result(figures, notes=faults[:5])


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cuts", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
