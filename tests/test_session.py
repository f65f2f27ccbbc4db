"""From plan to run folder against the real fleet."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench.catalogue import Catalogue, load_catalogue
from bench.cli import main as regionbench
from bench.errors import NothingMeasured, PlanError
from bench.model import Plan
from bench.plan import make_plan
from bench.prepare import Where, prepare
from bench.probe import Stop
from bench.session import execute
from bench.simulator import Fleet
from bench.stats import summarise
from tests.namespace import require_namespaces, run_inside


def measured(fleet: Fleet, tmp_path: Path, **plan: Any) -> pd.DataFrame:
    catalogue = load_catalogue(str(fleet.catalogue))
    where = Where(results=tmp_path)
    prepared = prepare(make_plan(catalogue=str(fleet.catalogue), **plan), catalogue, where)
    return execute(prepared, where).frame()


def test_every_scheduled_request_is_one_row(fleet: Fleet, tmp_path: Path) -> None:
    """All strata, kinds and warm-ups; nothing twice, nothing missing, all ok or a named failure."""
    df = measured(
        fleet,
        tmp_path,
        rounds=2,
        kinds=("chat", "responses", "models", "edge"),
        connections=("warm", "cold"),
    )
    assert sorted(df["seq"]) == list(range(5 * 8 * 3))
    assert df["warmup"].sum() == 40
    assert set(df["outcome"]) <= {"ok", "capacity"}
    assert (df.loc[df["outcome"] == "ok", "total_ns"] > 0).all()


def test_requests_of_a_round_are_byte_identical_and_rounds_differ(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Proved by the digest in every row."""
    df = measured(fleet, tmp_path, rounds=4)
    per_round = df.groupby("round")["request_sha256"].nunique()
    assert (per_round == 1).all()
    assert df["request_sha256"].nunique() == 5


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("stream", [False, True], ids=["at once", "streamed"])
@pytest.mark.parametrize("kind", ["chat", "responses"])
def test_phases_are_filled_where_they_happened(
    kind: str, http2: bool, stream: bool, fleet: Fleet, tmp_path: Path
) -> None:
    """A cold row has TCP and TLS, a warm one has neither; streams have tokens, documents have the
    server's own time."""
    df = measured(
        *(fleet, tmp_path),
        rounds=2,
        http2=http2,
        stream=stream,
        kinds=(kind,),
        connections=("warm", "cold"),
    )
    df = df[(df["outcome"] == "ok") & ~df["warmup"]]
    cold, warm = df[df["connection"] == "cold"], df[df["connection"] == "warm"]
    assert set(df["http_version"]) == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert cold[["tcp_ns", "tls_ns"]].notna().all(axis=None)
    assert warm[["tcp_ns", "tls_ns"]].isna().all(axis=None)
    assert warm["reused"].all()
    assert not cold["reused"].any()
    assert (
        df[["send_ns", "ttfb_ns", "total_ns", "peer_ip", "edge", "cost_usd"]].notna().all(axis=None)
    )
    assert (df["ttfb_ns"] <= df["total_ns"]).all()
    assert df["ttft_ns"].notna().all() == stream
    assert df["server_e2e_ms"].notna().all() != stream
    if stream:
        assert (df["first_event_ns"] <= df["ttft_ns"]).all()
        assert (df["ttft_ns"] <= df["last_token_ns"]).all()
        assert (df["last_token_ns"] <= df["total_ns"]).all()
    else:
        assert (df["network_ms"] > 0).all()


