"""`choose` and `routing` from the door to the fleet's own log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.choosing import Contest, contend, explain
from bench.cli.choose import choose
from bench.errors import PlanError
from bench.model import Endpoint, Sample
from bench.plan import make_plan
from bench.prepare import Where, open_catalogue, prepare
from bench.simulator import Fleet
from bench.snippets import snippets
from bench.stats.race import RaceRules


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "bench",
            *words,
            *(["--no-calibrate"] if "--catalogue" in words else []),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def sample(trial: Any, ms: float, outcome: str = "ok") -> Sample:
    value = round(ms * 1e6)
    return Sample(
        run_id="r", seq=trial.seq, round=trial.round, endpoint=trial.endpoint, region=None,
        kind="chat", streamed=True, client="httpx", connection="warm", warmup=trial.warmup,
        vantage="v", started_at="", due_ns=None, late_ns=None, request_sha256="",
        outcome=outcome, ttft_ns=value if outcome == "ok" else None,
    )  # fmt: skip


def played(latency: dict[str, float], failing: str | None = None) -> Contest:
    """A contest over endpoints of constant latency, one of which may fail always."""
    contest = Contest(make_plan(rounds=100), list(latency), RaceRules())
    for trial in contest.trials():
        wiggle = 1 + (trial.round * 7 % 13) / 400
        outcome = "capacity" if trial.endpoint == failing else "ok"
        contest.see(sample(trial, latency[trial.endpoint] * wiggle, outcome))
    return contest


def test_a_contest_asks_only_whose_answer_is_open_and_ends() -> None:
    """Far ahead: few rounds, and the slow one rests early."""
    verdict = played({"a": 100.0, "b": 400.0, "c": 104.0}).race.verdict()
    assert verdict.best == "a"
    assert verdict.requests < 3 * verdict.rounds
    assert verdict.rounds < 100


def test_an_endpoint_that_always_fails_is_never_the_choice() -> None:
    """However fast its refusals are."""
    verdict = played({"a": 100.0, "fast": 1.0}, failing="fast").race.verdict()
    assert verdict.best == "a"


def test_warm_ups_are_asked_of_everyone_and_do_not_count() -> None:
    """The first round only opens connections."""
    contest = Contest(make_plan(rounds=100, warmup_rounds=2), ["a", "b"], RaceRules())
    trials = contest.trials()
    for _ in range(4):
        trial = next(trials)
        assert trial.warmup
        contest.see(sample(trial, 1e9))
    assert not next(trials).warmup
    assert contest.race.verdict().rounds == 0


@pytest.mark.parametrize(
    "change", [{"kinds": ("chat", "edge")}, {"connections": ("warm", "cold")}, {"concurrency": 2}]
)
def test_a_race_is_run_in_one_stratum(change: dict[str, Any]) -> None:
    """One at a time, one kind of work."""
    with pytest.raises(PlanError, match="race"):
        Contest(make_plan(**change), ["a"], RaceRules())


def test_snippets_name_the_host_as_each_client_wants_it() -> None:
    """api_host without https://, base URLs with the version."""
    lines = snippets(Endpoint("us-east-1", "https://us-east-1.api.x.ai"))
    assert 'api_host="us-east-1.api.x.ai"' in lines["xAI SDK"]
    assert 'base_url="https://us-east-1.api.x.ai/v1"' in lines["OpenAI SDK, Python"]
    assert 'baseURL: "https://us-east-1.api.x.ai/v1"' in lines["OpenAI SDK, JavaScript"]
    assert "https://us-east-1.api.x.ai/v1/chat/completions" in lines["curl"]


def test_a_live_race_stores_its_rows_and_replays_to_the_same_answer(tmp_path: Path) -> None:
    """Regions that differ clearly: decided before the cap, complete, and no faster one exists."""
    where = Where(results=tmp_path, profile="typical")
    plan = make_plan(
        catalogue="fleet", rounds=100, endpoints=("us-east-1", "us-west-2", "eu-west-1")
    )
    rules = RaceRules()
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        finished, verdict = contend(prepared, where, rules)
    assert finished.status == "complete"
    assert verdict.best in ("us-east-1", None)
    df = finished.frame()
    assert not [c for c in df.attrs["cautions"] if c["code"] == "incomplete"]
    choice = explain(verdict, df, rules)
    if verdict.best is not None:
        assert "us-east-1" in choice.sentence
        assert "us-east-1" in choice.configuration["curl"]
    again = call("choose", str(finished.folder), "--json")
    document = json.loads(again.stdout)
    assert document["answer"]["best"] == verdict.best
    assert again.returncode == (0 if verdict.best else 3)


def test_an_undecided_race_names_nobody_and_exits_3(fleet: Fleet, tmp_path: Path) -> None:
    """Twelve rounds cannot tell the near ones apart."""
    done = call(
        *("choose", "--catalogue", str(fleet.catalogue), "--endpoints", "us-east-1,us-west-2"),
        *("--cap", "3", "--results", str(tmp_path), "--json"),
    )
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert (document["answer"]["kind"], document["answer"]["best"]) == ("undecided", None)
    assert document["answer"]["configuration"] == {}


def test_within_takes_a_share_a_duration_or_both() -> None:
    """And names the forms when it is neither."""
    assert choose.name == "choose"
    done = call("choose", "somewhere", "--within", "a bit")
    assert (done.returncode, "5%,5ms" in done.stderr) == (2, True)


def test_routing_on_streams_says_that_they_cannot_tell(fleet: Fleet, tmp_path: Path) -> None:
    """No server timing on streams: not identifiable, exit 3, and the command to run instead."""
    run = call(
        *("run", "--catalogue", str(fleet.catalogue), "--rounds", "12"),
        *("--results", str(tmp_path), "--json"),
    )
    assert run.returncode == 0, run.stderr
    done = call("routing", json.loads(run.stdout)["folder"])
    assert done.returncode == 3
    assert "cannot be told" in done.stdout
    assert "regionbench run" in done.stdout
