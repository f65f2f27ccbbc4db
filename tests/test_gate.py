"""The gate, from stored runs to the exit code. tests/benchmarks/days.py confirms for real."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from bench.cli import main
from bench.gate import CONFIRMATIONS, confirmation_plan, find_candidate, judge, stored
from bench.model import Check, Message, Plan
from bench.simulator import Fleet
from bench.store import RunWriter
from tests.store_kit import run, sample

START = dt.datetime(2026, 3, 1, 4, tzinfo=dt.UTC)
USUAL_MS = {"near": 100.0, "far": 180.0}
ROUNDS = 60
Day = Callable[..., Path]


def write_day(results: Path, number: int, **changes: Any) -> Path:
    """The run folder of day ``number``: sixty rounds of two endpoints, ±2 % from day to day.

    ``slow`` multiplies near's times, ``failing`` is its share of failures, ``names`` rename the
    two; others change run.json.
    """
    slow, failing = changes.pop("slow", 1.0), changes.pop("failing", 0.0)
    names = changes.pop("names", {"near": "near", "far": "far"})
    rng, name = random.Random(number), changes.pop("run_id", f"day-{number:02}")
    plan = changes.pop("plan", Plan(catalogue="nowhere.toml", rounds=ROUNDS, batch=name))
    began = (START + dt.timedelta(days=number)).isoformat(timespec="microseconds")
    about = run(2 * ROUNDS, run_id=name, plan=plan, started_at=began, **changes)
    status = changes.get("status", "complete")
    with RunWriter.create(results, about) as writer:
        level = rng.gauss(1, 0.02)
        for seq in range(2 * ROUNDS):
            endpoint = ("near", "far")[seq % 2]
            factor = slow if endpoint == "near" else 1.0
            ms = USUAL_MS[endpoint] * factor * level * rng.lognormvariate(0, 0.15)
            bad = endpoint == "near" and rng.random() < failing
            writer.append(
                sample(
                    seq,
                    run_id=name,
                    round=seq // 2,
                    endpoint=names[endpoint],
                    vantage=about.vantage,
                    warmup=False,
                    model=about.model,
                    started_at=began,
                    ttft_ns=None if bad else round(ms * 1e6),
                    outcome="server_error" if bad else "ok",
                )
            )
        writer.finish(status)
    return writer.folder


@pytest.fixture(scope="module")
def _eleven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    for number in range(1, 12):
        write_day(results, number)
    return results


@pytest.fixture
def results(_eleven: Path, tmp_path: Path) -> Path:
    """Eleven usual days, to be changed by the test."""
    return Path(shutil.copytree(_eleven, tmp_path / "results"))


def gate(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON document, stderr."""
    code = main(["gate", *map(str, words), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else {}, said.err


def states(document: dict[str, Any]) -> dict[str, str]:
    """Cell without stratum → state."""
    return {
        one["name"].split(" (")[0]: one["state"]
        for verdict in document["verdicts"]
        for one in verdict["judged"]
    }


def test_ten_days_have_no_baseline_and_say_so(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3 with the count: never a silent pass."""
    shutil.rmtree(results / "day-11")
    code, document, _ = gate(capsys, "--history", results)
    assert code == 3
    assert document["passed"] is False
    assert document["sentence"] == "Undecided: no baseline yet (9 of 10 runs)."


def test_a_usual_day_passes_and_says_what_it_could_have_seen(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest batch is judged by the ten before it."""
    code, document, told = gate(capsys, "--history", results)
    assert code == 0, document["sentence"]
    assert document["verdicts"][0]["b"] == "day-11"
    assert "Judging day-11 by 10 earlier batches." in told
    assert set(states(document).values()) == {"ok"}
    assert all(one["detectable"] for one in document["verdicts"][0]["judged"])


def test_a_suspect_is_open_until_it_is_measured_once_more(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, with the command that confirms."""
    write_day(results, 12, slow=1.3)
    code, document, _ = gate(capsys, "--history", results, "--no-confirm")
    assert (code, states(document)["near p50"]) == (3, "inconclusive")
    (told,) = [c for c in document["verdicts"][0]["cautions"] if c["code"] == "unconfirmed"]
    assert f"`regionbench gate day-12 --history {results}`" in told["advice"]


@pytest.mark.parametrize(("slow", "expected", "state"), [(1.3, 1, "regressed"), (1.0, 0, "ok")])
def test_a_fresh_measurement_decides_about_a_suspect(
    results: Path, capsys: pytest.CaptureFixture[str], slow: float, expected: int, state: str
) -> None:
    """Regressed is what was slow twice; the others' cells stay what they were."""
    write_day(results, 12, slow=1.3)
    write_day(results / CONFIRMATIONS, 13, slow=slow, run_id="again")
    code, document, _ = gate(capsys, "--history", results, "--confirmation", "again")
    assert (code, states(document)["near p50"]) == (expected, state)
    assert states(document)["far p50"] == "ok"


def test_what_cannot_be_confirmed_stays_suspect_and_says_why(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan's catalogue is gone: exit 3 and not 2, for there is an answer to give."""
    write_day(results, 12, slow=1.3)
    code, document, _ = gate(capsys, "--history", results)
    assert code == 3
    (told,) = [c for c in document["verdicts"][0]["cautions"] if c["code"] == "unconfirmed"]
    assert "nowhere.toml" in told["text"]


@pytest.mark.timeout(300)  # two processes and a run that is really under way
def test_ctrl_c_while_confirming_still_says_what_is_known(fleet: Fleet, tmp_path: Path) -> None:
    """Exit 130; the suspects stay suspects, and one more command confirms them."""
    names = {"near": "us-east-1", "far": "us"}
    plan = Plan(catalogue=str(fleet.catalogue), model="grok-4.3", rounds=500)
    for number in range(1, 13):
        slow = 1.5 if number == 12 else 1.0
        write_day(tmp_path, number, plan=plan, model="grok-4.3", slow=slow, names=names)
    command = [sys.executable, "-m", "bench", "gate", "--history", str(tmp_path), "--no-calibrate"]
    with subprocess.Popen(command, text=True, stdout=PIPE, stderr=PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("501 requests"):
                break
        rows = f"{CONFIRMATIONS}/*/samples.jsonl"
        while not any(file.stat().st_size for file in tmp_path.glob(rows)):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    said = " ".join(out.split())
    assert "Suspect and not measured once more: us-east-1; the measurement was interrupted" in said
    assert "Undecided: 2 of 6 cells: suspect" in said


def test_an_endpoint_that_fails_every_time_is_regressed(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a missing row, and not faster."""
    write_day(results, 12, failing=1.0)
    code, document, _ = gate(capsys, "--history", results, "--no-confirm")
    assert (code, states(document)["near failure_rate"]) == (1, "regressed")


def test_an_endpoint_that_could_not_be_asked_at_all_is_exit_4(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing regressed as far as one can see, and one cannot see far."""
    folder = write_day(results, 12)
    lines = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    shutil.rmtree(folder)
    assert len(lines) >= 2 * ROUNDS
    gone = Check("near", "near.example", "dns_fail", "no address")
    write_day(results, 12, preflight=(gone,))
    path = folder / "samples.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "far" in line))
    (folder / "samples.parquet").unlink()
    code, document, _ = gate(capsys, "--history", results, "--no-confirm")
    assert (code, document["not_measured"]) == (4, ["near"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vantage": "elsewhere"}, "another vantage: elsewhere"),
        ({"provider": "fleet"}, "another provider: fleet"),
        ({"status": "interrupted"}, "not complete: interrupted"),
        (
            {"plan": Plan(messages=(Message("user", "Tell me everything."),))},
            "another plan: messages changed",
        ),
        ({"plan": Plan(http2=True, concurrency=4)}, "another plan: http2, concurrency changed"),
    ],
)
def test_what_is_not_comparable_is_left_out_and_said(
    results: Path, changes: dict[str, Any], reason: str
) -> None:
    """Another place, another provider, half a run, another request."""
    write_day(results, 0, run_id="odd", **changes)
    candidate = find_candidate(results)
    assert dict(candidate.left_out) == {"odd": reason}
    assert len(candidate.past) == 10
    assert not [c for c in candidate.cautions if c.code == "left_out"]


def test_a_day_tagged_excluded_judges_no_other(results: Path) -> None:
    """A known incident would widen what is expected of the days after it."""
    assert main(["history", "tag", "day-05", "excluded", "--results", str(results)]) == 0
    candidate = find_candidate(results)
    assert dict(candidate.left_out) == {"day-05": "tagged excluded"}
    assert "day-05" not in {one.name for one in candidate.past}


def test_without_a_baseline_the_reader_sees_what_might_have_been_one(results: Path) -> None:
    """A team that renamed its vantage must not wonder for ten days."""
    write_day(results, 12, vantage="new-name")
    candidate = find_candidate(results)
    assert candidate.past == ()
    (told,) = [c for c in candidate.cautions if c.code == "left_out"]
    assert told.text.count("another vantage: here") == 11


def test_rounds_and_seed_may_differ(results: Path) -> None:
    """They change how well a thing is measured, not what it is."""
    write_day(results, 12, plan=Plan(catalogue="nowhere.toml", rounds=7, seed=99, batch="day-12"))
    assert len(find_candidate(results).past) == 11


def test_a_run_is_judged_only_by_what_came_before_it(results: Path) -> None:
    """By its batch, its id or its folder."""
    for name in ("day-05", str(results / "day-05")):
        candidate = find_candidate(results, name)
        assert [one.name for one in candidate.past] == ["day-01", "day-02", "day-03", "day-04"]


def test_the_last_twenty_count(results: Path) -> None:
    """What was measured of the rule was measured with ten to twenty."""
    for number in range(12, 25):
        write_day(results, number)
    candidate = find_candidate(results)
    assert [one.name for one in candidate.past] == [f"day-{n:02}" for n in range(4, 24)]
    assert set(candidate.left_out) == {"day-01", "day-02", "day-03"}


def test_confirmations_are_no_history(results: Path) -> None:
    """What was measured because it looked slow is no fair sample."""
    write_day(results / CONFIRMATIONS, 12, slow=2.0)
    assert [one.name for one in stored(results)][-1] == "day-11"


def test_a_confirmation_asks_the_suspects_alone_as_often_as_all_sittings(results: Path) -> None:
    """One endpoint of two, the model that was found, a fresh order."""
    plan = Plan(catalogue="nowhere.toml", rounds=20, kinds=("chat", "edge"), batch="day-12")
    for sitting in range(3):
        write_day(results, 12, slow=1.3, plan=plan, run_id=f"sitting-{sitting}")
    candidate = find_candidate(results)
    assert (candidate.name, len(candidate.runs)) == ("day-12", 3)
    asked = confirmation_plan(candidate, judge(candidate)[0])
    assert (asked.endpoints, asked.kinds, asked.rounds) == (("near",), ("chat",), 60)
    assert (asked.model, asked.batch, asked.seed) == ("grok-4", None, plan.seed + 1)


def test_objectives_of_the_plan_are_judged_too(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A promise that is broken is a regression, with or without history."""
    plan = Plan(
        catalogue="nowhere.toml", batch="day-12",
        objectives=("near: ttft.p50 <= 50ms", "far: ttft.p50 <= 1s"),
    )  # fmt: skip
    write_day(results, 12, plan=plan)
    code, document, _ = gate(capsys, "--history", results)
    assert code == 1
    assert states(document)["near ttft.p50 <= 50ms"] == "regressed"
    assert states(document)["far ttft.p50 <= 1s"] == "ok"
    assert document["sentence"].startswith("Regressed: near ttft.p50 <= 50ms")


def benchmark_file(folder: Path, number: int, factor: float = 1.0) -> Path:
    """What pytest-benchmark saves of one function of 10 ms, with --benchmark-save-data."""
    rng = random.Random(number)
    level = rng.gauss(1, 0.02) * factor
    data = [0.01 * level * rng.lognormvariate(0, 0.1) for _ in range(60)]
    document = {
        "machine_info": {"node": "builder", "system": "Linux"},
        "commit_info": {"id": f"c{number}"},
        "benchmarks": [{"name": "test_it", "fullname": "t.py::test_it", "stats": {"data": data}}],
        "datetime": (START + dt.timedelta(days=number)).isoformat(),
        "version": "5.3.1",
    }
    file = folder / f"{number:04}_it.json"
    file.write_text(json.dumps(document))
    return file


def test_files_of_pytest_benchmark_are_runs_and_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any project's: the candidate by its path, the ten before it from the storage folder."""
    for number in range(1, 12):
        file = benchmark_file(tmp_path, number)
    code, document, _ = gate(capsys, file, "--history", tmp_path)
    assert (code, states(document)["t.py::test_it p50"]) == (0, "ok"), document
    slow = benchmark_file(tmp_path, 12, 1.5)
    code, document, _ = gate(capsys, slow, "--history", tmp_path)
    assert (code, states(document)["t.py::test_it p50"]) == (3, "inconclusive")
    assert "--confirmation" in json.dumps(document["verdicts"][0]["cautions"])
    again = benchmark_file(tmp_path, 13, 1.5)
    code, document, _ = gate(capsys, slow, "--history", tmp_path, "--confirmation", again)
    assert (code, states(document)["t.py::test_it p50"]) == (1, "regressed")


def test_on_github_summary_and_annotations_are_written_unasked(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """The summary is appended to, annotations go to stderr, stdout stays one document."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    code, document, told = gate(capsys, "--history", results)
    assert code == 0
    assert summary.read_text().startswith("before\n## ✅ No regression")
    assert "\n::notice title=No regression::" in told
    assert document["passed"] is True


def test_outputs_are_files_and_the_sentence_comes_last(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders on the way are made."""
    files = {
        name: tmp_path / "out" / name
        for name in ("junit", "json", "step-summary", "annotations", "github-action-benchmark")
    }
    words = [word for name, file in files.items() for word in ("--output", f"{name}={file}")]
    assert main(["gate", "--history", str(results), *words]) == 0
    said = capsys.readouterr()
    assert all(file.stat().st_size for file in files.values())
    sentence = json.loads(files["json"].read_text())["sentence"]
    assert " ".join(said.out.split()).endswith(" ".join(sentence.split()))
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--output", "html=x"), "NAME=FILE"),
        (("--output", "junit"), "NAME=FILE"),
        (("day-111",), "did you mean day-11?"),
        (("--confirmation", "nothing-here"), "nothing-here"),
        (("--output", "junit=/dev/null/x/y"), "Cannot write"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_exit_2(
    results: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    """What, where and the remedy."""
    assert main(["gate", *words, "--history", str(results)]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_nothing_stored_is_not_enough_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first minute of a new team."""
    assert main(["gate", "--history", str(tmp_path / "none")]) == 3
    assert "`regionbench run` makes one" in capsys.readouterr().err


@pytest.mark.parametrize("plan", [None, {}, [], {"rounds": "many"}, {"batch": 7}, {"new": 1}])
def test_a_plan_that_is_nonsense_does_not_stop_the_gate(results: Path, plan: Any) -> None:
    """run.json was edited, or a newer version wrote it: judged by cells, and left alone."""
    path = results / "day-11" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"plan": plan}))
    candidate = find_candidate(results, "day-11")
    assert judge(candidate)[0].judged


def test_comparisons_go_to_the_same_places(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One table of outputs for gate and compare."""
    file = tmp_path / "compare.xml"
    days = (str(results / "day-01"), str(results / "day-02"))
    main(["compare", *days, "--output", f"junit={file}", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert file.read_text().count("<testcase") == len(document["verdict"]["judged"])
