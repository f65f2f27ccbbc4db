"""Arms: variants of one plan, asked in the same rounds, and never mixed in one number."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arms import parse_arm, variants
from bench.choosing import Contest
from bench.errors import PlanError
from bench.frame import tidy
from bench.model import Plan
from bench.plan import make_plan, plan_sha256, read_plan
from bench.prepare import Where, open_catalogue, prepare
from bench.schedule import schedule, scheduled
from bench.session import execute
from bench.simulator import Fleet
from bench.stats import summarise
from bench.stats.compare import compare
from bench.stats.race import RaceRules
from bench.stats.variants import By
from tests import synthetic

TWO = {"a": {}, "b": {"model": "grok-b"}}


def test_an_arm_is_the_plan_with_what_it_changes() -> None:
    """The rest is shared, so that nothing else can explain a difference."""
    plan = make_plan(
        arms={"a": {}, "b": {"model": "m", "parameters": {"top_p": 0.5}}},
        parameters={"top_p": 1, "temperature": 0},
        rounds=7,
    )
    a, b = variants(plan).values()
    assert a == dataclasses.replace(plan, arms={})
    assert (b.model, b.messages, b.rounds) == ("m", plan.messages, 7)
    assert b.parameters == {"top_p": 0.5, "temperature": 0}
    assert variants(Plan()) == {None: Plan()}


@given(st.integers(1, 8), st.integers(0, 2), st.integers(), st.integers(2, 4), st.integers(1, 5))
def test_each_round_asks_each_endpoint_once_per_arm(
    rounds: int, warmup: int, seed: int, arms: int, endpoints: int
) -> None:
    """Interleaved by construction, in an order that the seed alone decides."""
    plan = make_plan(
        arms={f"arm-{n}": {} for n in range(arms)},
        connections=("warm", "cold"),
        rounds=rounds,
        warmup_rounds=warmup,
        seed=seed,
    )
    names = [f"e{n}" for n in range(endpoints)]
    trials = list(schedule(plan, names))
    cells = Counter((t.round, t.endpoint, t.connection, t.arm) for t in trials)
    assert set(cells.values()) == {1}
    assert (
        len(cells)
        == len(trials)
        == scheduled(plan, names)
        == (rounds + warmup) * (2 * arms * endpoints)
    )
    assert trials == list(schedule(plan, names))


def test_every_arm_goes_first_in_about_as_many_rounds() -> None:
    """Or what one request leaves behind for the next would always fall on the same arm."""
    plan = make_plan(arms={"a": {}, "b": {}}, rounds=400, warmup_rounds=0)
    first = Counter(t.arm for t in schedule(plan, ["e"]) if t.seq % 2 == 0)
    assert min(first.values()) > 150


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"arms": {"a": {}}}, "two or more"),
        ({"arms": {"a": {}, "": {}}}, "begins with a letter"),
        ({"arms": {"a": {}, "b": {"modle": "x"}}}, "arms.b: there is no key 'modle'; did you mean"),
        ({"arms": {"a": {}, "b": {"stream": False}}}, "the keys are model, messages, parameters"),
        ({"arms": {"a": {}, "b": {"parameters": {"stream": True}}}}, "arms.b.parameters.stream"),
        ({"arms": {"a": {}, "b": {"messages": []}}}, "arms.b.messages"),
        ({"arms": TWO, "kinds": ["chat", "edge"]}, "only chat and responses"),
        ({"arms": ["a", "b"]}, "plan: arms"),
        ({"batch": "a/b"}, "batch: a name has"),
        ({"objectives": ["ttfs.p95 <= 1s"]}, "did you mean ttft"),
    ],
)
def test_wrong_arms_are_named_with_their_key(values: dict[str, object], complaint: str) -> None:
    """The key, and what to write instead."""
    with pytest.raises(PlanError) as caught:
        make_plan(values)
    assert complaint in str(caught.value)


def test_an_arm_in_one_word() -> None:
    """As --arm takes it: numbers are numbers, what is not JSON is text."""
    name, values = parse_arm("short=prompt-file:p.txt,model:grok-4.3,top_p:0.5,effort:low")
    assert name == "short"
    assert values == {
        "prompt_file": "p.txt",
        "model": "grok-4.3",
        "parameters": {"top_p": 0.5, "effort": "low"},
    }
    assert parse_arm("same") == ("same", {"parameters": {}})
    with pytest.raises(PlanError, match="NAME=KEY:VALUE"):
        parse_arm("short=p.txt")


def test_prompt_files_lie_beside_the_plan(tmp_path: Path) -> None:
    """So that a plan and its prompts can be moved together."""
    (tmp_path / "long.txt").write_text("a long question")
    file = tmp_path / "plan.toml"
    file.write_text('[arms.short]\n[arms.long]\nprompt_file = "long.txt"\n')
    arms = variants(read_plan(file))
    assert arms["long"].messages[0].content == "a long question"
    assert arms["short"].messages == Plan().messages
    file.write_text('[arms.a]\n[arms.b]\nprompt_file = "none.txt"\n')
    with pytest.raises(PlanError, match=r"plan\.toml: cannot read the prompt file .*none\.txt"):
        read_plan(file)
    file.write_text('prompt_file = "long.txt"\n[[messages]]\nrole = "user"\ncontent = "x"\n')
    with pytest.raises(PlanError, match="exclude each other"):
        read_plan(file)


def test_what_only_names_or_judges_a_run_is_not_in_its_digest() -> None:
    """And a plan without arms keeps the digest that it had before there were any."""
    plain = plan_sha256(Plan())
    assert plain == "aa8023243976ebf795e026264b39940aef7c453227192f1ec4ea1a2c8191d442"
    assert plan_sha256(make_plan(batch="monday")) == plain
    assert plan_sha256(make_plan(arms=TWO)) != plain


def test_arms_are_stored_priced_and_summarised_apart(fleet: Fleet, tmp_path: Path) -> None:
    """One nonce a round; identical bytes for all endpoints of a round within an arm."""
    plan = make_plan(
        catalogue=str(fleet.catalogue),
        endpoints=("global", "us-east-1"),
        arms={"plain": {}, "sure": {"parameters": {"temperature": 0}}},
        rounds=6,
    )
    where = Where(results=tmp_path)
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        finished = execute(prepared, where)
    df = finished.frame()
    assert prepared.scheduled == len(df) == 7 * 2 * 2
    digests = df.groupby(["round", "arm"], observed=True)["request_sha256"].nunique()
    assert (digests == 1).all()
    assert df.groupby("round")["request_sha256"].nunique().eq(2).all()
    assert {stratum.arm for stratum in summarise(df).strata} == {"plain", "sure"}
    assert set(finished.run.models) == {"plain", "sure"}


def test_an_endpoint_that_lacks_one_arms_model_is_left_out(fleet: Fleet, tmp_path: Path) -> None:
    """Or its rounds would be compared with rounds that did other work."""
    models = fleet_models(fleet)
    rare = next(m for m in models["global"] if m not in models["eu-west-1"])
    usual = next(m for m in models["global"] if m in models["eu-west-1"])
    plan = make_plan(
        catalogue=str(fleet.catalogue),
        arms={"rare": {"model": rare}, "usual": {"model": usual}},
        rounds=1,
    )
    where = Where(results=tmp_path)
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        finished = execute(prepared, where)
    assert "eu-west-1" in {check.endpoint for check in prepared.dropped}
    assert all(rare in check.detail for check in prepared.dropped)
    assert prepared.models == {"rare": rare, "usual": usual}
    assert prepared.model is None
    assert prepared.estimated_usd() is not None
    df = finished.frame()
    assert set(zip(df["arm"], df["model"], strict=True)) == {("rare", rare), ("usual", usual)}


def fleet_models(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    plan = make_plan(catalogue=str(fleet.catalogue), kinds=("models",))
    with open_catalogue(plan, Where()) as catalogue:
        return {c.endpoint: c.models or () for c in prepare(plan, catalogue, Where()).checks}


def test_a_failed_row_belongs_to_its_arms_model() -> None:
    """It names none itself, and must not become a stratum of its own."""
    rows = [
        *synthetic.rows(8, fail={"us-east-1": 1.0}, arm="a"),
        *synthetic.rows(8, seed=2, arm="b"),
    ]
    run = synthetic.run(model=None, models={"a": "m-a", "b": "m-b"})
    strata = summarise(tidy(rows, [run])).strata
    assert [(s.arm, s.model) for s in strata] == [("a", "m-a"), ("b", "m-b")]
    assert [str(s) for s in strata] == [
        f"streamed chat, warm, httpx, m-{arm}, arm {arm}" for arm in "ab"
    ]


def test_a_race_has_no_arms() -> None:
    """It is run in one stratum."""
    with pytest.raises(PlanError, match="arms: a race"):
        Contest(make_plan(arms={"a": {}, "b": {}}), ["x", "y"], RaceRules())


def arms_frame() -> pd.DataFrame:
    rows = [
        *synthetic.rows(60, arm="a"),
        *synthetic.rows(60, seed=2, arm="b", medians_ms=dict.fromkeys(synthetic.MEDIANS_MS, 900.0)),
    ]
    return tidy(rows, [synthetic.run(model=None, models={"a": "m-a", "b": "m-b"})])


@pytest.mark.parametrize(("by", "a", "b"), [("arm", "a", "b"), ("model", "m-a", "m-b")])
def test_arms_compare_by_name_or_by_the_model_they_ask(by: By, a: str, b: str) -> None:
    """What tells them apart is no reason not to compare them."""
    verdict = compare(arms_frame(), by, a, b)
    assert verdict.interleaved
    assert verdict.state == "regressed"
    assert len(verdict.judged) == 4 * 3


def test_endpoints_are_compared_arm_by_arm() -> None:
    """Two arms of one model would else stand in one number, or one of them in none."""
    df = arms_frame()
    for run in df.attrs["runs"]:
        run["models"] = {"a": "m", "b": "m"}
    verdict = compare(df, "endpoint", "us-east-1", "us-west-2")
    assert [(one.stratum.arm, one.n) for one in verdict.judged if one.measure == "p50"] == [
        ("a", 60),
        ("b", 60),
    ]
