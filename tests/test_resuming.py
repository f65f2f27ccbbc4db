"""Runs that did not finish, finished: the same schedule, each request once, the gap marked."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.cli import main
from bench.errors import PlanError, StoreError, UsageError
from bench.model import Plan, Trial
from bench.plan import make_plan
from bench.resuming import read_rest, remaining
from bench.schedule import schedule
from bench.simulator import Fleet
from bench.store import StoredRun, reopen
from tests.benchmarks import killed_runs

ENDPOINTS = ("a", "b", "c")
PLAN = make_plan(rounds=4, warmup_rounds=1, concurrency=2, connections=("warm", "cold"))


def as_row(trial: Trial) -> dict[str, Any]:
    names = ("seq", "round", "endpoint", "kind", "connection", "client", "arm", "warmup")
    return {name: getattr(trial, name) for name in names}


@given(st.sets(st.integers(0, 35)), st.booleans())
def test_what_is_left_and_what_is_there_are_the_schedule(done: set[int], open_loop: bool) -> None:
    """Each request once; warm-ups in front with numbers of their own; due from now on."""
    plan = replace(PLAN, rate=10.0) if open_loop else PLAN
    planned = list(schedule(plan, ENDPOINTS))
    left = remaining(plan, ENDPOINTS, [as_row(planned[seq]) for seq in done])
    seqs = [trial.seq for trial in left]
    assert len(set(seqs)) == len(seqs)
    assert {seq for seq in seqs if seq < len(planned)} | done == set(range(len(planned)))
    assert not {seq for seq in seqs if seq < len(planned)} & done
    again = [trial for trial in left if trial.seq >= len(planned)]
    assert all(trial.warmup for trial in again)
    assert [trial.warmup for trial in left] == sorted((t.warmup for t in left), reverse=True)
    due = [trial.due_ns for trial in left if trial.due_ns is not None]
    assert (due[:1] or [0]) == [0]
    assert bool(due) == (open_loop and any(not trial.warmup for trial in left))


def test_rows_of_another_schedule_are_refused() -> None:
    """A race draws its own; so does a plan with another seed."""
    rows = [as_row(trial) for trial in schedule(replace(PLAN, seed=9), ENDPOINTS)]
    with pytest.raises(PlanError, match="is not of the plan's schedule"):
        remaining(PLAN, ENDPOINTS, rows)


def test_a_second_gap_has_warm_ups_of_its_own() -> None:
    """Their numbers follow those of the first gap's."""
    planned = list(schedule(PLAN, ENDPOINTS))
    rows = [as_row(trial) for trial in planned[:20]]
    first = remaining(PLAN, ENDPOINTS, rows)
    rows += [as_row(trial) for trial in first[:5]]
    second = remaining(PLAN, ENDPOINTS, rows)
    numbers = [trial.seq for trial in second if trial.seq >= len(planned)]
    assert min(numbers) == max(trial.seq for trial in first[:5]) + 1


def words(fleet: Fleet, results: Path, *more: str) -> list[str]:
    return [
        *(
            "run",
            "--catalogue",
            str(fleet.catalogue),
            "--no-calibrate",
            "--no-report",
            "--rounds",
            "16",
        ),
        *("--vantage", "here", "--results", str(results), *more),
    ]


