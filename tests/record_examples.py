"""Record the runs that `bench.load_example` gives, with this product on local fleets.

    python -m tests.record_examples [FILE …]     # about six minutes for all of them

Each file is an archive of runs in ``bench/examples/``. Record again when the row's schema changes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.model import Plan
from bench.plan import make_plan
from bench.prepare import Where
from bench.running import run
from bench.store import change_tags, export_runs

TARGET = Path(str(files("bench.examples")))
REGIONS = ("global", "us-east-1", "us-west-2", "eu-west-1")
PAST_RUNS = 10

Sitting = tuple[Plan, str, str]
"""A plan, the fleet's profile, and the run's tag."""


def asking(**settings: Any) -> Plan:
    """A plan that asks a fleet."""
    return make_plan(catalogue="fleet", timeout_s=30.0, **settings)


def slower(folder: Path) -> str:
    """The typical fleet, with a us-east-1 that thinks 40 % longer."""
    usual = files("bench.simulator").joinpath("profiles/typical.toml").read_text("utf-8")
    before, line = 'name = "us-east-1"', "service = { ttft_ms = 70.0 }"
    head, rest = usual.split(before)
    file = folder / "slower.toml"
    file.write_text(head + before + rest.replace(line, "service = { ttft_ms = 98.0 }", 1), "utf-8")
    return str(file)


def sittings(folder: Path) -> Mapping[str, Sequence[Sitting]]:
    """What is measured for each file, in this order."""
    daily = [
        asking(rounds=30, endpoints=REGIONS[:2], stream=False, seed=seed)
        for seed in range(1, PAST_RUNS + 3)
    ]
    regions = asking(rounds=30, endpoints=REGIONS, connections=("warm", "cold"))
    spillover = asking(rounds=160, endpoints=REGIONS, stream=False)
    return {
        "regions": [(regions, "typical", "")],
        "spillover": [(spillover, "spillover", "")],
        "history": [
            *((plan, "typical", "") for plan in daily[:PAST_RUNS]),
            (daily[-2], slower(folder), ""),
            (daily[-1], slower(folder), "confirmation"),
        ],
    }


def record(name: str, folder: Path) -> int:
    """Record one file; how many bytes it takes."""
    runs = []
    for plan, profile, tag in sittings(folder)[name]:
        where = Where(results=folder / "results", profile=profile, vantage="example")
        finished = run(plan, where=where)
        if finished.status != "complete":
            raise StoreError(f"{name}: its run was {finished.status}, and is no example.")
        if tag:
            change_tags(finished.folder, add=(tag,))
        runs.append(finished.folder)
    file = TARGET / f"{name}.parquet"
    export_runs(runs, file)
    return file.stat().st_size


def main(names: Sequence[str]) -> None:
    """Record the named files, or all."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names or sittings(Path(folder)):
            sys.stderr.write(f"{name}: {record(name, Path(folder)):,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
