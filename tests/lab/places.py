"""Three places, each with another nearest region, in namespaces of their own. Used inside
`tests.lab.inside`, where all of it lives: a fleet, a scheduler, a worker in each place."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.simulator import Fleet
from bench.store import read_runs
from tests.lab.cluster import DaskCluster, dask_cluster, free_ports
from tests.lab.inside import ordinary_priority
from tests.profiles import THREE_REGIONS

PLACES = {"here": "alpha", "there": "beta", "yonder": "gamma"}
"""Place → the region that is nearest to it."""

NEAR_MS, FAR_MS = 4.0, 60.0
_PATIENCE_S = 200.0


def tours(rounds: int) -> Any:
    """Two tours through the command, the second with the worker ``yonder`` killed half way: what it
    said, its rows, and what the fleet was asked."""
    with tempfile.TemporaryDirectory(prefix="places-") as name, _laid(Path(name)) as laid:
        fleet, cluster = laid
        whole = _tour(fleet, cluster, Path(name) / "whole", rounds)
        killed = _tour(fleet, cluster, Path(name) / "killed", rounds, kill="yonder")
        return {"whole": whole, "killed": killed}


def _tour(
    fleet: Fleet, cluster: DaskCluster, results: Path, rounds: int, kill: str | None = None
) -> dict[str, Any]:
    before = len(_asked(fleet))
    running = subprocess.Popen(
        _command(fleet, cluster, results, rounds),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if kill is not None:
        half = before + len(PLACES) ** 2 * rounds // 2
        while len(_asked(fleet)) < half and running.poll() is None:
            time.sleep(0.02)
        cluster.workers[kill].kill()
    out, err = running.communicate(timeout=_PATIENCE_S)
    document = json.loads(out) if out.strip() else None
    return {
        "code": running.returncode,
        "told": err if document else err + cluster.logs()[-4000:],
        "document": document,
        "asked": _asked(fleet)[before:],
        "rows": _rows(results) if document else [],
    }


@contextmanager
def _laid(folder: Path) -> Iterator[tuple[Fleet, DaskCluster]]:
    ordinary_priority()
    profile = folder / "three.toml"
    profile.write_text(THREE_REGIONS)
    with Fleet.start(profile) as fleet, dask_cluster(folder / "dask") as cluster, ExitStack() as up:
        for place, port in zip(PLACES, free_ports(len(PLACES)), strict=True):
            relay = _cross(up, fleet, cluster, place, port)
            cluster.add(
                *(place, "--no-nanny", "--host", "127.0.0.1", "--worker-port", str(port)),
                where=("nsenter", f"--net=/proc/{relay.pid}/ns/net"),
                environ={"REGIONBENCH_PLACE": f"near {PLACES[place]}"},
            )
        cluster.await_workers(len(PLACES))
        yield fleet, cluster


def _cross(
    up: ExitStack, fleet: Fleet, cluster: DaskCluster, place: str, back: int
) -> subprocess.Popen[str]:
    out = {cluster.port: 0.0}
    for endpoint in fleet.endpoints:
        port = int(str(endpoint.connect).rpartition(":")[2])
        out[port] = NEAR_MS if endpoint.name == PLACES[place] else FAR_MS
    command = [sys.executable, "-m", "tests.lab.crossing", json.dumps({"out": out, "back": [back]})]
    relay = up.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    up.callback(relay.kill)
    assert relay.stdout is not None
    if relay.stdout.readline() != "ready\n":
        raise OSError("a crossing did not start")
    return relay


def _command(fleet: Fleet, cluster: DaskCluster, results: Path, rounds: int) -> list[str]:
    return [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue), "--json"),
        *("--endpoints", ",".join(PLACES.values()), "--rounds", str(rounds), "--no-calibrate"),
        *("--results", str(results), "--batch", "places", *cluster.options),
    ]


def _asked(fleet: Fleet) -> list[str]:
    return [deed["request_id"] for deed in fleet.truth() if deed["model"]]


def _rows(results: Path) -> list[dict[str, Any]]:
    kept = ("vantage", "seq", "round", "request_id", "outcome", "endpoint", "warmup")
    return [{name: row[name] for name in kept} for run in read_runs(results) for row in run.rows]
