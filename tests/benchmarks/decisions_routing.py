"""How well the shares of the regions in global's traffic are found: simulated worlds, real fleet.

python -m tests.benchmarks.decisions_routing [--json] [--quick]

A share's truth is how many of the measured requests a region really answered; that is what the
answer claims. Errors against the router's own probabilities, which hold 300 draws' chance on top,
stand beside it, for they are what the reference document's table shows.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.catalogue import load_catalogue
from bench.frame import tidy
from bench.model import GLOBAL
from bench.plan import make_plan
from bench.prepare import Where, prepare
from bench.session import execute
from bench.simulator import Fleet
from bench.stats.routing import ELSEWHERE, Routing, route
from bench.stats.spillover import spillover
from tests.benchmarks.figures import Figure, Result, run

WORLDS = {"wide": (10, 90, 170, 250), "mid": (10, 45, 85, 135), "tight": (10, 20, 30, 45)}
NAMES = ("r1", "r2", "r3", "r4")
UNLISTED = 0.07
PROFILES = ("spillover", "near-tie")


@dataclass(frozen=True)
class Case:
    """One simulated run: its rows, and which part of global's requests each region answered."""

    df: pd.DataFrame
    real: dict[str, float]
    weights: dict[str, float]


def case(
    name: str,
    seed: int,
    n: int = 300,
    references: int = 300,
    *,
    streamed: bool = False,
    apart_ms: float = 12.0,
    weights: Sequence[float] | None = None,
) -> Case:
    """A world of `WORLDS`: Dirichlet(2) weights, 7 % from a region that has no endpoint.

    Way: the round trip, 1 % of it and Gamma(2, 1 ms) of jitter, and for 2 % a spike of 8 ms ×
    (1 + Pareto 2); global's is 0 to 12 ms longer. Work: log-normal around 0.45 s, sigma .28, 4 % ×
    (1 + Pareto 2.2), 0.7 % + Exp(4 s); a region is 10 % faster or slower than another. The unlisted
    region is at least ``apart_ms`` from every listed one: nearer, and it could be either.
    """
    rng = np.random.default_rng([seed, list(WORLDS).index(name)])
    ways = np.array([*WORLDS[name], _unlisted(rng, WORLDS[name], apart_ms)], dtype=float)
    medians = 450 * np.exp(rng.normal(0, 0.1, 5))
    chances = [*(rng.dirichlet([2] * 4) if weights is None else np.array(weights)), 0]
    chances = np.array(chances) * (1 - UNLISTED) + np.array([0, 0, 0, 0, UNLISTED])
    origin = rng.choice(5, n, p=chances)
    rows = _rows(GLOBAL, ways[origin], medians[origin], rng, rng.uniform(0, 12), streamed)
    for place, region in enumerate(NAMES):
        same = np.full(references, place)
        rows += _rows(region, ways[same], medians[same], rng, 0.0, streamed)
    keys = (*NAMES, ELSEWHERE)
    real = np.bincount(origin, minlength=5) / n
    return Case(
        tidy(rows, []),
        dict(zip(keys, map(float, real), strict=True)),
        dict(zip(keys, map(float, chances), strict=True)),
    )


def _unlisted(rng: np.random.Generator, ways: Sequence[float], apart_ms: float) -> float:
    while True:
        way = float(rng.uniform(5, 1.5 * max(ways)))
        if min(abs(way - other) for other in ways) >= apart_ms:
            return way


def _rows(
    endpoint: str, way: Any, median: Any, rng: np.random.Generator, offset: float, streamed: bool
) -> list[dict[str, Any]]:
    n = len(way)
    network = offset + way * (1 + 0.01 * np.abs(rng.standard_normal(n))) + rng.gamma(2, 1, n)
    network += (rng.random(n) < 0.02) * 8 * (1 + rng.pareto(2, n))
    work = median * np.exp(rng.normal(0, 0.28, n))
    work *= np.where(rng.random(n) < 0.04, 1 + rng.pareto(2.2, n), 1)
    work += (rng.random(n) < 0.007) * rng.exponential(4000, n)
    return [
        {
            "run_id": "simulated",
            "seq": i,
            "round": i,
            "endpoint": endpoint,
            "kind": "chat",
            "streamed": streamed,
            "client": "httpx",
            "connection": "warm",
            "warmup": False,
            "outcome": "ok",
            "reused": True,
            "ttfb_ns": round((network[i] + work[i]) * 1e6),
            "total_ns": round((network[i] + work[i] + 0.2) * 1e6),
            "server_e2e_ms": None if streamed else float(work[i]),
        }
        for i in range(n)
    ]


@dataclass(frozen=True)
class Score:
    """How one answer did: errors of its shares, and which intervals hold the truth."""

    identifiable: bool
    errors: dict[str, float]
    weight_errors: dict[str, float]
    covered: list[bool]
    weight_covered: list[bool]


def score(found: Routing, real: dict[str, float], weights: dict[str, float]) -> Score:
    """Compares every share of an answer with the truth; a group's truth is its regions' sum."""
    errors, weight_errors, covered, weight_covered = {}, {}, [], []
    for share in found.shares:
        members = share.regions or (ELSEWHERE,)
        truth = sum(real.get(name, 0.0) for name in members)
        weight = sum(weights.get(name, 0.0) for name in members)
        errors[share.name], weight_errors[share.name] = share.value - truth, share.value - weight
        covered.append(share.low <= truth <= share.high)
        weight_covered.append(share.low <= weight <= share.high)
    return Score(found.identifiable, errors, weight_errors, covered, weight_covered)