def test_the_regions_that_served_are_in_the_fleets_log_and_nowhere_in_the_rows(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Routing must be inferred; a row that knew it would make every later answer a fake."""
    before = len(fleet.truth())
    df = measured(fleet, tmp_path, rounds=10, endpoints=("global",))
    served = fleet.truth()[before:]
    assert {deed["endpoint"] for deed in served} == {"global"}
    chats = [deed for deed in served if deed["model"]]
    assert len(chats) == len(df)
    assert set(df["request_id"]) <= {deed["request_id"] for deed in served}
    assert df["region"].isna().all()


def test_open_loop_records_how_late_each_request_started(fleet: Fleet, tmp_path: Path) -> None:
    """Due times come from the schedule, whatever the requests before took."""
    df = measured(fleet, tmp_path, rounds=3, rate=20.0, endpoints=("us-east-1",))
    df = df[~df["warmup"]]
    assert list(df["due_ns"]) == [0, 50_000_000, 100_000_000]
    assert (df["late_ns"] >= 0).all()
    assert df["late_ns"].iloc[-1] > 20_000_000


def test_several_in_flight_lose_and_double_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """Each worker has connections of its own."""
    df = measured(fleet, tmp_path, rounds=8, concurrency=4)
    assert sorted(df["seq"]) == list(range(5 * (4 + 8)))
    assert df["run_id"].nunique() == 1
    assert df.loc[~df["warmup"], "reused"].all()


def dead_catalogue(fleet: Fleet, tmp_path: Path, *, all_dead: bool = False) -> Path:
    """The fleet's catalogue with an endpoint whose name does not resolve."""
    text = fleet.catalogue.read_text()
    provider, rest = text.split("[[endpoints]]", 1)
    models = rest[rest.index("[[models]]") :]
    dead = '[[endpoints]]\nname = "gone"\nregion = "gone"\nurl = "https://gone.invalid"\n'
    endpoints = "" if all_dead else "[[endpoints]]" + rest[: rest.index("[[models]]")]
    file = tmp_path / "catalogue.toml"
    file.write_text(provider.replace('"ca.pem"', f'"{fleet.ca}"') + endpoints + dead + models)
    return file


def opened(file: Path) -> tuple[Plan, Catalogue]:
    return make_plan(catalogue=str(file), rounds=1), load_catalogue(str(file))


def test_a_host_that_does_not_resolve_is_left_out_and_told(fleet: Fleet, tmp_path: Path) -> None:
    """The others are measured; the summary names the one that was not."""
    plan, catalogue = opened(dead_catalogue(fleet, tmp_path))
    where = Where(results=tmp_path / "results")
    prepared = prepare(plan, catalogue, where)
    assert [(c.endpoint, c.outcome) for c in prepared.dropped] == [("gone", "dns_fail")]
    df = execute(prepared, where).frame()
    assert df["endpoint"].nunique() == 5
    assert "gone" in json.dumps(summarise(df).to_dict())


def test_nothing_is_sent_when_every_endpoint_is_dead(fleet: Fleet, tmp_path: Path) -> None:
    """The reasons are in the error, one per endpoint."""
    plan, catalogue = opened(dead_catalogue(fleet, tmp_path, all_dead=True))
    with pytest.raises(NothingMeasured, match=r"gone.*dns_fail"):
        prepare(plan, catalogue, Where(results=tmp_path))
    assert not (tmp_path / "results").exists()


def test_auto_takes_a_model_that_every_endpoint_lists(fleet: Fleet, tmp_path: Path) -> None:
    """And a region without the model asked for is left out, visibly."""
    catalogue = load_catalogue(str(fleet.catalogue))
    auto = prepare(make_plan(), catalogue, Where(results=tmp_path))
    assert auto.model == "grok-4.3"
    named = prepare(make_plan(model="grok-4"), catalogue, Where(results=tmp_path))
    assert {c.endpoint: c.outcome for c in named.dropped} == {
        "eu-west-1": "model_missing",
        "us": "model_missing",
    }
    with pytest.raises(PlanError, match="there is no client"):
        prepare(make_plan(clients=("curls",)), catalogue, Where())


def test_a_stop_keeps_every_row_and_ends_at_once(fleet: Fleet, tmp_path: Path) -> None:
    """What is in flight becomes a cancelled row; nothing after it is sent."""
    catalogue = load_catalogue(str(fleet.catalogue))
    where = Where(results=tmp_path)
    prepared = prepare(make_plan(rounds=100), catalogue, where)
    stop, seen = Stop(), []

    def watch(sample: bench.Sample) -> None:
        seen.append(sample.seq)
        if len(seen) == 7:
            stop.now()

    finished = execute(prepared, where, watch=watch, stop=stop)
    assert finished.status == "interrupted"
    assert list(finished.frame()["seq"]) == list(range(7))


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "bench", *words]


