"""How often the product's decisions are wrong, and what they cost: simulated, seeds fixed.

python -m tests.benchmarks.decisions [--json] [--quick] [--runs N]

Each part of `PARTS` gives figures and rows. Shares and means need many tournaments and do not gate
in the quick form; counts of what must never happen always gate.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.stats.race import Race, RaceRules
from bench.stats.race_verdict import RaceVerdict
from tests.benchmarks import (
    decisions_analysis,
    decisions_fleet,
    decisions_routing,
    decisions_vantages,
)
from tests.benchmarks.figures import Figure, Result, run
from tests.benchmarks.worlds import RACE, SETTINGS, TIMEOUT_MS, Values, draw, tail_ms, tied

GOALS = {"easy4": 100, "easy8": 190, "mid4": 200, "mid8": 350, "hard4": 350, "hard8": 620}
REFERENCE = {"easy4": 86, "easy8": 171, "mid4": 183, "mid8": 327, "hard4": 322, "hard8": 584}
STRICT = ("easy4", "mid4", "hard4")
TAIL = ("easy4", "mid4")

WRONG, NOISE = 5.0, 1.4
"""Percent; the noise is two standard errors of 1,000 tournaments."""

RULES = RaceRules(cap=400, timeout_ms=TIMEOUT_MS)
"""Races run to their end here, as in the reference; the default cap is shown as "open at 100"."""

FIXED_STEPS = (10, 15, 20, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 400, 500)
SEED = 7000


@dataclass(frozen=True)
class Ended:
    """The verdicts on many races of one setting, whose target has these true values."""

    p50_ms: tuple[float, ...]
    verdicts: Sequence[RaceVerdict]

    @property
    def wrong(self) -> float:
        """Percent of all races that named an endpoint worse than the best beyond the margin."""
        named = [int(v.best) for v in self.verdicts if v.best is not None]
        return 100 * sum(_too_slow(self.p50_ms, k) for k in named) / len(self.verdicts)

    @property
    def requests(self) -> float:
        """Mean number of requests."""
        return float(np.mean([v.requests for v in self.verdicts]))

    def share(self, kind: str) -> float:
        """Percent of all races that ended so."""
        return 100 * float(np.mean([v.kind == kind for v in self.verdicts]))


def _too_slow(p50_ms: tuple[float, ...], chosen: int) -> bool:
    """Wrong: worse than the best by more than max(5 %, 5 ms) (reference)."""
    best = min(p50_ms)
    return p50_ms[chosen] > best + max(0.05 * best, 5.0)


def race(rounds: Values, rules: RaceRules) -> RaceVerdict:
    """One tournament over ``rounds``, shape (rounds, endpoints)."""
    one = Race([str(k) for k in range(rounds.shape[1])], rules)
    for row in rounds:
        if one.decided:
            break
        one.add({name: float(row[int(name)]) for name in one.alive})
    return one.verdict()


def tournaments(p50_ms: tuple[float, ...], runs: int, rules: RaceRules, seed: int) -> Ended:
    """``runs`` races in the reference's setting."""
    worlds = draw(RACE, p50_ms, rules.cap, runs, seed)
    return Ended(p50_ms, [race(rounds, rules) for rounds in worlds])


def fixed_plan(p50_ms: tuple[float, ...], wrong: float, runs: int, seed: int) -> int:
    """Requests of the smallest fixed plan in the same worlds that is wrong no more often.

    Each endpoint is asked equally often, in rounds, and the lowest median is taken. Where even the
    longest plan is wrong more often, its requests: at least so many.
    """
    worlds = draw(RACE, p50_ms, FIXED_STEPS[-1], runs, seed)
    for n in FIXED_STEPS:
        chosen = np.median(worlds[:, :n], axis=1).argmin(axis=1)
        if 100 * np.mean([_too_slow(p50_ms, int(k)) for k in chosen]) <= wrong:
            break
    return n * len(p50_ms)


def cells(options: argparse.Namespace) -> Result:
    """The reference's six settings: wrong answers and requests beside the fixed plan's."""
    figures, table = [], []
    for number, (name, p50_ms) in enumerate(SETTINGS.items()):
        ended = tournaments(p50_ms, options.runs, RULES, SEED + number)
        same = fixed_plan(p50_ms, ended.wrong, options.runs, SEED + 50 + number)
        five = fixed_plan(p50_ms, WRONG, options.runs, SEED + 50 + number)
        figures += [
            Figure(f"{name}: wrong", ended.wrong, "%", WRONG + NOISE),
            Figure(f"{name}: mean requests", ended.requests, "", GOALS[name]),
            Figure(f"{name}: fixed plan of same error", same / ended.requests, "×", 2.5, True),
            Figure(f"{name}: undecided with a name", _named_undecided(ended), "", 0, timed=False),
        ]
        table.append(
            {
                "cell": name,
                "races": options.runs,
                "mean requests": round(ended.requests, 1),
                "wrong %": round(ended.wrong, 2),
                "undecided %": round(ended.share("undecided"), 1),
                "winner %": round(ended.share("winner"), 1),
                "open at 100 rounds %": _open_at(ended, 100),
                "fixed, same error": same,
                "fixed, 5 %": five,
                "reference's race": REFERENCE[name],
            }
        )
    return Result(figures, table)


def _open_at(ended: Ended, rounds: int) -> float:
    return round(100 * float(np.mean([v.rounds > rounds for v in ended.verdicts])), 1)


def _named_undecided(ended: Ended) -> int:
    return sum(v.kind == "undecided" and v.best is not None for v in ended.verdicts)


