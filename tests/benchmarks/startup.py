"""What it costs to start: `regionbench --help` and `import bench` against a bare interpreter.

python -m tests.benchmarks.startup [--json] [--quick]

The three take turns, so that a busy machine slows all of them; quoted are medians of ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from tests.benchmarks.figures import Figure, Result, run

CONTESTANTS = {
    "python3 -c pass": [sys.executable, "-c", "pass"],
    "import bench": [sys.executable, "-c", "import bench"],
    "regionbench --help": [sys.executable, "-m", "bench", "--help"],
}


def took(command: list[str]) -> float:
    """Seconds of one start."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def measure(options: argparse.Namespace) -> Result:
    """Interleaved starts of all contestants."""
    rounds = [
        {name: took(command) for name, command in CONTESTANTS.items()}
        for _ in range(8 if options.quick else 60)
    ]
    bare = next(iter(CONTESTANTS))
    ratios = {
        name: statistics.median(round_[name] / round_[bare] for round_ in rounds)
        for name in CONTESTANTS
    }
    table = [
        {
            "start": name,
            "median ms": round(1000 * statistics.median(r[name] for r in rounds), 1),
            "× bare": round(ratios[name], 2),
        }
        for name in CONTESTANTS
    ]
    figure = Figure("regionbench --help over a bare start", ratios["regionbench --help"], "×", 4.0)
    return Result([figure], table)


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure)


if __name__ == "__main__":
    sys.exit(main())
