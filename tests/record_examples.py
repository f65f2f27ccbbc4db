"""Record the runs that `bench.load_example` gives, with this product on local fleets.

    python -m tests.record_examples [FILE …]     # about eight minutes for all of them

Each file is an archive of runs in ``bench/examples/``. Record again when the row's schema changes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import tomllib
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

HERE = "example"
PLACES: Mapping[str, Mapping[str, float]] = {
    "fra": {"us-east-1": 92.0, "us-west-2": 146.0, "eu-west-1": 24.0, "us": 112.0},
    "iad": {"us-east-1": 6.0, "us-west-2": 62.0, "eu-west-1": 76.0, "us": 28.0},
    "sea": {"us-east-1": 64.0, "us-west-2": 8.0, "eu-west-1": 136.0, "us": 44.0},
}
"""Vantage → how far each region is from the edge that is near to it, in ms there and back."""

Sitting = tuple[Plan, str, str, str]
"""A plan, the fleet's profile, the run's tag, and the vantage."""


def asking(**settings: Any) -> Plan:
    """A plan that asks a fleet."""
    return make_plan(catalogue="fleet", timeout_s=30.0, **settings)


def usual() -> str:
    """The typical fleet."""
    return files("bench.simulator").joinpath("profiles/typical.toml").read_text("utf-8")


def seen_from(vantage: str, folder: Path) -> str:
    """The typical fleet from another place."""
    head, *regions = usual().split("[[regions]]")
    far = [
        re.sub(r"rtt_ms = .*", f"rtt_ms = {PLACES[vantage][tomllib.loads(region)['name']]}", region)
        for region in (part.partition("[[")[0] for part in regions)
    ]
    models = "[[models]]" + usual().partition("[[models]]")[2]
    file = folder / f"{vantage}.toml"
    text = head.replace('colo = "IAD"', f'colo = "{vantage.upper()}"')
    file.write_text("[[regions]]".join((text, *far)) + models, "utf-8")
    return str(file)


def slower(folder: Path) -> str:
    """The typical fleet, with a us-east-1 that thinks 40 % longer."""
    before, line = 'name = "us-east-1"', "service = { ttft_ms = 70.0 }"
    head, rest = usual().split(before)
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
    tour = asking(rounds=40, endpoints=REGIONS, stream=False, batch="tour")
    return {
        "regions": [(regions, "typical", "", HERE)],
        "spillover": [(spillover, "spillover", "", HERE)],
        "history": [
            *((plan, "typical", "", HERE) for plan in daily[:PAST_RUNS]),
            (daily[-2], slower(folder), "", HERE),
            (daily[-1], slower(folder), "confirmation", HERE),
        ],
        "places": [(tour, seen_from(place, folder), "", place) for place in PLACES],
    }


def record(name: str, folder: Path) -> int:
    """Record one file; how many bytes it takes."""
    runs = []
    for plan, profile, tag, vantage in sittings(folder)[name]:
        where = Where(results=folder / "results", profile=profile, vantage=vantage)
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
