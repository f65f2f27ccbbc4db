"""`choose` and `routing` from the door to the fleet's own log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.choice import decide_stored, explain
from bench.choosing import PROBES, Contest, contend
from bench.cli.choose import choose
from bench.errors import PlanError
from bench.frame import tidy
from bench.model import Endpoint, Sample
from bench.plan import make_plan
from bench.prepare import Where, open_catalogue, prepare
from bench.simulator import Fleet
from bench.snippets import snippets
from bench.stats.race import RaceRules
from tests.door import call
from tests.synthetic import MEDIANS_MS, rows, run


def sample(trial: Any, ms: float, outcome: str = "ok") -> Sample:
    value = round(ms * 1e6)
    return Sample(
        run_id="r", seq=trial.seq, round=trial.round, endpoint=trial.endpoint, region=None,
        kind=trial.kind, streamed=True, client="httpx", connection="warm", warmup=trial.warmup,
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
    """The first rounds only open connections; cheap probes follow, and then the race."""
    plan = make_plan(rounds=100, warmup_rounds=2, clients=("curl",))
    contest = Contest(plan, ["a", "b"], RaceRules())
    trials = contest.trials()
    first = [next(trials) for _ in range(2 * (2 + PROBES))]
    for trial in first:
        contest.see(sample(trial, 1e9))
    assert [t.warmup for t in first] == [True] * 6 + [False] * 8
    assert {(t.kind, t.client) for t in first[:4]} == {("chat", "curl")}
    assert {(t.kind, t.client) for t in first[4:]} == {("models", "httpx")}
    assert contest.race.verdict().rounds == 0
    assert next(trials).kind == "chat"
    assert [t.seq for t in first] == list(range(14))


def test_a_race_of_cheap_requests_needs_no_probes() -> None:
    """They are the network already."""
    contest = Contest(make_plan(kinds=("models",), warmup_rounds=0), ["a"], RaceRules())
    trials = contest.trials()
    assert {next(trials).kind for _ in range(10)} == {"models"}


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
        assert any("network and edge, by cheap requests" in fact for fact in choice.facts)
        assert "us-east-1" in choice.sentence
        assert "us-east-1" in choice.configuration["curl"]
    again = call("choose", str(finished.folder), "--json")
    document = json.loads(again.stdout)
    assert document["answer"]["best"] == verdict.best
    assert again.returncode == (0 if verdict.best else 3)
    assert (finished.folder / "race.png").stat().st_size > 10_000


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
    made = call(
        *("run", "--catalogue", str(fleet.catalogue), "--rounds", "12"),
        *("--results", str(tmp_path), "--json"),
    )
    assert made.returncode == 0, made.stderr
    done = call("routing", json.loads(made.stdout)["folder"])
    assert done.returncode == 3
    assert "cannot be told" in done.stdout
    assert "regionbench run" in done.stdout


def test_pinning_is_told_in_time_in_failures_and_in_models() -> None:
    """What is won and what is given up, with the fact that a pinned request can fail."""
    table = rows(80, medians_ms={"us-east-1": 240.0, "eu-west-1": 120.0}, fail={"eu-west-1": 0.02})
    listed = {"global": ["grok-sim", "grok-big"], "eu-west-1": ["grok-sim"]}
    about = run()
    for check in about["preflight"]:
        check["models"] = listed.get(check["endpoint"], ["grok-sim"])
    df = tidy(table, [about])
    choice = explain(decide_stored(df, RaceRules()), df, RaceRules())
    assert choice.best == "eu-west-1"
    told = " ".join(choice.facts)
    assert "Pinning changes the wait by -" in told
    assert "a request fails when the region cannot take it" in told
    assert "does not list: grok-big" in told
    assert "network and edge; no region can save more" in told


def test_an_answer_without_rows_is_undecided_not_an_error() -> None:
    """Everything failed: nobody is named and nothing is claimed."""
    df = tidy(rows(20, fail=dict.fromkeys(("global", *MEDIANS_MS), 1.0)), [run()])
    choice = explain(decide_stored(df, RaceRules()), df, RaceRules())
    assert (choice.kind, choice.best) == ("undecided", None)
    assert not any("no region can save more" in fact for fact in choice.facts)
