"""Workers under Dask's own nannies, which start a worker anew when it dies; and what was lost with
one is measured afterwards."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench.cli import main
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.vantage import Tour
from tests.benchmarks.killing import descendants
from tests.lab.cluster import DaskCluster, dask_cluster
from tests.test_vantages import asked, settled

ROUNDS = 40


@pytest.fixture
def cluster(tmp_path: Path, quick: Fleet) -> Iterator[DaskCluster]:
    """One scheduler, two workers, each with its nanny."""
    with dask_cluster(tmp_path / "dask") as running:
        for name in ("paris", "tokyo"):
            running.add(name, "--nanny", environ={"FLEET_KEY": quick.key})
        running.await_workers(2)
        yield running


def tour(cluster: DaskCluster, fleet: Fleet, results: Path, dies_after: int | None = None) -> Tour:
    """One tour; tokyo's worker process, not its nanny, dies with so many rows stored."""
    nanny = cluster.workers["tokyo"].pid
    seen: list[str] = []

    def watch(sample: bench.Sample) -> None:
        seen.append(sample.vantage)
        if len(seen) == dies_after:
            for process in descendants(nanny):
                os.kill(process, signal.SIGKILL)

    plan = make_plan(catalogue=str(fleet.catalogue), endpoints=("near", "far"), rounds=ROUNDS)
    found = bench.run(
        plan, where=Where(results=results), watch=watch, scheduler=cluster.address, tls=cluster.tls
    )
    assert isinstance(found, Tour)
    return found


def test_who_is_started_anew_asks_nothing_again_and_what_was_lost_is_resumed(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nanny's new worker knows nothing of the tour: no request is sent twice. It is in the next
    tour; and ``--resume`` measures the rest of the lost run, under the same batch and vantage."""
    results, before = tmp_path / "results", len(asked(quick))
    found = tour(cluster, quick, results, dies_after=30)
    status = {one.run.vantage: one.status for one in found.finished}
    assert status == {"paris": "complete", "tokyo": "stopped"}
    rows = len(found.frame())
    assert rows <= settled(quick) - before <= rows + 2

    cluster.await_workers(2)
    again = tour(cluster, quick, tmp_path / "next")
    assert [one.status for one in again.finished] == ["complete"] * 2

    lost = next(one.folder for one in found.finished if one.run.vantage == "tokyo")
    told = json.loads((lost / "run.json").read_text())
    before = len(asked(quick))
    words = ["run", "--resume", str(lost), "--vantage", "tokyo", "--no-calibrate", "--no-report"]
    assert main([*words, "--json"]) == 0, capsys.readouterr()
    df = bench.load(results)
    df = df[df["vantage"] == "tokyo"]
    meant = df[~df["warmup"]]
    assert sorted(meant["seq"]) == sorted(set(meant["seq"]))
    assert len(meant) == 2 * ROUNDS
    assert (meant["outcome"] == "ok").sum() >= 2 * ROUNDS - 1  # the one in flight when it died
    now = json.loads((lost / "run.json").read_text())
    assert now["status"] == "complete"
    assert now["plan"]["batch"] == found.batch
    assert now["tour"] == told["tour"]
    assert [part["reason"] for part in now["before"]] == [told["reason"]]
