"""Real workers of a real scheduler under TLS: limits, keys, Ctrl-C, and whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.errors import UsageError
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.store import read_runs
from bench.vantage import Tour, connected, muster, tour, travel
from bench.vantage.post import greet
from bench.vantage.session import LEASE_S
from tests.lab.cluster import DaskCluster, dask_cluster, with_real_key

CANARY = "canary-5f0c1a77e2b94d0dk3y"
_PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, quick: Fleet) -> Iterator[DaskCluster]:
    """One scheduler, two workers; only these have the key."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as running:
        for name in ("paris", "tokyo"):
            running.add(name, "--no-nanny", environ={"FLEET_KEY": quick.key, "CANARY_KEY": CANARY})
        running.await_workers(2)
        yield running


def asked(fleet: Fleet) -> list[str]:
    return [deed["request_id"] for deed in fleet.truth() if deed["model"]]


def plan_of(fleet: Fleet, **values: Any) -> bench.Plan:
    return make_plan(catalogue=str(fleet.catalogue), endpoints=("near", "far"), **values)


def go(cluster: DaskCluster, plan: bench.Plan, results: Path, **where: Any) -> Tour:
    found = bench.run(
        plan, where=Where(results=results, **where), scheduler=cluster.address, tls=cluster.tls
    )
    assert isinstance(found, Tour)
    return found


def start(cluster: DaskCluster, fleet: Fleet, results: Path, *more: str) -> subprocess.Popen[str]:
    """The command, when a few requests have arrived."""
    before = len(asked(fleet))
    command = [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue), "--json"),
        *("--endpoints", "near,far", "--no-calibrate", "--results", str(results)),
        *("--rounds", "2000", *cluster.options, *more),
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + _PATIENCE_S
    while len(asked(fleet)) < before + 12 and running.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    return running


def settled(fleet: Fleet) -> int:
    """How many requests had arrived when no more did for a while."""
    seen, since = len(asked(fleet)), time.monotonic()
    while time.monotonic() - since < 1.5:
        time.sleep(0.1)
        if (now := len(asked(fleet))) != seen:
            seen, since = now, time.monotonic()
    return seen


