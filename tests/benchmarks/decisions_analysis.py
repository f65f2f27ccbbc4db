"""Whether the summary's intervals and places hold as often as they say, in simulated sittings.

python -m tests.benchmarks.decisions_analysis [--json] [--quick]

The truth of a difference is the middle of a hundred thousand differences of two requests of one
round; the true places are those of the true medians.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.pairs import Difference, Paired
from bench.stats.ranks import Rank, ranks
from bench.stats.strata import Stratum
from bench.stats.walsh import middle
from tests.benchmarks.figures import Figure, Result, run
from tests.benchmarks.worlds import IID, RACE, SETTINGS, TIMEOUT_MS, Values, World, draw

WORLDS = {"independent": replace(IID, spill=0.0), "race": RACE}
GOALS = {"independent": 93.6, "race": 90.0}
"""95 % less two standard errors of 1,000 sittings; where requests have a memory, five points off:
how long it lasts has to be guessed from the same requests."""

SIZES = (30, 100, 300)
P50_MS = SETTINGS["mid4"]
SEED = 8000
_STRATUM = Stratum("chat", True, "warm", "httpx", None)


def truth_percent(world: World) -> float:
    """By how much the second endpoint of `P50_MS` is slower than the first."""
    rounds = np.minimum(draw(world, P50_MS[:2], 2000, 50, SEED - 1), TIMEOUT_MS)
    logs = np.log(rounds[:, :, 1]) - np.log(rounds[:, :, 0])
    return 100 * float(np.expm1(middle(logs.ravel()).value or 0.0))


def sitting(rounds: Values) -> tuple[Difference, tuple[Rank, ...]]:
    """What a summary would say of one sitting, shape (rounds, endpoints)."""
    names = [str(place) for place in range(rounds.shape[1])]
    frame = pd.DataFrame(rounds, columns=names)
    paired = Paired(frame, _STRATUM)
    return paired("1", "0"), ranks(paired, _STRATUM, names)


def measure(quick: bool) -> Result:
    """Each world at each size."""
    figures, table = [], []
    for place, (name, world) in enumerate(WORLDS.items()):
        truth = truth_percent(world)
        for n in SIZES:
            sittings = draw(world, P50_MS, n, 8 if quick else 1000, SEED + 10 * place + n)
            row = _row(name, n, truth, [sitting(one) for one in sittings])
            table.append(row)
            figures += [
                Figure(
                    f"{name}, n = {n}: interval covers", row["covers %"], "%", GOALS[name], True
                ),
                Figure(
                    f"{name}, n = {n}: all places hold", row["places %"], "%", GOALS[name], True
                ),
            ]
    return Result(figures, table)


def _row(
    name: str, n: int, truth: float, made: list[tuple[Difference, tuple[Rank, ...]]]
) -> dict[str, Any]:
    spans = [d.percent for d, _ in made]
    known = [s for s in spans if s.low_percent is not None and s.high_percent is not None]
    hit = [(s.low_percent or 0) <= truth <= (s.high_percent or 0) for s in known]
    wide = [(s.high_percent or 0) - (s.low_percent or 0) for s in known]
    return {
        "world": name,
        "n": n,
        "sittings": len(made),
        "covers %": round(100 * float(np.mean(hit)), 1),
        "width, points": round(float(np.median(wide)), 1),
        "worth": round(float(np.median([d.n_effective for d, _ in made])), 0),
        "places %": round(100 * float(np.mean([_hold(found) for _, found in made])), 1),
        "places known %": round(100 * float(np.mean([_sure(found) for _, found in made])), 1),
    }


def _hold(found: tuple[Rank, ...]) -> bool:
    return all(one.best <= int(one.endpoint) + 1 <= one.worst for one in found)


def _sure(found: tuple[Rank, ...]) -> float:
    return float(np.mean([one.best == one.worst for one in found]))


def main() -> int:
    """The command."""
    return run(__doc__ or "", lambda options: measure(options.quick))


if __name__ == "__main__":
    sys.exit(main())
