"""How often a compromise between vantages is wrong, and how often there is one: simulated tours.

python -m tests.benchmarks.decisions_vantages [--json] [--quick]

A tour is the reference's world of the race once per vantage, each with its own distances. Wrong is
a compromise whose true cost is worse than the best one's by more than the margin, "one for all"
where it costs more than that somewhere, and "one each" where it does not. "Who looks best wrong" is
the same of whoever has the smallest largest cost, named without a test: what the rule is for.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.stats.compromise import CLAIMS, Tour, by_mean, by_minimax, kind_of
from bench.stats.sites import site
from tests.benchmarks.figures import Figure, Result, run
from tests.benchmarks.worlds import RACE, TIMEOUT_MS, Values, draw

WRONG = 5.0
ROUNDS = 200
SEED = 9000
WITHIN, WITHIN_MS = 0.05, 5.0

TOURS: dict[str, tuple[tuple[float, ...], ...]] = {
    "far apart": ((410, 560, 640, 470), (560, 410, 600, 465), (640, 600, 410, 475)),
    "near enough to err": ((410, 480, 560, 450), (560, 480, 410, 450), (470, 420, 470, 460)),
    "one for all": ((410, 470, 480, 520), (412, 460, 500, 510), (415, 480, 470, 560)),
    "all equal": ((430,) * 4,) * 3,
    "beyond the margin, just": ((410, 455, 434, 480), (434, 410, 434, 480), (455, 434, 412, 480)),
    "minimax and mean differ": ((410, 440, 470, 520), (410, 440, 470, 520), (520, 462, 430, 500)),
    "within the margin, all": ((410, 420, 425, 428), (425, 410, 418, 420), (420, 425, 410, 415)),
    "five vantages": (
        (410, 440, 500), (440, 410, 500), (500, 440, 410), (450, 430, 410), (410, 425, 460),
    ),
    "two, one of them decides": ((410, 490, 450), (470, 410, 430)),
}  # fmt: skip
"""True p50 in ms of each endpoint, per vantage."""


@dataclass(frozen=True)
class Truth:
    """What is true of a tour; ``costs`` has shape (vantages, endpoints)."""

    costs: Values
    margin_ms: float

    @property
    def worst(self) -> Values:
        """Each endpoint's largest cost."""
        return np.asarray(self.costs.max(axis=0))

    def wrong(self, values: Values, named: int) -> bool:
        """Whether another one is better by more than the margin."""
        return bool(values[named] > values.min() + self.margin_ms)


def truth(p50_ms: tuple[tuple[float, ...], ...]) -> Truth:
    """From the medians of each vantage."""
    ms = np.array(p50_ms, dtype=np.float64)
    best = ms.min(axis=1)
    return Truth(ms - best[:, None], max(WITHIN * float(best.mean()), WITHIN_MS))


def tour(rounds: list[Values]) -> Tour:
    """What is seen of it: rounds × endpoints per vantage."""
    sites = [site(one, TIMEOUT_MS) for one in rounds]
    every = np.full((len(sites), rounds[0].shape[1]), True)
    lowest = float(np.mean([one.ms.min() for one in sites]))
    margin = max(WITHIN * lowest, WITHIN_MS)
    return Tour(sites, [1 / len(sites)] * len(sites), every, every, margin)


def judge(p50_ms: tuple[tuple[float, ...], ...], rounds: list[Values]) -> dict[str, bool]:
    """What one tour said, and whether it was wrong."""
    known, seen = truth(p50_ms), tour(rounds)
    allowed = seen.error / CLAIMS
    kind, _ = kind_of(seen)
    minimax, mean = by_minimax(seen), by_mean(seen)
    one_does = bool((known.worst <= known.margin_ms).any())
    claims = {
        "minimax": minimax.wrong <= allowed and known.wrong(known.worst, minimax.leader),
        "mean": mean.wrong <= allowed and known.wrong(known.costs.mean(axis=0), mean.leader),
        "kind": (kind == "one" and known.worst[minimax.leader] > known.margin_ms)
        or (kind == "each" and one_does),
    }
    return {
        **{f"{name} wrong": bool(is_wrong) for name, is_wrong in claims.items()},
        "any wrong": any(claims.values()),
        "who looks best wrong": known.wrong(known.worst, minimax.leader),
        "minimax named": minimax.wrong <= allowed,
        "mean named": mean.wrong <= allowed,
        "kind known": kind != "undecided",
    }


def measure(runs: int) -> Result:
    """Each tour, so many times."""
    figures: list[Figure] = []
    table: list[dict[str, Any]] = []
    for place, (name, p50_ms) in enumerate(TOURS.items()):
        worlds = [
            draw(RACE, one, ROUNDS, runs, SEED + 100 * place + at) for at, one in enumerate(p50_ms)
        ]
        said = [judge(p50_ms, [world[k] for world in worlds]) for k in range(runs)]
        row = {key: _percent(said, key) for key in said[0]}
        figures.append(Figure(f"vantages, {name}: wrong", row["any wrong"], "%", WRONG))
        table.append({"tour": name, "tours": runs} | _columns(row))
    named = float(table[0]["minimax named %"])
    figures.append(Figure("vantages, far apart: minimax named", named, "%", 80.0, True))
    return Result(figures, table)


def _percent(said: list[dict[str, bool]], key: str) -> float:
    return 100 * float(np.mean([one[key] for one in said]))


def _columns(row: dict[str, float]) -> dict[str, Any]:
    return {f"{name} %": round(value, 1) for name, value in row.items()}


def main() -> int:
    """The command."""
    return run(__doc__ or "", lambda options: measure(4 if options.quick else 1000))


if __name__ == "__main__":
    sys.exit(main())