def test_a_tour_is_a_run_folder_for_each_vantage_under_one_batch(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """Each with its own name, clock and run.json; the requests of a round are the same bytes at a
    vantage, and but for the nonce, which defeats a region's prompt cache, at all of them."""
    found = go(cluster, plan_of(quick, rounds=3), tmp_path)
    df = found.frame()
    assert found.status == "complete"
    assert dict(df.groupby("vantage", observed=True).size()) == {"paris": 8, "tokyo": 8}
    assert (df["outcome"] == "ok").all()
    assert (df.groupby(["vantage", "round"], observed=True)["request_sha256"].nunique() == 1).all()
    assert df["request_sha256"].nunique() == 2 * 4
    runs = [json.loads((one.folder / "run.json").read_text()) for one in found.finished]
    assert {run["plan"]["batch"] for run in runs} == {found.batch}
    assert len({run["tour"]["asks_sha256"] for run in runs}) == 1
    for run in runs:
        assert run["tour"]["of"] == 2
        assert run["tour"]["skew_rtt_ns"] > 0
        assert abs(run["tour"]["skew_ns"]) <= run["tour"]["skew_rtt_ns"]  # one machine, one clock


def test_limits_are_totals_shared_alike(cluster: DaskCluster, quick: Fleet, tmp_path: Path) -> None:
    """Nine requests are nine requests, by the fleet's count."""
    before = len(asked(quick))
    found = go(cluster, plan_of(quick, rounds=50), tmp_path, max_requests=9)
    assert len(asked(quick)) - before == 9
    assert sorted(found.frame().groupby("vantage", observed=True).size()) == [4, 5]
    assert {one.status for one in found.finished} == {"stopped"}
    assert {one.reason for one in found.finished} == {"the limit of 9 requests is reached"}


def test_money_is_never_overspent_by_several_at_once(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """What is lent counts at its worst price."""
    found = go(cluster, plan_of(quick, rounds=50), tmp_path, max_usd=0.01)
    assert 0 < found.frame()["cost_usd"].sum() <= 0.01
    assert "of the limit of $0.0100" in str(found.finished[0].reason)


def test_a_key_is_read_where_it_is_used_and_stays_there(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """The driver has none. The workers' is in no log of scheduler and workers, in no row, in no
    run.json; that the scan can fail shows the request's own text."""
    assert "FLEET_KEY" not in os.environ
    plan = make_plan(
        catalogue=with_real_key(quick, tmp_path, "FLEET_KEY"),
        endpoints=("near",),
        rounds=2,
        model="m",
    )
    found = go(cluster, plan, tmp_path / "results")
    assert (found.frame()["outcome"] == "ok").all()
    written = [f.read_bytes() for f in (tmp_path / "results").rglob("*") if f.is_file()]
    said = b"".join([*written, cluster.logs().encode()])
    assert quick.key.encode() not in said
    assert b"which planet do we live on" in said


def test_a_wrong_key_is_told_without_it(cluster: DaskCluster, quick: Fleet, tmp_path: Path) -> None:
    """Not one of its letters is in what the driver hears."""
    plan = make_plan(
        catalogue=with_real_key(quick, tmp_path, "CANARY_KEY"),
        endpoints=("near",),
        rounds=2,
        model="m",
    )
    with pytest.raises(bench.RegionbenchError) as caught:
        go(cluster, plan, tmp_path / "results")
    assert "bad_key" in str(caught.value)
    assert CANARY not in str(caught.value) + cluster.logs()


def test_a_worker_without_a_key_refuses_the_tour_and_is_named(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """Before anything is asked; nothing is left behind, and the next tour can begin at once."""
    plan = make_plan(
        catalogue=with_real_key(quick, tmp_path, "NO_SUCH_KEY"), endpoints=("near",), model="m"
    )
    before = len(asked(quick))
    with pytest.raises(UsageError, match=r"(paris|tokyo): no API key .* set NO_SUCH_KEY"):
        go(cluster, plan, tmp_path / "results")
    assert len(asked(quick)) == before
    assert not list((tmp_path / "results").glob("*"))
    assert go(cluster, plan_of(quick, rounds=1), tmp_path / "next").status == "complete"


def test_this_machines_key_and_name_are_not_taken_for_theirs(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """A key does not travel."""
    with pytest.raises(UsageError, match="a key does not travel"):
        go(cluster, plan_of(quick), tmp_path, key_file=tmp_path / "key")
    with pytest.raises(UsageError, match="REGIONBENCH_VANTAGE"):
        go(cluster, plan_of(quick), tmp_path, vantage="here")
    with pytest.raises(UsageError, match="closed loop"):
        go(cluster, plan_of(quick, rate=5.0), tmp_path)


def test_another_version_is_refused(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of two versions would be compared as if they were of one."""
    monkeypatch.setattr(import_module("bench.vantage.muster"), "version", lambda _: "9.9.9")
    with pytest.raises(UsageError, match=r"this is regionbench 9\.9\.9, and .* has 0\.1\.0"):
        go(cluster, plan_of(quick), tmp_path)


def test_ctrl_c_keeps_everything_of_every_vantage(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """One run folder each, interrupted; what was in flight is a row."""
    before = len(asked(quick))
    running = start(cluster, quick, tmp_path)
    running.send_signal(signal.SIGINT)
    out, told = running.communicate(timeout=_PATIENCE_S)
    assert running.returncode == 130, told
    assert [v["status"] for v in json.loads(out)["vantages"]] == ["interrupted"] * 2
    kept = [row["request_id"] for run in read_runs(tmp_path) for row in run.rows]
    missing = set(asked(quick)[before:]) - set(kept)
    assert len(missing) <= 2  # interrupted before the answer told its id


def test_workers_stop_when_their_driver_is_killed(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """A row that nobody stores is the last one: at most one request more at each."""
    before = len(asked(quick))
    running = start(cluster, quick, tmp_path)
    running.kill()
    running.communicate()
    stored = sum(len(run.rows) for run in read_runs(tmp_path))
    assert stored <= settled(quick) - before <= stored + 2 * 2
    time.sleep(10.5)
    assert go(cluster, plan_of(quick, rounds=1), tmp_path / "next").status == "complete"


def test_a_frozen_worker_is_lost_and_sends_nothing_when_it_wakes(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other completes; the sleeper's requests of before are neither sent again nor sent late,
    but for the one under way."""
    monkeypatch.setattr(tour, "SILENCE_S", 4.0)
    frozen = cluster.workers["tokyo"]
    seen: list[str] = []

    def watch(sample: bench.Sample) -> None:
        seen.append(sample.vantage)
        if len(seen) == 10:
            frozen.send_signal(signal.SIGSTOP)

    try:
        with connected(cluster.address, cluster.tls) as found:
            where = Where(results=tmp_path)
            crew = muster(found, plan_of(quick, rounds=12), where)
            before = len(asked(quick))
            done = travel(found, crew, where, watch=watch)
    finally:
        frozen.send_signal(signal.SIGCONT)
    status = {one.run.vantage: one.status for one in done.finished}
    assert status == {"paris": "complete", "tokyo": "stopped"}
    assert len(done.frame()) <= settled(quick) - before <= len(done.frame()) + 2


def test_a_scheduler_that_is_gone_ends_all_and_loses_nothing(
    cluster: DaskCluster, quick: Fleet, tmp_path: Path
) -> None:
    """The last test of this cluster: rows up to then are kept, each run says why it stopped."""
    time.sleep(LEASE_S)  # the test before may have left its sessions to their lease
    before = len(asked(quick))
    running = start(cluster, quick, tmp_path)
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    out, told = running.communicate(timeout=_PATIENCE_S)
    assert out, told
    found = json.loads(out)["vantages"]
    assert [v["status"] for v in found] == ["stopped"] * 2, told
    assert all("the vantage was lost" in v["reason"] for v in found)
    stored = sum(len(run.rows) for run in read_runs(tmp_path))
    assert stored <= settled(quick) - before <= stored + 2


def test_a_worker_says_who_it_is_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, labels and place are all that is read of the environment."""
    monkeypatch.setenv("XAI_API_KEY", CANARY)
    monkeypatch.setenv("REGIONBENCH_PLACE", "Paris, FR")
    assert "Paris, FR" in greet()
    assert CANARY not in greet()
