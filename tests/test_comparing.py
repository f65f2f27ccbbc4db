"""`regionbench compare`: A against B in one sentence, from rows at hand or fresh ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cli import main
from bench.comparing import (
    compare_stored,
    compare_two,
    contest,
    kind_of,
    names_in,
    names_of,
)
from bench.errors import UsageError
from bench.frame import tidy
from bench.model import Arm, Plan
from bench.plan import make_plan
from bench.prepare import Where, open_catalogue
from bench.report.verdict import versus
from bench.simulator import Fleet
from tests import synthetic

GOLDEN = Path(__file__).parent / "golden" / "compare.txt"


def frame(factor: float = 1.0, rounds: int = 120, **b: Any) -> pd.DataFrame:
    """Two arms in the same rounds; arm b takes ``factor`` times as long, and what ``b`` says."""
    medians = {name: ms * factor for name, ms in synthetic.MEDIANS_MS.items()}
    endpoints = ("us-east-1", "eu-west-1")
    rows = [
        *synthetic.rows(rounds, endpoints, arm="a"),
        *synthetic.rows(rounds, endpoints, seed=2, arm="b", medians_ms=medians, **b),
    ]
    models = {"a": "grok-sim", "b": "grok-sim"}
    return tidy(rows, [synthetic.run(endpoints, model="grok-sim", models=models)])


@pytest.mark.parametrize(
    ("factor", "rounds", "state", "sentence"),
    [
        (1.4, 120, "slower", "b is slower than a: eu-west-1 p50"),
        (0.7, 120, "faster", "b is faster than a: eu-west-1 p50"),
        (1.0, 120, "no clear difference", "would have been found, 4 times in 5"),
        (1.0, 8, "not enough data", "ask in more --rounds"),
    ],
)
def test_the_four_answers(factor: float, rounds: int, state: str, sentence: str) -> None:
    """And each with what it rests on."""
    found = compare_stored(frame(factor, rounds), "a", "b")
    assert found.state == state
    assert sentence in found.sentence
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_both_directions_tell_the_same_size() -> None:
    """Faster by a third is what the other is slower by a half."""
    df = frame(1.5)
    (ahead,) = [
        c for c in compare_stored(df, "b", "a").better if c.name.startswith("eu-west-1 p50")
    ]
    (behind,) = [
        c for c in compare_stored(df, "a", "b").verdict.judged if c.name.startswith("eu-west-1 p50")
    ]
    assert ahead.change is not None
    assert behind.change is not None
    assert (1 + ahead.change) * (1 + behind.change) == pytest.approx(1, rel=0.01)
    assert ahead.low is not None
    assert ahead.high is not None
    assert ahead.low <= ahead.change <= ahead.high < 0


def test_what_fails_fast_is_never_faster() -> None:
    """15 % fast failures of an endpoint that is quicker else: it fails more often, and that is
    the answer."""
    found = compare_stored(frame(0.7, fail={"us-east-1": 0.15, "eu-west-1": 0.15}), "a", "b")
    assert found.state == "slower"
    assert "faster" not in found.sentence
    assert "b fails more often than a: eu-west-1 failure rate 0 % →" in found.sentence
    assert found.better == ()


def test_what_fails_always_is_told_and_not_left_out() -> None:
    """Every request of one variant failed: that is a result."""
    found = compare_stored(frame(fail={"us-east-1": 1.0, "eu-west-1": 1.0}), "a", "b")
    assert found.state == "slower"
    assert "> timeout" in versus.render(found.verdict, found.by, found.sentence)
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_two_runs_may_be_compared_and_the_answer_says_what_is_inside() -> None:
    """Drift: they were not measured together."""
    df = frame()
    found = compare_two(df, frame(1.6), "monday", "tuesday")
    assert (found.by, found.verdict.interleaved) == ("run", False)
    assert "not_interleaved" in {caution.code for caution in found.verdict.cautions}
    assert "same rounds" in versus.render(found.verdict, found.by, found.sentence)


def test_the_text_is_the_reviewed_one() -> None:
    """REGIONBENCH_GOLDEN=1 rewrites the file; at most 80 columns, the answer last."""
    found = compare_stored(frame(1.12), "a", "b")
    text = versus.render(found.verdict, found.by, found.sentence)
    if os.environ.get("REGIONBENCH_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 80
    assert "".join(text.split("\n\n")[-1].split()) == "".join(found.sentence.split())


def test_names_mean_the_first_kind_that_has_both() -> None:
    """Arms before endpoints, clients and models."""
    names = {"arm": ["a", "b"], "endpoint": ["global", "us-east-1"], "model": ["m"], "run": []}
    assert kind_of(names, "b", "a") == "arm"
    assert kind_of(names, "global", "us-east-1") == "endpoint"
    for words, complaint in (
        (("a", "a"), "compared with itself"),
        (("a", "globl"), "did you mean global? There are arms a, b; endpoints global, us-east-1"),
        (("a", "zzzz"), "there is no 'zzzz' to compare. There are arms"),
        (("a", "m"), "a is one of the arms and m of the models"),
    ):
        with pytest.raises(UsageError) as caught:
            kind_of(names, *words)
        assert complaint in str(caught.value)


def test_a_frame_tells_what_it_can_be_compared_by() -> None:
    """Its endpoints are those that were asked for, measured or not."""
    assert names_in(frame(rounds=2)) == {
        "arm": ["a", "b"],
        "endpoint": ["us-east-1", "eu-west-1"],
        "client": ["httpx"],
        "model": ["grok-sim"],
    }
    assert compare_stored(frame(), "us-east-1", "eu-west-1").by == "endpoint"


def test_what_is_measured_now_is_in_the_same_rounds() -> None:
    """Two models become two arms; only the two that are compared are asked."""
    plan = make_plan(arms={"a": {}, "b": {}, "c": {}})
    assert list(contest(plan, "arm", "c", "a")[0].arms) == ["c", "a"]
    assert contest(Plan(), "endpoint", "x", "y")[0].endpoints == ("x", "y")
    assert contest(Plan(), "client", "curl", "httpx") == (Plan(clients=("curl", "httpx")), "client")
    models, by = contest(Plan(), "model", "m1", "m2")
    assert (models.arms, by) == ({"m1": Arm(model="m1"), "m2": Arm(model="m2")}, "arm")
    with open_catalogue(Plan(), Where()) as catalogue:
        names = names_of(Plan(), catalogue)
    assert kind_of(names, "httpx", "curl") == "client"
    assert kind_of(names, "global", "us-east-1") == "endpoint"


def call(fleet: Fleet, results: Path, *words: str) -> int:
    there = ("--catalogue", str(fleet.catalogue), "--results", str(results), "--no-calibrate")
    return main(["compare", *words, *there])


def test_the_command_measures_compares_again_and_compares_two_runs(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fresh rounds, then the stored ones, then two runs; one JSON document each."""
    words = ("--rounds", "22", "--warmup", "0", "--json")
    assert call(fleet, tmp_path, "global", "us-east-1", *words, "--batch", "one") in (0, 1, 3)
    fresh = json.loads(capsys.readouterr().out)
    assert (fresh["by"], fresh["verdict"]["interleaved"]) == ("endpoint", True)
    folder = Path(fresh["rows"])
    for run in ("one", folder.name, str(folder)):
        assert call(fleet, tmp_path, "global", "us-east-1", "--run", run, "--json") in (0, 1, 3)
        again = json.loads(capsys.readouterr().out)
        assert again["verdict"] == fresh["verdict"]
    copy = tmp_path / "elsewhere"
    copy.symlink_to(folder)
    assert call(fleet, tmp_path, str(folder), str(copy), "--json") == 3
    two = json.loads(capsys.readouterr().out)
    assert (two["by"], two["verdict"]["interleaved"]) == ("run", False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("globl", "us-east-1"), "did you mean global?"),
        (("global", "httpx"), "one of the endpoints and httpx of the clients"),
        (("a", "b", "--run", "nothing"), "regionbench history"),
        (("a", "b", "--arm", "a"), "two or more"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence_and_exit_2(
    words: tuple[str, ...],
    sentence: str,
    fleet: Fleet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is sent."""
    assert call(fleet, tmp_path, *words) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.out, list(tmp_path.iterdir())) == ("", [])


def test_an_endpoint_that_is_dead_is_not_compared(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4, and nothing is spent on the other."""
    text = fleet.catalogue.read_text().replace('"ca.pem"', f'"{fleet.ca}"')
    dead = '[[endpoints]]\nname = "gone"\nurl = "https://gone.invalid"\n[[models]]'
    catalogue = tmp_path / "c.toml"
    catalogue.write_text(text.replace("[[models]]", dead, 1))
    results = tmp_path / "results"
    words = ["compare", "global", "gone", "--catalogue", str(catalogue), "--results", str(results)]
    assert main([*words, "--no-calibrate"]) == 4
    assert "gone cannot be measured, so not compared: dns_fail" in capsys.readouterr().err
    assert not results.exists()