def strict(options: argparse.Namespace) -> Result:
    """The race with a proof."""
    rules, figures, table = replace(RULES, strict=True, cap=600), [], []
    for number, name in enumerate(STRICT):
        ended = tournaments(SETTINGS[name], options.runs, rules, SEED + 100 + number)
        figures.append(Figure(f"strict {name}: wrong", ended.wrong, "%", 0.5))
        table.append(_row(f"strict {name}", ended))
    return Result(figures, table)


def tail(options: argparse.Namespace) -> Result:
    """The race for the lowest p90; wrong is worse in p90 by more than the margin.

    A quarter of the tournaments, since each resamples its rounds a thousand times at every look.
    """
    rules, figures, table = replace(RULES, target="p90"), [], []
    runs = max(1, options.runs // 4)
    for number, name in enumerate(TAIL):
        races = tournaments(SETTINGS[name], runs, rules, SEED + 500 + number)
        ended = Ended(tuple(ms + tail_ms(RACE) for ms in SETTINGS[name]), races.verdicts)
        figures.append(Figure(f"p90 {name}: wrong", ended.wrong, "%", WRONG + NOISE))
        table.append(_row(f"p90 {name}", ended))
    return Result(figures, table)


def ties(options: argparse.Namespace) -> Result:
    """Equal endpoints under the default cap: none is ever called faster."""
    figures, table = [], []
    for endpoints in (4, 8):
        rules = replace(RULES, cap=100)
        ended = tournaments(tied(endpoints), options.runs, rules, SEED + 200 + endpoints)
        winners = sum(v.kind == "winner" for v in ended.verdicts)
        figures += [
            Figure(f"{endpoints} equal: called faster", winners, "races", 0, timed=False),
            Figure(f"{endpoints} equal: undecided with a name", _named_undecided(ended), "", 0),
        ]
        table.append(_row(f"tie{endpoints}", ended))
    return Result(figures, table)


def failing(options: argparse.Namespace) -> Result:
    """The fastest endpoint fails 30 % of its requests, fast: never chosen."""
    p50_ms = (330.0, *SETTINGS["mid4"])
    worlds = draw(RACE, p50_ms, 100, options.runs, SEED + 300)
    fails = np.random.default_rng(SEED + 301).random(worlds.shape[:2]) < 0.30
    worlds[:, :, 0][fails] = np.inf
    verdicts = [race(rounds, replace(RULES, cap=100)) for rounds in worlds]
    chosen = sum(v.best == "0" for v in verdicts)
    row = _row("fastest fails 30 %", Ended((np.inf, *SETTINGS["mid4"]), verdicts))
    figure = Figure("fastest fails 30 %: chosen", chosen, "races", 0, timed=False)
    return Result([figure], [row])


def _row(cell: str, ended: Ended) -> dict[str, Any]:
    return {
        "cell": cell,
        "races": len(ended.verdicts),
        "mean requests": round(ended.requests, 1),
        "wrong %": round(ended.wrong, 2),
        "undecided %": round(ended.share("undecided"), 1),
        "winner %": round(ended.share("winner"), 1),
    }


def speed(options: argparse.Namespace) -> Result:
    """What one decision costs with 8 endpoints and 300 rounds behind."""
    figures = []
    for name, rules in {
        "p50": replace(RULES, error=1e-9),
        "strict": replace(RULES, strict=True, error=1e-30),
        "p90": replace(RULES, target="p90", error=1e-9),
    }.items():
        worlds = draw(RACE, tied(8), 330, 1, SEED + 400)[0]
        one, took = Race([str(k) for k in range(8)], rules), []
        for row in worlds:
            asked = {str(k): float(ms) for k, ms in enumerate(row)}
            began = time.perf_counter()
            one.add(asked)
            took.append(1000 * (time.perf_counter() - began))
        median, worst = float(np.median(took[300:])), max(took[300:])
        figures += [
            Figure(f"{name}: decision after a round, 8 × 300, median", median, "ms", 5.0),
            Figure(f"{name}: decision after a round, 8 × 300, longest", worst, "ms"),
        ]
    return Result(figures)


def analysis(options: argparse.Namespace) -> Result:
    """The intervals and places of a summary."""
    return decisions_analysis.measure(options.quick)


Part = Callable[[argparse.Namespace], Result]


def routing(options: argparse.Namespace) -> Result:
    """Where the global endpoint sends requests: simulated worlds, and real fleets."""
    return decisions_routing.measure(options.quick)


def vantages(options: argparse.Namespace) -> Result:
    """One endpoint for all vantages, or one each: simulated tours."""
    return decisions_vantages.measure(options.runs)


def fleet(options: argparse.Namespace) -> Result:
    """Races that send real requests to real fleets."""
    return decisions_fleet.measure(options.quick)


PARTS: dict[str, Part] = {
    "cells": cells,
    "strict": strict,
    "tail": tail,
    "ties": ties,
    "failing": failing,
    "speed": speed,
    "analysis": analysis,
    "routing": routing,
    "vantages": vantages,
    "fleet": fleet,
}


def measure(options: argparse.Namespace) -> Result:
    """All parts, or those that were asked for; rows of different parts share one table."""
    options.runs = options.runs or (4 if options.quick else 1000)
    wanted = options.part or list(PARTS)
    found = [part(options) for name, part in PARTS.items() if name in wanted]
    rows = [row for result in found for row in result.table]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    return Result(
        [figure for result in found for figure in result.figures],
        [{head: row.get(head) for head in heads} for row in rows],
        [note for result in found for note in result.notes],
    )


def options(parser: argparse.ArgumentParser) -> None:
    """What to run, and how much of it."""
    parser.add_argument("--runs", type=int, help="tournaments per cell (1000; 4 with --quick)")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part")


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure, options)


if __name__ == "__main__":
    sys.exit(main())
