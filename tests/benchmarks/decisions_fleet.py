"""Real races against real fleets: is the region that is named a right one?

python -m tests.benchmarks.decisions_fleet [--json] [--quick]

A region is right when it fails at most a tenth of its requests and its p50 is within max(5 %, 5 ms)
of the best of those that do not fail more than others: in a long fixed run of the same profile over
several seeds, none of them a race's. "Undecided" is right too: nothing was claimed.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from bench.catalogue import load_catalogue
from bench.choosing import PAUSE_MS, contend
from bench.plan import make_plan
from bench.prepare import Where, prepare
from bench.session import execute
from bench.simulator import Fleet
from bench.stats import Cell, summarise
from bench.stats.fit import field_of
from bench.stats.race import RaceRules
from bench.stats.race_verdict import RaceVerdict
from bench.stats.rates import fails_often
from tests.benchmarks.figures import Figure, Result, run

PROFILES = ("spillover", "near-tie")
WORKERS = 10
"""Races at once: they wait most of the time."""

_REFERENCE_SEED = 900


def raced(profile: str, seed: int, pause_ms: float = PAUSE_MS) -> RaceVerdict:
    """One live race, by default with the product's defaults, against a fleet of its own."""
    with Fleet.start(profile=profile, seed=seed) as fleet, tempfile.TemporaryDirectory() as folder:
        plan = make_plan(
            catalogue=str(fleet.catalogue), rounds=RaceRules().cap, seed=seed, pause_ms=pause_ms
        )
        where = Where(results=Path(folder))
        prepared = prepare(plan, load_catalogue(plan.catalogue), where)
        rules = RaceRules(timeout_ms=plan.timeout_s * 1000)
        return contend(prepared, where, rules)[1]


def long_run(profile: str, seed: int, rounds: int) -> pd.DataFrame:
    """A fixed plan on a fleet of its own, one request in flight as in a race."""
    with Fleet.start(profile=profile, seed=seed) as fleet, tempfile.TemporaryDirectory() as folder:
        plan = make_plan(catalogue=str(fleet.catalogue), rounds=rounds, seed=seed)
        where = Where(results=Path(folder))
        return execute(prepare(plan, load_catalogue(plan.catalogue), where), where).frame()


def right(cells: Sequence[Cell]) -> set[str]:
    """The endpoints that may be named, by what the long runs measured."""
    reliable = field_of(cells).fit
    best = min(cell.median_ms for cell in reliable if cell.median_ms is not None)
    limit = best + max(0.05 * best, 5.0)
    able = [cell for cell in cells if not fails_often(cell.failures)]
    return {c.endpoint for c in able if c.median_ms is not None and c.median_ms <= limit}


def measure(quick: bool) -> Result:
    """Every profile: the truth, then a race per seed."""
    seeds, runs, rounds = (1, 1, 30) if quick else (20, 5, 250)
    figures, table = [], []
    with ProcessPoolExecutor(WORKERS) as pool:
        for profile in PROFILES[:1] if quick else PROFILES:
            wanted = range(_REFERENCE_SEED, _REFERENCE_SEED + runs)
            known = pool.map(long_run, [profile] * runs, wanted, [rounds] * runs)
            cells = summarise(pd.concat(known, ignore_index=True)).cells
            pauses = [0.0 if quick else PAUSE_MS] * seeds
            verdicts = [*pool.map(raced, [profile] * seeds, range(1, seeds + 1), pauses)]
            table.append(line(profile, cells, verdicts))
            fair = sum(v.best is None or v.best in right(cells) for v in verdicts)
            name = f"fleet, {profile}: races right or undecided"
            figures.append(Figure(name, fair / seeds, "", 0.95, floor=True))
    return Result(figures, table)


def line(profile: str, cells: Sequence[Cell], verdicts: Sequence[RaceVerdict]) -> dict[str, Any]:
    """One row of the table."""
    named = Counter(v.best or "undecided" for v in verdicts)
    return {
        "fleet": profile,
        "races": len(verdicts),
        "right": ", ".join(sorted(right(cells))),
        "named": ", ".join(f"{name} {n}" for name, n in named.most_common()),
        "mean requests": round(sum(v.requests for v in verdicts) / len(verdicts), 1),
        "p50 ms (failed)": ", ".join(
            f"{c.endpoint} {c.median_ms or 0:.0f} ({100 * (c.failures.share or 0):.0f} %)"
            for c in cells
        ),
    }


def main() -> int:
    """The command."""
    return run(__doc__ or "", lambda options: measure(options.quick))


if __name__ == "__main__":
    sys.exit(main())
