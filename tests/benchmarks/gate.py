"""How often the gate is wrong, and what it finds: simulated, seeds fixed, beside other tools.

python -m tests.benchmarks.gate [--json] [--quick] [--runs N] [--part …]

Every verdict here is the product's own (`judge_pairings`, `against`); part "frames" walks the whole
way from rows to verdict for some of the same data and counts where the two differ. Shares need many
comparisons and do not gate in the quick form; counts of what must never happen always do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.stats.baseline import against, suspects
from bench.stats.compare import compare, judge_pairings
from bench.stats.looks import look, measures_of
from bench.stats.verdict import Judged
from tests.benchmarks import gate_tools
from tests.benchmarks.figures import Figure, Result, run
from tests.benchmarks.gate_rules import (
    batch_of,
    failing,
    frame_of,
    pairing,
    pairings,
    rows_of,
)
from tests.benchmarks.gate_vantages import vantages
from tests.benchmarks.worlds import (
    HARSH,
    REAL,
    Days,
    Values,
    World,
    draw_arms,
    draw_days,
    one_drift,
)

SEED = 26_000
WORLDS = {"REAL": one_drift(REAL), "REAL, drift twice": REAL, "HARSH": one_drift(HARSH)}
"""The reference's worlds; the second has its drift once shared and once more as the endpoint's."""

PAST = 12
TWELVE = {100: 4, 300: 3}
"""Requests a side → endpoints that make twelve cells: three measures each, with p95 four."""


def percent(hits: Iterable[bool]) -> float:
    """Of all, in percent."""
    return 100 * float(np.mean(list(hits)))


def regressed(judged: Iterable[Judged], measure: str = "", endpoint: str = "") -> bool:
    """Whether a cell is, of those of a measure or an endpoint."""
    return any(
        one.state == "regressed" and measure in ("", one.measure) and endpoint in ("", one.endpoint)
        for one in judged
    )


def cells(options: argparse.Namespace) -> Result:
    """Mode A, one endpoint: false alarms of each cell by itself, and what a verdict finds."""
    figures, table = [], []
    for number, (world, made) in enumerate(WORLDS.items()):
        for n in (100, 300):
            arms = draw_arms(made, 1, n, options.runs, SEED + 10 * number + n)[:, :, 0]
            alone = [_flags(one) for one in arms]
            false = {m: percent(flags[m] for flags in alone) for m in alone[0]}
            found = {
                (m, up): percent(regressed(judged, m) for judged in verdicts)
                for up in (10, 20)
                for verdicts in [_slowed(arms, 1 + up / 100)]
                for m in false
            }
            table += [_cell_row(world, n, m, false[m], found) for m in false]
            figures += [
                Figure(f"A, {world}, n = {n}: A/A {m}", value, "%", 1.5)
                for m, value in false.items()
            ]
            figures += _power(world, n, found)
    return Result(figures, table)


def _flags(arms: Values) -> dict[str, bool]:
    """What each cell would say if it were the only one."""
    one = pairing("e0", arms)
    if one.a is None or one.b is None:
        return {}
    return {m: look(one.a, one.b, m, True, False).flagged for m in measures_of(one.a, one.b)}


def _slowed(arms: Values, factor: float) -> list[tuple[Judged, ...]]:
    return [judge_pairings(pairings(one[:, None], {0: factor}), False) for one in arms]


def _cell_row(
    world: str, n: int, measure: str, false: float, found: Mapping[tuple[str, int], float]
) -> dict[str, Any]:
    return {
        "mode A": world,
        "n": n,
        "measure": measure,
        "A/A %": round(false, 2),
        "+10 % found %": round(found[measure, 10], 1),
        "+20 % found %": round(found[measure, 20], 1),
    }


def _power(world: str, n: int, found: Mapping[tuple[str, int], float]) -> list[Figure]:
    if not world.startswith("REAL"):
        return []
    up, goal = {300: (10, 90.0), 100: (20, 95.0)}[n]
    name = f"A, {world}, n = {n}: +{up} % in p50 found"
    return [Figure(name, found["p50", up], "%", goal, floor=True)]


def twelve(options: argparse.Namespace) -> Result:
    """Mode A, a run of twelve cells: any false alarm, and what is found in one endpoint of them."""
    figures, table = [], []
    for number, (world, made) in enumerate(WORLDS.items()):
        for n, endpoints in TWELVE.items():
            arms = draw_arms(made, endpoints, n, options.runs, SEED + 1000 + 10 * number + n)
            false, *found = (
                [judge_pairings(pairings(one, {0: factor}), False) for one in arms]
                for factor in (1.0, 1.1, 1.2)
            )
            any_false = percent(map(regressed, false))
            goal = 5.0 if world.startswith("REAL") else None
            figures.append(Figure(f"A, {world}, 12 cells, n = {n}: A/A", any_false, "%", goal))
            some = [percent(regressed(one, "p50", "e0") for one in judged) for judged in found]
            table.append(
                {
                    "mode A, 12 cells": world,
                    "n": n,
                    "any false alarm %": round(any_false, 2),
                    "+10 % in p50 of one found %": round(some[0], 1),
                    "+20 % in p50 of one found %": round(some[1], 1),
                }
            )
    return Result(figures, table)


HISTORIES: dict[str, tuple[World, Days]] = {
    "REAL": (WORLDS["REAL"], Days()),
    "REAL, sittings at any hour": (WORLDS["REAL"], Days(any_hour=True)),
    "REAL, drift twice": (REAL, Days()),
    "REAL, one sitting": (WORLDS["REAL"], Days(sittings=1, rounds=300)),
    "HARSH": (WORLDS["HARSH"], Days()),
}
GOALS = {("p50", 20): 70.0, ("p50", 30): 95.0, ("p90", 30): 90.0}


def history(options: argparse.Namespace) -> Result:
    """Mode B, twelve cells: n = 300 in three sittings against twelve past batches."""
    figures, table = [], []
    for number, (name, (world, days)) in enumerate(HISTORIES.items()):
        worlds = draw_days(world, 3, PAST + 2, options.runs, SEED + 2000 + number, days)
        past = [[batch_of(one[k], f"b{k}") for k in range(PAST)] for one in worlds]
        both = list(zip(past, worlds, strict=True))
        first = [against(p, batch_of(one[PAST], "new")) for p, one in both]
        verdicts = {up: [_twice(p, one, 1 + up / 100) for p, one in both] for up in (0, 20, 30)}
        false = percent(map(regressed, verdicts[0]))
        found = {
            (m, up): percent(regressed(one, m, "e0") for one in verdicts[up])
            for m in ("p50", "p90", "p95")
            for up in (20, 30)
        }
        figures += _history_figures(name, false, found)
        table.append(
            {
                "mode B, 12 cells": name,
                "any false alarm %": round(false, 2),
                "suspects before confirming %": round(percent(bool(suspects(v)) for v in first), 1),
            }
            | {f"{m} +{up} % found %": round(value, 1) for (m, up), value in found.items()}
        )
    return Result(figures, table)


def _twice(past: Sequence[Any], one: Values, factor: float) -> tuple[Judged, ...]:
    """The verdict on a batch, and on a fresh one, in which an endpoint is slower by a factor."""
    new, fresh = (batch_of(one[PAST + k], name, {0: factor}) for k, name in enumerate(("n", "c")))
    return against(past, new, fresh).judged


def _history_figures(
    name: str, false: float, found: Mapping[tuple[str, int], float]
) -> list[Figure]:
    gates = name == "REAL"
    return [
        Figure(f"B, {name}: any false alarm", false, "%", 3.0 if gates else None),
        *(
            Figure(f"B, {name}: {m} +{up} % found", found[m, up], "%", goal, floor=True)
            for (m, up), goal in GOALS.items()
            if gates
        ),
    ]


def failures(options: argparse.Namespace) -> Result:
    """A second arm that fails fast in 15 % of its requests: found, and never faster."""
    figures, table = [], []
    for n in (100, 300):
        arms = draw_arms(WORLDS["REAL"], 1, n, options.runs, SEED + 3000 + n)[:, :, 0]
        broken = failing(arms, 0.15, SEED + 3001)
        verdicts = [judge_pairings(pairings(one[:, None]), False) for one in broken]
        found = percent(map(regressed, verdicts))
        faster = sum(_faster(one) for judged in verdicts for one in judged)
        figures += [
            Figure(f"15 % fast failures, n = {n}: found", found, "%", 95.0, floor=True),
            Figure(f"15 % fast failures, n = {n}: called faster", faster, "", 0, timed=False),
        ]
        table += [
            {"15 % fail fast": "this gate", "n": n, "found %": found, "faster %": faster},
            *gate_tools.failure_rows(broken, n),
        ]
    return Result(figures, table)


def _faster(one: Judged) -> bool:
    """Whether a latency cell says, beyond chance, that it takes less time."""
    latency = one.measure != "failure_rate"
    return latency and one.high is not None and one.high < 0


def frames(options: argparse.Namespace) -> Result:
    """The same data as rows, through `compare` with its frame: the verdicts have to be the same."""
    arms = draw_arms(WORLDS["REAL"], 2, 100, max(5, options.runs // 50), SEED + 4000)
    different = sum(_differs(one, factor) for one in arms for factor in (1.0, 1.2))
    return Result([Figure("verdicts that differ on frames", different, "", 0, timed=False)])


def _differs(arms: Values, factor: float) -> bool:
    slow = arms.copy()
    slow[:, 0, 1] *= factor
    clients = ("httpx", "curl")
    rows = [row for k, name in enumerate(clients) for row in rows_of(slow[:, :, k], client=name)]
    ours = judge_pairings(pairings(slow), False)
    theirs = compare(frame_of(rows, slow.shape[1]), "client", *clients).judged
    return any(
        (x.endpoint, x.measure, x.state) != (y.endpoint, y.measure, y.state)
        or abs((x.change or 0) - (y.change or 0)) > 1e-6
        for x, y in zip(ours, theirs, strict=True)
    )


Part = Callable[[argparse.Namespace], Result]

PARTS: dict[str, Part] = {
    "cells": cells,
    "twelve": twelve,
    "history": history,
    "vantages": lambda options: vantages(WORLDS["REAL"], options.runs, SEED + 9000),
    "failures": failures,
    "tools": lambda options: gate_tools.tools(options.runs, SEED + 5000),
    "bursts": lambda options: gate_tools.bursts(options.runs, SEED + 6000),
    "endpoints": lambda options: gate_tools.endpoints(options.runs, SEED + 7000),
    "detectable": lambda options: gate_tools.detectables(options.runs, SEED + 8000),
    "frames": frames,
}


def measure(options: argparse.Namespace) -> Result:
    """All parts, or those that were asked for; each has a table of its own."""
    options.runs = options.runs or (4 if options.quick else 1000)
    wanted = options.part or list(PARTS)
    found = [part(options) for name, part in PARTS.items() if name in wanted]
    return Result(
        [figure for result in found for figure in result.figures],
        [row for result in found for row in result.table],
        [note for result in found for note in result.notes],
    )


def options(parser: argparse.ArgumentParser) -> None:
    """What to run, and how much of it."""
    parser.add_argument("--runs", type=int, help="comparisons per cell (1000; 4 with --quick)")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part")


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure, options)


if __name__ == "__main__":
    sys.exit(main())