def scores(name: str, runs: int, n: int = 300, **world: Any) -> list[Score]:
    """One world, ``runs`` seeds."""
    cases = (case(name, seed, n, **world) for seed in range(runs))
    return [score(route(c.df, seed=seed), c.real, c.weights) for seed, c in enumerate(cases)]


def line(label: str, n: int, made: Sequence[Score]) -> dict[str, Any]:
    """One row of the table."""
    told = [s for s in made if s.identifiable]
    row: dict[str, Any] = {"world": label, "n": n, "runs": len(made)}
    row |= {"not identifiable": 1 - len(told) / len(made)}
    if not told:
        return row
    return row | {
        "mean error": _mean(told, "errors"),
        "largest in a run, median": float(np.median([_largest(s) for s in told])),
        "p99": float(np.quantile([_largest(s) for s in told], 0.99)),
        "largest": max(map(_largest, told)),
        "covered": float(np.mean([hit for s in told for hit in s.covered])),
        "mean error to router": _mean(told, "weight_errors"),
        "router covered": float(np.mean([hit for s in told for hit in s.weight_covered])),
    }


def _mean(made: Sequence[Score], which: str) -> float:
    return float(np.mean([abs(e) for s in made for e in getattr(s, which).values()]))


def _largest(one: Score) -> float:
    return max(map(abs, one.errors.values()))


def seconds(n: int) -> tuple[float, float]:
    """How long routing and spillover of ``n`` global samples take."""
    one = case("mid", 1, n)
    began = time.perf_counter()
    found = route(one.df)
    middle = time.perf_counter()
    spillover(one.df, found)
    return middle - began, time.perf_counter() - middle


def asked(profile: str, seed: int, rounds: int, concurrency: int = 6) -> tuple[Routing, Score]:
    """A real run against a fleet of its own, unstreamed, compared with the fleet's own log."""
    with Fleet.start(profile=profile, seed=seed) as fleet, tempfile.TemporaryDirectory() as folder:
        plan = make_plan(
            catalogue=str(fleet.catalogue),
            stream=False,
            rounds=rounds,
            concurrency=concurrency,
            seed=seed,
        )
        where = Where(results=Path(folder))
        df = execute(prepare(plan, load_catalogue(str(fleet.catalogue)), where), where).frame()
        log = fleet.truth()
    found = route(df, seed=seed)
    real = logged(df, log)
    return found, score(found, real, real)


def logged(df: pd.DataFrame, log: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The part of global's measured and answered requests that each region served."""
    ours = df[(df["endpoint"] == GLOBAL) & (df["outcome"] == "ok") & ~df["warmup"]]
    served = {deed["request_id"]: str(deed["region"]) for deed in log}
    regions = ours["request_id"].map(served).value_counts(normalize=True)
    return {str(name): float(part) for name, part in regions.items()}


def _fleets(
    seeds: int, rounds: int, profiles: Sequence[str] = PROFILES
) -> tuple[list[Figure], list[dict[str, Any]]]:
    figures, table = [], []
    for profile in profiles:
        made = [asked(profile, seed, rounds)[1] for seed in range(1, seeds + 1)]
        table.append(line(f"fleet: {profile}", rounds, made))
        within = sum(not s.identifiable or _largest(s) <= 0.07 for s in made)
        name = f"fleet, {profile}: runs within .07 of the log, or undecided"
        figures.append(Figure(name, within / seeds, "", 0.95, floor=True, timed=False))
    return figures, table


def _simulated(quick: bool) -> tuple[list[Figure], list[dict[str, Any]]]:
    runs, n = (2, 300) if quick else (200, 300)
    figures, table = [], []
    for name in WORLDS:
        made = scores(name, runs)
        table.append(row := line(f"{name}, (TTFB, network)", n, made))
        figures += [
            Figure(f"{name}: mean error of a share", row["mean error"], "", 0.03, timed=False),
            Figure(f"{name}: largest error of any share", row["largest"], "", 0.07, timed=False),
            Figure(f"{name}: intervals cover", row["covered"], "", 0.9, floor=True, timed=False),
            Figure(f"{name}: answered", 1 - row["not identifiable"], "", 0.9, True, False),
        ]
    for name in WORLDS:
        made = scores(name, 1 if quick else runs // 2, streamed=True)
        table.append(row := line(f"{name}, TTFB alone", n, made))
        silent = row["not identifiable"]
        figures.append(Figure(f"{name}: TTFB alone is not identifiable", silent, "", 0.9, True,
                              False))  # fmt: skip
    if not quick:
        for name in WORLDS:
            near = scores(name, runs // 4, apart_ms=0.0)
            table.append(line(f"{name}, unlisted region anywhere", n, near))
            for size in (100, 1000):
                made = scores(name, runs // 4, size)
                table.append(line(f"{name}, (TTFB, network)", size, made))
    return figures, table


def measure(quick: bool) -> Result:
    """Worlds, then speed, then fleets."""
    figures, table = _simulated(quick)
    routing_s, spillover_s = seconds(10_000)
    figures.append(Figure("routing of 10,000 global samples", routing_s, "s", 5.0))
    figures.append(Figure("spillover of 10,000 global samples", spillover_s, "s"))
    more, lines = _fleets(1, 40, PROFILES[:1]) if quick else _fleets(20, 150)
    return Result([*figures, *more], [*table, *lines])


def main() -> int:
    """The command."""
    return run(__doc__ or "", lambda options: measure(options.quick))


if __name__ == "__main__":
    sys.exit(main())