def start_run(fleet: Fleet, results: Path, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command(
            *("run", "--catalogue", str(fleet.catalogue), "--no-calibrate"),
            *("--rounds", "500", "--results", str(results), *more),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        rows = [len(f.read_bytes().splitlines()) for f in results.glob("*/samples.jsonl")]
        if rows and rows[0] >= 12:
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def test_a_killed_run_reports_and_says_what_is_missing(fleet: Fleet, tmp_path: Path) -> None:
    """kill -9, then `regionbench report` on its folder."""
    process = start_run(fleet, tmp_path)
    process.kill()
    process.communicate()
    folder = next(tmp_path.iterdir())
    with (folder / "samples.jsonl").open("ab") as file:
        file.write(b'{"line":99,"crc":"0000')
    done = subprocess.run(
        command("report", str(folder)), capture_output=True, text=True, check=True
    )
    assert "2505" in done.stdout.replace(",", "")
    assert "cut" in done.stdout
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "report.md").exists()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_everything_and_says_what_is_kept(
    kind: signal.Signals,
    fleet: Fleet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 130; every row is there, with counts and medians so far by endpoint. Tables,
    Parquet and the report keep nobody waiting, and are made of it afterwards; figures are painted
    of a killed run, above."""
    process = start_run(fleet, tmp_path)
    os.kill(process.pid, kind)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    folder = next(tmp_path.iterdir())
    rows = len((folder / "samples.jsonl").read_bytes().splitlines())
    assert f"Interrupted, {rows} rows kept: {folder}" in err
    assert re.search(r"p50 of .*\n  global +\d+(\.\d+)? ms +\d+ asked, 0 failed\n", err), err
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert not (folder / "samples.parquet").exists()
    assert not (folder / "report.html").exists()
    assert f"regionbench report {folder}" in err
    assert len(bench.load(folder)) == rows
    monkeypatch.setattr("bench.report.page.figures._image", lambda *_: "data:image/png;base64,")
    assert regionbench(["report", str(folder)]) == 0
    assert "global" in capsys.readouterr().out
    assert (folder / "report.html").exists()


def test_an_interrupted_run_is_one_json_document_that_claims_no_answer(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Programs read the same fields as of any run."""
    process = start_run(fleet, tmp_path, "--json")
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    said = json.loads(out)
    assert (said["status"], said["answer"], said["summary"]) == ("interrupted", None, None)
    assert said["folder"] == str(next(tmp_path.iterdir()))


NAMES = {
    "api.x.ai": "127.0.0.1",
    "us-east-1.api.x.ai": "127.0.0.2",
    "us-west-2.api.x.ai": "127.0.0.3",
    "eu-west-1.api.x.ai": "127.0.0.4",
    "us.api.x.ai": "127.0.0.5",
}

LIVE = """
import os, subprocess, sys
from bench.simulator import Fleet
with Fleet.start(hosts="xai", bind="127.0.0.{n}:443") as fleet:
    order = [e.url.removeprefix("https://") for e in fleet.endpoints]
    assert order == NAMES, order
    env = {**os.environ, "XAI_API_KEY": fleet.key, "SSL_CERT_FILE": str(fleet.ca)}
    done = subprocess.run([sys.executable, "-m", "bench", "run", "--rounds", "3", "--results",
                           RESULTS], env=env, capture_output=True, text=True)
    print(done.stdout, done.stderr)
    sys.exit(done.returncode)
"""


def test_live_use_differs_from_the_fleet_in_nothing_but_the_address(tmp_path: Path) -> None:
    """`XAI_API_KEY=… regionbench run` and nothing else, at the service's real names on port 443."""
    require_namespaces()
    code = f"NAMES = {list(NAMES)!r}\nRESULTS = {str(tmp_path / 'results')!r}\n{LIVE}"
    done = run_inside(code, NAMES, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    df = bench.load(tmp_path / "results")
    assert len(df) == 20
    assert df["dns_ns"].notna().sum() >= 5
    run = df.attrs["runs"][0]
    assert run["provider"] == "xai"
    assert {e["url"] for e in run["endpoints"]} == {f"https://{name}" for name in NAMES}
    assert all(e["connect"] is None for e in run["endpoints"])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_worker_sends_nothing_while_its_row_is_not_stored(
    concurrency: int, fleet: Fleet, tmp_path: Path
) -> None:
    """However many are in flight: a kill takes at most one request of each worker with it."""
    catalogue = load_catalogue(str(fleet.catalogue))
    where = Where(results=tmp_path)
    prepared = prepare(
        make_plan(catalogue=str(fleet.catalogue), rounds=4, concurrency=concurrency),
        *(catalogue, where),
    )
    before, ahead, stored = len(fleet.truth()), [], []

    def slowly(sample: bench.Sample) -> None:
        stored.append(sample.seq)
        time.sleep(0.1)
        asked = [deed for deed in fleet.truth()[before:] if deed["model"]]
        ahead.append(len(asked) - len(stored))

    execute(prepared, where, watch=slowly)
    assert len(stored) == prepared.scheduled
    assert max(ahead) <= concurrency
