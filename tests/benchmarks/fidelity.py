"""Whose clock is true: regionbench's layers, other clients and other tools on one server.

    python -m tests.benchmarks.fidelity [--json] [--quick]

The server (tests/lab) stamps every request's arrival and every answer's departure with the
kernel's stamps, so each request carries its own true delay. Bias is the measured time to the
first byte less that. Contestants take turns in one run; ratios are medians over its rounds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import fidelity_contestants as who
from tests.benchmarks.fidelity_crowd import crowd
from tests.benchmarks.fidelity_figures import Cell, Figure, Sheet, figure
from tests.benchmarks.fidelity_kept import contract, kept
from tests.benchmarks.fidelity_line import line
from tests.benchmarks.fidelity_load import shares
from tests.benchmarks.fidelity_peer import peer
from tests.benchmarks.fidelity_streams import streams
from tests.benchmarks.fidelity_tools import TOOLS, installed
from tests.benchmarks.fidelity_warm import apart, warm
from tests.lab.lab import Lab, start_lab

_ABOUT = (
    "Bias in µs: what was measured less the request's own true time. True is what the kernel\n"
    "stamped at the server; in the last two columns what the server's program saw, so that its\n"
    "wake-up, which no client can avoid, counts against everyone."
)


def machine(lab: Lab, others: dict[str, float]) -> dict[str, Any]:
    """Where this was measured, and how much others used of it."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        **others,
        "server_priority": lab.priority,
    }


def warm_figures(sheet: Sheet) -> list[Figure]:
    """The goals of one request at a time, at 5 ms."""
    idle, loaded = (
        {name: Cell(load, "5 ms", name) for name in (who.KERNEL, who.FALLBACK, who.PLAIN, *TOOLS)}
        for load in ("idle", "loaded")
    )
    kernel, name = idle[who.KERNEL], "idle, kernel bias"
    return [
        figure(f"{name} p50 / curl's", sheet.ratio(kernel, idle["curl"], 0.5), 1.0, "×"),
        figure(f"{name} p99 / curl's", sheet.ratio(kernel, idle["curl"], 0.99), 1.0, "×"),
        figure(f"{name} p50 / wrk's", sheet.ratio(kernel, idle["wrk"], 0.5), 0.8, "×"),
        figure(f"{name} p50 / httpx's", sheet.ratio(kernel, idle[who.PLAIN], 0.5), 0.2, "×"),
        figure("loaded, kernel bias p99", sheet.us(loaded[who.KERNEL], 0.99) / 1000, 0.3, "ms"),
        figure(
            "loaded, kernel bias p99 / curl's",
            sheet.ratio(loaded[who.KERNEL], loaded["curl"], 0.99),
            0.1,
            "×",
        ),
        figure(
            "idle, without stamps, bias p50 / httpx's",
            sheet.ratio(idle[who.FALLBACK], idle[who.PLAIN], 0.5),
            0.35,
            "×",
        ),
    ]


def program_figures(sheet: Sheet) -> list[Figure]:
    """The same ratios with the server's wake-up on both sides of them: for information."""
    kernel, *others = (
        Cell("idle", "5 ms", name) for name in (who.KERNEL, "curl", "wrk", who.PLAIN)
    )
    return [
        figure(
            f"idle, kernel bias p{round(q * 100)} / {other.contestant}'s, program's truth",
            sheet.program_ratio(kernel, other, q),
            None,
            "×",
        )
        for other in others
        for q in (0.5, 0.99)
    ]


def measure(*, quick: bool) -> dict[str, Any]:
    """The whole document."""
    absent = [*who.absent(), *(name for name in TOOLS if name not in installed())]
    sheet = Sheet(notes=dict.fromkeys(absent, "not installed"))
    others = shares()
    gc.freeze()
    gc.disable()
    with tempfile.TemporaryDirectory(prefix="lab-") as name, start_lab(Path(name)) as lab:
        warm(sheet, lab, Path(name), quick=quick)
        figures = warm_figures(sheet) + program_figures(sheet) + apart(lab, quick=quick)
        figures += crowd(sheet, lab, Path(name), quick=quick)
        peer(sheet, lab, Path(name), quick=quick)
        figures += streams(sheet, lab, quick=quick)
        figures += kept(lab, Path(name), quick=quick)
        about = machine(lab, others)
    figures += line(sheet, quick=quick) + contract(quick=quick)
    return {"machine": about, "figures": figures, "table": sheet.rows()}


def show(document: dict[str, Any]) -> None:
    """Prints the document as tables."""
    print(", ".join(f"{key} {value}" for key, value in document["machine"].items()))
    print(f"\n{_ABOUT}\n")
    heads = ("p50", "p90", "p99", "program p50", "p99")
    print(f"{'load':<8}{'case':<17}{'who':<26}{'n':>6}" + "".join(f"{h:>11}" for h in heads))
    for row in document["table"]:
        print(_line(row))
    print()
    for each in document["figures"]:
        value = "not measured" if each["value"] is None else f"{each['value']:g} {each['unit']}"
        print(f"{each['name']:<64}{value:>18}  {_verdict(each)}")


def _line(row: dict[str, Any]) -> str:
    if "note" in row:
        return f"{'':<24}{row['contestant']:<32}{row['note']}"
    numbers = "".join(f"{row[f'p{q}_us']:>11.1f}" for q in (50, 90, 99))
    by_program = [row.get(f"p{q}_program_us") for q in (50, 99)]
    numbers += "".join("" if us is None else f"{us:>11.1f}" for us in by_program)
    return f"{row['condition']:<8}{row['case']:<17}{row['contestant']:<26}{row['n']:>6}{numbers}"


def _verdict(each: Figure) -> str:
    if each["goal"] is None:
        return ""
    word = {True: "ok", False: "MISSED", None: ""}[each["holds"]]
    return f"≤ {each['goal']:g} {word}"


def main() -> int:
    """The exit status: 1 when a goal is missed; with --quick goals on time do not count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    document = measure(quick=arguments.quick)
    if arguments.json:
        print(json.dumps(document))
    else:
        show(document)
    counted = [f for f in document["figures"] if not (arguments.quick and f["timing"])]
    return int(any(each["holds"] is False for each in counted))


if __name__ == "__main__":
    sys.exit(main())
