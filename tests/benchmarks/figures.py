"""What the product's benchmarks have in common: figures with goals, one document, one exit code.

    python -m tests.benchmarks.<name> [--json] [--quick]

prints a table, or with --json one document {"machine", "figures", "table"}, and exits 1 when a
figure misses its goal. --quick takes under a minute and smoke-tests the benchmark: figures that are
times do not gate then, counts still do.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value and what it has to reach: at most ``goal``, or at least with ``floor``."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    floor: bool = False
    timed: bool = True

    @property
    def holds(self) -> bool | None:
        """None when there is no goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.floor else self.value <= self.goal


@dataclass(frozen=True)
class Result:
    """Everything that one run of a benchmark found; rows of other keys begin another table."""

    figures: Sequence[Figure]
    table: Sequence[dict[str, Any]] = field(default_factory=list)
    notes: Sequence[str] = ()


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
    }


def run(
    description: str,
    measure: Callable[[argparse.Namespace], Result],
    options: Callable[[argparse.ArgumentParser], object] = lambda _: None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the command line, measure, print; the exit code."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one document on stdout")
    parser.add_argument("--quick", action="store_true", help="under a minute; times do not gate")
    options(parser)
    parsed = parser.parse_args(arguments)
    where = machine()
    result = measure(parsed)
    if parsed.json:
        print(json.dumps(_document(where, result), allow_nan=False))
    else:
        print(_words(where, result))
    gating = [figure for figure in result.figures if not (parsed.quick and figure.timed)]
    return int(any(figure.holds is False for figure in gating))


def _document(where: dict[str, Any], result: Result) -> dict[str, Any]:
    figures = [
        {key: value for key, value in asdict(figure).items() if key not in ("floor", "timed")}
        | {"holds": figure.holds}
        for figure in result.figures
    ]
    return {
        "machine": where,
        "figures": figures,
        "table": list(result.table),
        "notes": list(result.notes),
    }


def _words(where: dict[str, Any], result: Result) -> str:
    lines = [", ".join(f"{key} {value}" for key, value in where.items()), ""]
    for _, rows in itertools.groupby(result.table, key=tuple):
        lines += [*markdown(list(rows)), ""]
    if result.figures:
        lines += markdown([_row(figure) for figure in result.figures])
    return "\n".join([*lines, *(f"\n{note}" for note in result.notes)])


def _row(figure: Figure) -> dict[str, Any]:
    relation = "≥" if figure.floor else "≤"
    return {
        "figure": figure.name,
        "value": f"{figure.value:.4g} {figure.unit}".strip(),
        "goal": "" if figure.goal is None else f"{relation} {figure.goal:g}",
        "holds": {None: "", True: "yes", False: "NO"}[figure.holds],
    }


def markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows of equal keys as the lines of a Markdown table, columns aligned."""
    heads = list(rows[0])
    cells = [heads, *([_text(row.get(head)) for head in heads] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