def killed(fleet: Fleet, results: Path, kind: signal.Signals, rows: int = 30) -> Path:
    """A run that was ended by a signal after so many rows."""
    command = [sys.executable, "-m", "bench", *words(fleet, results)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(1200):
            found = [f.read_bytes().count(b"\n") for f in results.glob("*/samples.jsonl")]
            if found and found[0] >= rows:
                break
            time.sleep(0.02)
        process.send_signal(kind)
    return next(results.iterdir())


def _until_logged(fleet: Fleet, answered: set[str]) -> None:
    """The fleet writes its log after its answer: the last line may come later than the row."""
    for _ in range(100):
        if answered <= {deed["request_id"] for deed in fleet.truth()}:
            return
        time.sleep(0.05)
    raise AssertionError(f"the fleet never logged {answered}")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_ended_is_finished_and_the_gap_is_marked(
    kind: signal.Signals, fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every request of the schedule is one row, and nothing that was there has changed; the fleet
    was asked no question twice."""
    folder = killed(fleet, tmp_path / "results", kind)
    with (folder / "samples.jsonl").open("ab") as file:
        file.write(b'{"line":999,"crc":"torn')
    before = bench.load(folder)
    assert (
        main(["run", "--resume", str(folder), "--no-calibrate", "--no-report", "--vantage", "here"])
        == 0
    )
    after = bench.load(folder)
    scheduled = 5 * 17
    assert sorted(after.loc[after["seq"] < scheduled, "seq"]) == list(range(scheduled))
    assert (after.loc[after["seq"] >= scheduled, "warmup"]).all()
    same = after[after["seq"].isin(before["seq"])].sort_values("seq")
    assert list(same["request_id"]) == list(before.sort_values("seq")["request_id"])
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], run["scheduled"]) == ("complete", len(after))
    (part,) = run["before"]
    assert part["rows"] == len(before)
    assert part["status"] == ("running" if kind == signal.SIGKILL else "interrupted")
    assert "resumed" in {caution["code"] for caution in after.attrs["cautions"]}
    _until_logged(fleet, set(after["request_id"].dropna()))
    assert "Goes on with" in capsys.readouterr().err
    assert main(["run", "--resume", str(folder)]) == 2
    assert "is complete" in capsys.readouterr().err


@pytest.fixture(scope="module")
def stopped(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that a limit stopped."""
    results = tmp_path_factory.mktemp("results")
    assert main(words(fleet, results, "--max-requests", "25")) == 0
    return next(results.iterdir())


def test_a_stopped_run_goes_on_with_another_purse(stopped: Path, tmp_path: Path) -> None:
    """The plan is the same; limits are not of the plan."""
    folder = Path(shutil.copytree(stopped, tmp_path / stopped.name))
    place = ["--no-calibrate", "--no-report", "--vantage", "here"]
    assert main(["run", "--resume", str(folder), *place, "--max-requests", "20"]) == 0
    assert main(["run", "--resume", str(folder), *place]) == 0
    run = json.loads((folder / "run.json").read_text())
    assert [part["status"] for part in run["before"]] == ["stopped", "stopped"]
    assert run["status"] == "complete"
    assert len(bench.load(folder)) == run["scheduled"] == 5 * 17 + 2 * 5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rounds", "17"], r"its plan is another one \(catalogue, rounds\)"),
        (["--vantage", "elsewhere"], "measured from here, this is elsewhere; say --vantage here"),
    ],
)
def test_another_plan_or_place_is_refused(
    more: list[str], said: str, stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and the run is as it was."""
    import re

    kept = (stopped / "samples.jsonl").read_bytes(), (stopped / "run.json").read_bytes()
    assert main(["run", "--resume", str(stopped), *more]) == 2
    assert re.search(said, capsys.readouterr().err)
    assert kept == ((stopped / "samples.jsonl").read_bytes(), (stopped / "run.json").read_bytes())


def test_a_run_that_is_being_written_is_refused(stopped: Path) -> None:
    """Whoever holds it goes on alone."""
    kept = reopen(stopped)
    run = json.loads((stopped / "run.json").read_text())
    try:
        with pytest.raises(StoreError, match="another process is writing to it"):
            reopen(stopped)
        (stopped / "run.json").write_text(json.dumps(run | {"status": "running"}))
        with pytest.raises(StoreError, match="is still running"):
            read_rest(stopped)
    finally:
        (stopped / "run.json").write_text(json.dumps(run))
        kept.release()


def test_a_plan_that_was_edited_is_refused(stopped: Path, tmp_path: Path) -> None:
    """Its digest tells."""
    folder = Path(shutil.copytree(stopped, tmp_path / "edited"))
    run = json.loads((folder / "run.json").read_text())
    run["plan"]["rounds"] = 17
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(StoreError, match="its plan is not as it was written"):
        read_rest(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plan_sha256", None),
        ("models", {"": 7}),
        ("endpoints", [{"name": "a"}]),
        ("preflight", ["global"]),
    ],
)
def test_a_run_json_that_lacks_what_resuming_takes_is_refused_by_name(
    name: str, value: object, stopped: Path, tmp_path: Path
) -> None:
    """It can still be read: the rows are whole."""
    folder = Path(shutil.copytree(stopped, tmp_path / "lacking"))
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {name: value}))
    with pytest.raises(StoreError, match=f"{name} missing or wrong; start a new run"):
        read_rest(folder)


def test_a_complete_plan_of_defaults_is_no_other_plan(stopped: Path) -> None:
    """The same plan, said again, is accepted."""
    plan: Plan = read_rest(stopped).plan
    assert read_rest(stopped, plan).plan == plan
    with pytest.raises(UsageError):
        read_rest(stopped, replace(plan, seed=2))


def test_results_that_cannot_be_written_are_found_before_anything_is_asked(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even the preflight has asked by then."""
    (tmp_path / "file").write_text("")
    before = len(fleet.truth())
    assert main(words(fleet, tmp_path / "file" / "results")) == 2
    assert "choose another results folder" in capsys.readouterr().err
    assert len(fleet.truth()) == before


def test_a_run_whose_folder_vanishes_stops_sending_and_says_so(
    fleet: Fleet, tmp_path: Path
) -> None:
    """What is written to a file that was removed is nowhere."""
    results = tmp_path / "results"
    command = [sys.executable, "-m", "bench", *words(fleet, results, "--rounds", "5000")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for _ in range(1200):
            if any(f.stat().st_size > 2000 for f in results.glob("*/samples.jsonl")):
                break
            time.sleep(0.02)
        shutil.rmtree(results)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"removed" in said


def test_the_judge_of_killed_runs_sees_what_is_lost_doubled_or_invented() -> None:
    """One row may be on its way to the store, and one request a worker to the fleet; no more."""
    asked = [str(number) for number in range(5)]
    rows: list[dict[str, Any]] = [
        {"seq": number, "request_id": str(number), "run_id": "r"} for number in range(5)
    ]
    said = [f"r {number} {number}" for number in range(4)]

    def fault(name: str, found: list[dict[str, Any]], more: int = 0, workers: int = 1) -> int:
        late = [str(number) for number in range(5, 5 + more)]
        stored = [StoredRun({"run_id": "r"}, found)]
        return killed_runs.judge(workers, said, [*asked, *late], stored)[name]

    assert not any(fault(name, rows, 1) for name in killed_runs.ROW_FAULTS if name != "untold")
    assert fault("unaccounted", rows, 2) == 1
    assert fault("unaccounted", rows, 4, workers=4) == 0
    assert fault("lost", rows[1:]) == 1
    assert fault("lost", [rows[0] | {"request_id": "9"}, *rows[1:]]) == 1
    assert fault("doubled", [*rows, rows[0]]) == 2
    assert fault("invented", [*rows, {"seq": 5, "request_id": None, "run_id": "r"}]) == 1
    assert fault("invented", [*rows[:-1], rows[-1] | {"request_id": "9"}]) == 1
    assert fault("mixed", [*rows[:-1], rows[-1] | {"run_id": "s"}]) == 1
