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
from tests.lab.cluster import DaskCluster, dask_cluster, free_ports
from tests.lab.inside import ordinary_priority
from tests.profiles import THREE_REGIONS

PLACES = {"here": "alpha", "there": "beta", "yonder": "gamma"}
"""Place → the region that is nearest to it."""

NEAR_MS, FAR_MS = 4.0, 60.0
_PATIENCE_S = 200.0


def best_regions(rounds: int) -> Any:
    """One tour through the command; its JSON document, and what the fleet was asked."""
    with tempfile.TemporaryDirectory(prefix="places-") as name, _laid(Path(name)) as laid:
        fleet, cluster = laid
        done = _run(fleet, cluster, Path(name), rounds)
        return {**_outcome(done, cluster), "asked": _asked(fleet)}


def one_killed(rounds: int) -> Any:
    """As `best_regions`; the worker ``yonder`` is killed when a few rounds are stored."""
    with tempfile.TemporaryDirectory(prefix="places-") as name, _laid(Path(name)) as laid:
        fleet, cluster = laid
        running = subprocess.Popen(
            _command(fleet, cluster, Path(name), rounds),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while len(_asked(fleet)) < 9 * rounds // 2 and running.poll() is None:
            time.sleep(0.02)
        cluster.workers["yonder"].kill()
        done = _end(running)
        return {**_outcome(done, cluster), "asked": _asked(fleet), "rows": _rows(Path(name))}


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


def _command(fleet: Fleet, cluster: DaskCluster, folder: Path, rounds: int) -> list[str]:
    return [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue), "--json"),
        *("--endpoints", ",".join(PLACES.values()), "--rounds", str(rounds), "--no-calibrate"),
        *("--results", str(folder / "results"), "--batch", "places", *cluster.options),
    ]


def _run(
    fleet: Fleet, cluster: DaskCluster, folder: Path, rounds: int
) -> subprocess.CompletedProcess[str]:
    running = subprocess.Popen(
        _command(fleet, cluster, folder, rounds),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return _end(running)


def _end(running: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """How it ended; what takes too long is stopped as by a person, and tells why."""
    try:
        out, err = running.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        running.terminate()
        out, err = running.communicate(timeout=_PATIENCE_S)
    return subprocess.CompletedProcess([], running.returncode, out, err)


def _outcome(done: subprocess.CompletedProcess[str], cluster: DaskCluster) -> dict[str, Any]:
    document = json.loads(done.stdout) if done.stdout.strip() else None
    logs = cluster.logs()[-4000:] if document is None else ""
    return {"code": done.returncode, "told": done.stderr, "document": document, "logs": logs}


def _asked(fleet: Fleet) -> list[str]:
    return [deed["request_id"] for deed in fleet.truth() if deed["model"]]


def _rows(folder: Path) -> list[dict[str, Any]]:
    from bench.store import read_runs

    kept = ("vantage", "seq", "round", "request_id", "outcome", "endpoint", "warmup")
    return [
        {name: row[name] for name in kept}
        for run in read_runs(folder / "results")
        for row in run.rows
    ]
