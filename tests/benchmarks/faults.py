"""The fault matrix: every fault in every way that makes sense, and what the row said of it.

    python -m tests.benchmarks.faults [--json] [--quick]

A cell is one fault met by one client over HTTP/1.1 or HTTP/2 (or gRPC), streamed or at once, on a
new or a kept connection. --quick: the default client on new connections.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.faults import network
from tests.faults.clients import present
from tests.faults.lane import Cell, Ground
from tests.faults.matrix import CASES, DEFAULT, meet, plan

_UNREACHED = "cells in which the server did not reach its last step"


def measure(options: argparse.Namespace) -> Result:
    """Everything that can be met here."""
    clients, missing = present()
    clients = [DEFAULT] if options.quick else clients
    planned = plan(clients)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        cells = meet(Ground(Path(folder)), planned.only("cold") if options.quick else planned)
    notes = [] if options.quick else [f"Left out: {c}: {why}" for c, why in missing.items()]
    if (reason := network.missing()) is None:
        cells += network.cells(clients)
    else:
        notes.append(f"Left out: what needs a network of its own: {reason}")
    notes += [f"Not met in {n} ways: {why}." for why, n in planned.left_out.most_common()]
    return Result(figures(cells), table(cells), [*notes, *problems(cells)])


def figures(cells: Sequence[Cell]) -> list[Figure]:
    """What must be nothing at all."""
    counts = {
        "wrong outcomes": sum(bool(cell.wrong) for cell in cells),
        "hangs": sum(cell.hangs for cell in cells),
        "latencies that are none": sum(bool(cell.latencies) for cell in cells),
        "requests harmed by the one before": sum(bool(cell.harmed) for cell in cells),
        _UNREACHED: sum(not cell.reached for cell in cells),
    }
    return [
        Figure("cells", len(cells), "", timed=False),
        *(Figure(name, value, "", goal=0, timed=False) for name, value in counts.items()),
    ]


def table(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """A line per case: what its rows said, in how many ways it was met, how many were wrong."""
    names = {case.name: None for case in (*CASES, *network.CASES)}
    lines = []
    for name in names:
        met = [cell for cell in cells if cell.case == name]
        if met:
            lines.append(_line(name, met))
    return lines


def _line(name: str, met: Sequence[Cell]) -> dict[str, Any]:
    said = Counter(f"{c.outcome} in {c.phase}" if c.phase else c.outcome for c in met)
    return {
        "rank": met[0].rank,
        "case": name,
        "outcome": ", ".join(
            word if len(said) == 1 else f"{word} ({n})" for word, n in said.most_common()
        ),
        "ways": len(met),
        "wrong": sum(bool(cell.problems) for cell in met),
    }


def problems(cells: Sequence[Cell]) -> list[str]:
    """Each cell that is not as it must be, in words."""
    return [f"{c.case}, {c.way.words}: {'; '.join(c.problems)}" for c in cells if c.problems]


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure))
