"""Many vantages, one of them killed again and again: is a request sent twice, is a row lost?

    python -m tests.benchmarks.vantages [--kills N] [--json] [--quick]

A real scheduler under TLS and three real workers. In each tour one worker is killed at a seeded
random instant and replaced. The fleet's own log is the witness: a request counts as acknowledged
when a later one of the same vantage was asked, since a vantage sends nothing before its last row is
stored. Where namespaces are allowed, three places of different nearest regions are measured too.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.model import Plan, Sample
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.store import StoredRun, read_runs
from bench.vantage import Cluster, connected, muster, travel
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.lab.cluster import DaskCluster, dask_cluster
from tests.lab.inside import call_inside, no_namespace
from tests.lab.places import PLACES
from tests.profiles import TWO_REGIONS

NAMES = ("paris", "tokyo", "dallas")
ROUNDS = 12
_SETTLE_S = 0.3


@dataclass(frozen=True)
class Struck:
    """What one tour with a kill in it came to."""

    victim: str
    asked: int
    stored: int
    lost: int
    twice: int
    invented: int
    unfinished: int
    skews_ms: tuple[float, ...]


def strike(
    fleet: Fleet, dask: DaskCluster, cluster: Cluster, results: Path, choice: random.Random
) -> Struck:
    """One tour; a worker is killed when so many rows are stored, and replaced after it."""
    victim, at = choice.choice(NAMES), choice.randrange(1, len(NAMES) * 2 * ROUNDS)
    delay_s = 0.03 * choice.random()
    before = len(_asked(fleet))
    seen: list[str] = []

    def watch(sample: Sample) -> None:
        seen.append(sample.vantage)
        if len(seen) == at:
            threading.Timer(delay_s, dask.workers[victim].kill).start()

    where = Where(results=results)
    travel(cluster, muster(cluster, _plan(fleet), where), where, watch=watch)
    time.sleep(_SETTLE_S)  # what was in flight is written into the fleet's log
    dask.workers[victim].kill()
    dask.workers[victim].wait()
    dask.add(victim, "--no-nanny")
    dask.await_workers(len(NAMES))
    return judge(victim, _asked(fleet)[before:], read_runs(results))


def judge(victim: str, asked: Sequence[str], runs: Sequence[StoredRun]) -> Struck:
    """One request may have no row: the victim's last. Everybody else's rows are all there."""
    rows = [row for run in runs for row in run.rows]
    ids = [row["request_id"] for row in rows if row["request_id"] is not None]
    spared = [run for run in runs if run.run["vantage"] != victim]
    without = len(asked) - len(set(ids) & set(asked))
    return Struck(
        victim=victim,
        asked=len(asked),
        stored=len(rows),
        lost=max(0, without - 1),
        twice=len(asked) - len(set(asked)) + len(ids) - len(set(ids)) + _beyond(runs, asked),
        invented=len(set(ids) - set(asked)),
        unfinished=sum(run.run["status"] != "complete" for run in spared),
        skews_ms=tuple(_skews(spared)),
    )


def _beyond(runs: Sequence[StoredRun], asked: Sequence[str]) -> int:
    """Requests beyond one for each scheduled."""
    scheduled: int = sum(run.run["scheduled"] for run in runs)
    return max(0, len(asked) - scheduled)


def _skews(runs: Sequence[StoredRun]) -> list[float]:
    """How far apart the measured rounds began at those that were spared: one machine, one clock."""
    begun: dict[int, dict[str, float]] = {}
    for run in runs:
        for row in run.rows:
            if not row["warmup"]:
                when = _seconds(row["started_at"])
                first = begun.setdefault(row["round"], {})
                first[row["vantage"]] = min(when, first.get(row["vantage"], when))
    return [
        1000 * (max(first.values()) - min(first.values()))
        for first in begun.values()
        if len(first) == len(runs)
    ]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _asked(fleet: Fleet) -> list[str]:
    return [deed["request_id"] for deed in fleet.truth() if deed["model"]]


def _plan(fleet: Fleet) -> Plan:
    return make_plan(catalogue=str(fleet.catalogue), endpoints=("near", "far"), rounds=ROUNDS)


def measure(options: argparse.Namespace) -> Result:
    """The kills, one after the other; then the places."""
    count = 2 if options.quick else options.kills
    choice = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="vantages-") as name:
        folder = Path(name)
        (folder / "two.toml").write_text(TWO_REGIONS)
        with Fleet.start(folder / "two.toml") as fleet, dask_cluster(folder / "dask") as dask:
            for vantage in NAMES:
                dask.add(vantage, "--no-nanny")
            dask.await_workers(len(NAMES))
            with connected(dask.address, dask.tls) as cluster:
                struck = [
                    strike(fleet, dask, cluster, folder / f"k{number}", choice)
                    for number in range(count)
                ]
    notes, places = _places(options.quick)
    return Result([*_figures(struck), *places], _table(struck), notes)


def _figures(struck: Sequence[Struck]) -> list[Figure]:
    count = len(struck)
    skews = sorted(skew for one in struck for skew in one.skews_ms)
    counted = {
        "requests without a row, but for one under way": sum(one.lost for one in struck),
        "requests or rows beyond one each": sum(one.twice for one in struck),
        "rows of no request": sum(one.invented for one in struck),
        "spared vantages unfinished": sum(one.unfinished for one in struck),
    }
    return [
        Figure("requests asked", sum(one.asked for one in struck), ""),
        *(Figure(f"{n} in {count} kills", v, "", 0, timed=False) for n, v in counted.items()),
        Figure("rounds begin apart, median", statistics.median(skews), "ms", 50),
        Figure("rounds begin apart, p95", skews[int(0.95 * (len(skews) - 1))], "ms"),
    ]


def _table(struck: Sequence[Struck]) -> list[dict[str, Any]]:
    return [
        {
            "killed": name,
            "kills": len(mine),
            "asked": sum(one.asked for one in mine),
            "stored": sum(one.stored for one in mine),
        }
        for name in NAMES
        if (mine := [one for one in struck if one.victim == name])
    ]


def _places(quick: bool) -> tuple[list[str], list[Figure]]:
    """How many of three places find the region that is nearest to them."""
    if quick:
        return ["The places are a test of their own: tests/test_vantage_places.py."], []
    if (reason := no_namespace()) is not None:
        return [f"No places: {reason}."], []
    found = call_inside("tests.lab.places:tours", 600, rounds=10)
    said = {v["vantage"]: v["answer"]["sentence"] for v in found["whole"]["document"]["vantages"]}
    right = sum(said[place].startswith(f"{region} is") for place, region in PLACES.items())
    figure = Figure("places that find their region, of 3", right, "", 3, floor=True, timed=False)
    return [f"{place}: {sentence}" for place, sentence in said.items()], [figure]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure, _options))
