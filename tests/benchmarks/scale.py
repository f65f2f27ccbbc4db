"""A year of watching in one frame: load and summarise beside DuckDB and polars, and every plot.

    python -m tests.benchmarks.scale [--json] [--quick] [--folder DIR] [--rows N ...] [--plots]
                                     [--report]

Runs of the store's own format, made from a seed (`scale_data`): 300 of them with 1, 3 and 10
million rows in all. ``load`` of the two columns that answer, and ``summarise``, stand beside the
same question in SQL and in polars: per endpoint and stratum the counts, the failures, the four
quantiles with failures at the end, the median of the paired ratios to global and the window. What
they find must be equal. Each takes its turn in a process of its own; compared is CPU time, of all
threads, as median of ratios: the machine may be busy. Memory is the child's ru_maxrss.

``--plots`` draws every plot of the largest frame, each in a process of its own with only the
columns that the plot reads; ``--only`` draws these and measures nothing else. Time is from the
frame to the written PNG; memory is the highest of the process, loading and drawing. ``--report``
writes the report of the largest too, from its files to report.html.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.plots import PLOTS
from tests.benchmarks import scale_data
from tests.benchmarks.figures import Figure, Result, run

ROWS = (1_000_000, 3_000_000, 10_000_000)
QUICK_ROWS = (20_000, 60_000)
TIMES = 2.0
LINEAR = 1.1
MOST_MB = 2048.0
MOST_DRAWING_S = 5.0
_CLOSE = 1e-9
RIVALS = ("duckdb", "polars")


def child(what: str, *arguments: str) -> dict[str, Any]:
    """What one process of its own did, with its CPU seconds and its highest memory in MB."""
    command = [sys.executable, "-m", "tests.benchmarks.scale_child", what, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{what} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(options: argparse.Namespace) -> Result:
    """Every size, by turns; then the plots of the largest."""
    sizes = options.rows or (QUICK_ROWS if options.quick else ROWS)
    runs = 20 if options.quick else scale_data.RUNS
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(options.folder or temporary)
        folders = {rows: scale_data.make(root / str(rows), rows, runs) for rows in sizes}
        turns = 1 if options.quick else options.turns
        sized = [_at(rows, folders[rows], turns) for rows in sizes if not options.only]
        drawn = _plots(folders[sizes[-1]], options.only or [*PLOTS][: None if options.plots else 0])
        told = [_report(folders[sizes[-1]])] if options.report else []
    return Result([*_figures(sized), *_drawing(drawn)], [*map(_shown, sized), *drawn, *told])


def _at(rows: int, folder: Path, turns: int) -> dict[str, Any]:
    found = [{who: child(who, str(folder)) for who in ("bench", *RIVALS)} for _ in range(turns)]
    ours = [turn["bench"] for turn in found]
    ratios = {
        who: statistics.median(turn["bench"]["cpu_s"] / turn[who]["cpu_s"] for turn in found)
        for who in RIVALS
    }
    return {
        "rows": ours[0]["rows"],
        "load_s": statistics.median(one["load_s"] for one in ours),
        "summarise_s": statistics.median(one["cpu_s"] - one["load_s"] for one in ours),
        **{f"{who}_s": statistics.median(turn[who]["cpu_s"] for turn in found) for who in RIVALS},
        "ratio": max(ratios.values()),
        "mb": max(one["mb"] for one in ours),
        "unequal": sum(_unequal(found[0]["bench"], found[0][who]) for who in RIVALS),
    }


def _unequal(ours: dict[str, Any], theirs: dict[str, Any]) -> int:
    """How many numbers differ by more than a billionth, or that the rival has not."""
    found = ours["numbers"].items()
    return sum(not _same(one, theirs["numbers"].get(key)) for key, one in found)


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None or isinstance(one, str):
        return bool(one == other)
    return math.isclose(one, other, rel_tol=_CLOSE)


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) for name, value in one.items()}


def _figures(sized: list[dict[str, Any]]) -> list[Figure]:
    if not sized:
        return []
    last, first = sized[-1], sized[0]
    per_row = [(one["load_s"] + one["summarise_s"]) / one["rows"] for one in (first, last)]
    found = [
        Figure(f"CPU over the quicker rival at {one['rows']}", one["ratio"], "times", TIMES)
        for one in sized
    ]
    return [
        *found,
        Figure("CPU per row, largest over smallest", per_row[1] / per_row[0], "times", LINEAR),
        Figure("highest memory", last["mb"], "MB", MOST_MB, timed=False),
        Figure(
            "numbers unlike the rivals'", sum(one["unequal"] for one in sized), "", 0, timed=False
        ),
    ]


def _plots(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        return [_drawn(folder, name, Path(temporary) / f"{name}.png") for name in names]


def _drawn(folder: Path, name: str, picture: Path) -> dict[str, Any]:
    one = child("plot", str(folder), name, str(picture))
    return {
        "plot": name,
        "rows": one["rows"],
        "loaded_s": round(one["loaded_s"], 2),
        "drawn_s": round(one["drawn_s"], 2),
        "cpu_s": round(one["drawing_s"], 2),
        "loading_mb": round(one["loading_mb"]),
        "mb": round(one["mb"]),
    }


def _report(folder: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        one = child("report", str(folder), temporary)
    return {
        "report": "report.html, report.md",
        "rows": one["rows"],
        "took_s": round(one["took_s"], 1),
        "cpu_s": round(one["cpu_s"], 1),
        "mb": round(one["mb"]),
        "html_kb": round(one["html_kb"]),
    }


def _drawing(drawn: list[dict[str, Any]]) -> list[Figure]:
    """Each plot against both goals; by CPU time, since the machine may be busy."""
    return [
        figure
        for one in drawn
        for figure in (
            Figure(f"{one['plot']}: CPU to draw", one["cpu_s"], "s", MOST_DRAWING_S),
            Figure(f"{one['plot']}: memory", one["mb"], "MB", MOST_MB, timed=False),
        )
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", help="keep the runs here, and find them there again")
    parser.add_argument("--rows", type=int, nargs="+", help="other sizes")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--plots", action="store_true", help="draw every plot of the largest too")
    parser.add_argument("--report", action="store_true", help="write the report of the largest too")
    parser.add_argument("--only", nargs="+", metavar="PLOT", choices=PLOTS, help="these alone")


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure, _options))
