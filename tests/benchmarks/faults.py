"""The fault matrix: what each fault becomes, what is spent under it, and whether the key shows.

    python -m tests.benchmarks.faults [--json] [--quick] [--markdown]

A cell is one fault met by one client over HTTP/1.1 or HTTP/2 (or gRPC), streamed or at once, on a
new or a kept connection. A bill is a whole run of one client in which every request meets the same
fault, against a server that counts. Servers say the key back wherever they say anything; what a
process with all logging on wrote and printed meanwhile is searched for it, and so is what the same
process writes without the product's shields. --quick: the default client on new connections, and a
sample of the bills. --markdown: a line per kind of fault instead of one per fault.
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
from tests.faults.classes import KINDS
from tests.faults.clients import present
from tests.faults.lane import Cell
from tests.faults.loud import Found, control, meet_loudly
from tests.faults.matrix import CASES, DEFAULT, plan
from tests.faults.purse import Bill

CONTROL = ("stderr", "samples.jsonl", "samples.parquet")
"""Where the search must find the key once nothing hides it."""

_QUICK_BILLS = 30
_UNREACHED = "cells in which the server did not reach its last step"
_LONG_S = 8.0


def measure(options: argparse.Namespace) -> Result:
    """Everything that can be met here."""
    clients, missing = present()
    told: dict[str, Any] = {"clients": clients, "short_s": _LONG_S}
    if options.quick:
        told = {"clients": [DEFAULT], "cold": True, "bills": _QUICK_BILLS}
    reason = network.missing()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        found = meet_loudly(Path(folder) / "run", **told, network=reason is None)
        seen = control(Path(folder) / "control")
    notes = [] if options.quick else [f"Left out: {c}: {why}" for c, why in missing.items()]
    if reason is not None:
        notes.append(f"Left out: what needs a network of its own: {reason}")
    left_out = plan(told["clients"]).left_out
    notes += [f"Not met in {n} ways: {why}." for why, n in left_out.most_common()]
    notes += [*problems(found.cells), *map(str, filter(_is_wrong, found.bills))]
    notes += [f"The key in {file}: {', '.join(ways)}" for file, ways in found.leaks.items()]
    lines = summary(found, seen) if options.markdown else table(found.cells)
    return Result(figures(found, seen), lines, notes)


def figures(found: Found, seen: dict[str, list[str]]) -> list[Figure]:
    """What must be nothing at all, and what must be found."""
    cells, bills = found.cells, found.bills
    counts = {
        "wrong outcomes": sum(bool(cell.wrong) for cell in cells),
        "hangs": sum(cell.hangs for cell in cells),
        "latencies that are none": sum(bool(cell.latencies) for cell in cells),
        "requests harmed by the one before": sum(bool(cell.harmed) for cell in cells),
        _UNREACHED: sum(not cell.reached for cell in cells),
        "canary hits": len(found.leaks) + sum(bool(cell.leaks) for cell in cells),
        "requests beyond the budget": _beyond(bills, "limit"),
        "requests beyond the budget under lies about usage": _beyond(bills, "lie"),
        "requests to dead endpoints beyond one in ten rounds": _beyond(bills, "dead"),
        "requests sent that no row tells of": sum(bill.twice for bill in bills),
        "requests before a pause was over": sum(bill.hasty for bill in bills),
    }
    return [
        Figure("cases", len({cell.case for cell in cells}), "", timed=False),
        Figure("cells", len(cells), "", timed=False),
        Figure("cells met again on a busy machine", sum(c.again for c in cells), "", timed=False),
        Figure("runs with a counting server", len(bills), "", timed=False),
        *(Figure(name, value, "", goal=0, timed=False) for name, value in counts.items()),
        Figure("bytes searched", found.searched, "B", timed=False),
        Figure("controls found", _found(seen), "", goal=len(CONTROL), floor=True, timed=False),
    ]


def _beyond(bills: Sequence[Bill], kind: str) -> int:
    return sum(bill.beyond for bill in bills if bill.kind == kind)


def _is_wrong(bill: Bill) -> bool:
    return bool(bill.beyond or bill.twice or bill.hasty)


def _found(seen: dict[str, list[str]]) -> int:
    return len({file.rpartition("/")[2] for file in seen} & set(CONTROL))


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


def summary(found: Found, seen: dict[str, list[str]]) -> list[dict[str, Any]]:
    """A line per kind of fault, then what was spent and what was shown."""
    lines = []
    for kind in KINDS:
        names = {case.name for case in kind.cases}
        met = [cell for cell in found.cells if cell.case in names]
        wrong, hung = sum(bool(c.problems) for c in met), sum(c.hangs for c in met)
        figure = f"{wrong} wrong, {hung} hung"
        lines.append(_row(kind.name, len({c.case for c in met}), len(met), kind.becomes, figure))
    return [*lines, *_spending(found.bills), _secrecy(found, seen)]


def _spending(bills: Sequence[Bill]) -> list[dict[str, Any]]:
    words = {
        "limit": ("each of these under `--max-requests`", "stops; each sent once", "beyond it"),
        "lie": ("usage absent, 0, negative, huge, NaN", "counts at its worst price", "beyond it"),
        "dead": ("an endpoint that is dead", "asked once in ten rounds", "more often"),
        "pause": ("429 with each Retry-After", "waits, in no time of any row", "too early"),
    }
    lines = []
    for kind, (name, becomes, figure) in words.items():
        made = [bill for bill in bills if bill.kind == kind]
        count = sum(bill.hasty if kind == "pause" else bill.beyond + bill.twice for bill in made)
        cases = len({bill.case for bill in made})
        lines.append(_row(name, cases, len(made), becomes, f"{count} requests {figure}"))
    return lines


def _secrecy(found: Found, seen: dict[str, list[str]]) -> dict[str, Any]:
    hits = len(found.leaks) + sum(bool(cell.leaks) for cell in found.cells)
    size = f"{found.searched / 1e6:.0f} MB"
    figure = f"{hits} hits in {size}; control found in {_found(seen)} of {len(CONTROL)} places"
    cases, ways = len({cell.case for cell in found.cells}), len(found.cells) + len(found.bills)
    return _row("the key said back, all logging on", cases, ways, "`[key]`", figure)


def _row(name: str, cases: int, ways: int, becomes: str, figure: str) -> dict[str, Any]:
    return {
        "what goes wrong": name,
        "cases": cases,
        "met": ways,
        "what happens": becomes,
        "figure": figure,
    }


def problems(cells: Sequence[Cell]) -> list[str]:
    """Each cell that is not as it must be, in words."""
    return [f"{c.case}, {c.way.words}: {'; '.join(c.problems)}" for c in cells if c.problems]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="a line per kind of fault")


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
