"""Plans, schedules and requests: pure, seeded, identical where they must be."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import PlanError
from bench.model import ASKING, CONNECTIONS, KINDS, Plan
from bench.plan import TEMPLATE, make_plan, plan_sha256, read_plan
from bench.request import build_request, nonce
from bench.schedule import schedule, scheduled

plans = st.builds(
    make_plan,
    rounds=st.integers(1, 12),
    warmup_rounds=st.integers(0, 3),
    seed=st.integers(),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True).map(tuple),
    connections=st.lists(st.sampled_from(CONNECTIONS), min_size=1, unique=True).map(tuple),
)
endpoint_names = st.lists(st.text("abc-", min_size=1), min_size=1, max_size=6, unique=True)


@given(plans, endpoint_names)
def test_each_round_asks_each_endpoint_once_per_stratum(plan: Plan, names: list[str]) -> None:
    """Interleaving is by construction; it cannot be turned off."""
    trials = list(schedule(plan, names))
    cells = Counter((t.round, t.endpoint, t.kind, t.connection, t.client) for t in trials)
    assert set(cells.values()) == {1}
    assert len(trials) == scheduled(plan, names)
    assert [t.seq for t in trials] == list(range(len(trials)))
    assert all(t.warmup == (t.round < plan.warmup_rounds) for t in trials)


@given(plans, endpoint_names)
def test_the_same_seed_gives_the_same_order(plan: Plan, names: list[str]) -> None:
    """A plan can be repeated."""
    assert list(schedule(plan, names)) == list(schedule(plan, names))


def test_the_seed_decides_the_order_and_every_endpoint_goes_first_at_times() -> None:
    """Golden: the order of seed 1 does not change between versions or machines."""
    names = ["global", "us-east-1", "eu-west-1"]
    first = [t.endpoint for t in schedule(make_plan(seed=1, rounds=3, warmup_rounds=0), names)]
    assert first == GOLDEN_ORDER
    many = list(schedule(make_plan(seed=1, rounds=300, warmup_rounds=0), names))
    leads = Counter(t.endpoint for t in many if t.seq % 3 == 0)
    assert min(leads.values()) > 70


GOLDEN_ORDER = [
    "us-east-1", "global", "eu-west-1",
    "eu-west-1", "us-east-1", "global",
    "global", "us-east-1", "eu-west-1",
]  # fmt: skip


@given(st.floats(0.1, 1000), endpoint_names)
def test_an_open_loop_is_due_at_constant_intervals(rate: float, names: list[str]) -> None:
    """Measured request i is due i / rate seconds after warming up, whatever happened before it."""
    trials = list(schedule(make_plan(rate=rate, rounds=3), names))
    assert {t.due_ns for t in trials if t.warmup} == {None}
    for number, trial in enumerate(t for t in trials if not t.warmup):
        assert trial.due_ns is not None
        assert abs(trial.due_ns - number * 1e9 / rate) <= 1


@given(plans, endpoint_names, st.integers(1, 5))
def test_every_worker_warms_every_connection_of_its_own(
    plan: Plan, names: list[str], workers: int
) -> None:
    """Or a connection that one worker has just opened would be measured as warm."""
    plan = dataclasses.replace(plan, concurrency=workers)
    warmups = Counter(
        (t.worker, t.endpoint, t.kind, t.connection) for t in schedule(plan, names) if t.warmup
    )
    assert set(warmups.values()) <= {plan.warmup_rounds}
    expected = workers * len(names) * len(plan.kinds) * len(plan.connections)
    assert len(warmups) == (expected if plan.warmup_rounds else 0)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"round": 3}, "did you mean rounds"),
        ({"zzz": 3}, "the keys are"),
        ({"rounds": 0}, "rounds: write 1 or more"),
        ({"rounds": "many"}, "plan: rounds"),
        ({"kinds": ["chatt"]}, "kinds.0"),
        ({"kinds": []}, "name at least one"),
        ({"kinds": ["chat", "chat"]}, "twice"),
        ({"connections": ["hot"]}, "connections.0"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"rate": -1}, "rate"),
        ({"rate": 2, "pause_ms": 5}, "exclude each other"),
        ({"concurrency": 0}, "concurrency"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "empty"),
        ({"messages": [{"role": "pope", "content": "x"}]}, "messages.0.role"),
        ({"parameters": {"stream": True}}, "parameters.stream"),
        ({"parameters": {"model": "x"}}, "parameters.model"),
    ],
)
def test_a_wrong_plan_is_named_with_its_key(values: dict[str, object], complaint: str) -> None:
    """The key, and what to write instead."""
    with pytest.raises(PlanError) as caught:
        make_plan(values)
    assert complaint in str(caught.value)


def test_the_template_is_the_default_plan(tmp_path: Path) -> None:
    """Every key that it shows is valid and has the default's value."""
    file = tmp_path / "plan.toml"
    file.write_text(TEMPLATE)
    shown = tomllib.loads(TEMPLATE)
    default = make_plan(parameters={"max_completion_tokens": 16})
    assert read_plan(file) == default
    assert set(Plan.__dataclass_fields__) - set(shown) == {"rate", "clients", "arms", "batch"}


def test_options_win_over_the_plan_file(tmp_path: Path) -> None:
    """A plan is a start, not a cage."""
    file = tmp_path / "plan.toml"
    file.write_text("rounds = 5\nseed = 9\n")
    plan = read_plan(file, rounds=7)
    assert (plan.rounds, plan.seed) == (7, 9)


@pytest.mark.parametrize("text", ["rounds = ", "\xff", "rounds = 1e400", "[[rounds]]"])
def test_a_plan_file_that_is_not_one_names_the_file(text: str, tmp_path: Path) -> None:
    """Not a traceback."""
    file = tmp_path / "plan.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(PlanError, match=r"plan\.toml"):
        read_plan(file)


def test_a_missing_plan_file_says_how_to_get_one(tmp_path: Path) -> None:
    """The remedy is a command."""
    with pytest.raises(PlanError, match="regionbench init"):
        read_plan(tmp_path / "nothing.toml")


def test_equal_plans_have_equal_digests() -> None:
    """The digest tells whether two runs measured the same thing."""
    assert plan_sha256(make_plan(seed=2)) == plan_sha256(make_plan(seed=2))
    assert plan_sha256(make_plan(seed=2)) != plan_sha256(make_plan(seed=3))


@given(st.text(max_size=50), st.integers(0, 10**6), st.integers(0, 10**6))
def test_nonces_have_one_length_and_differ_by_round(run_id: str, one: int, other: int) -> None:
    """So that bodies have one length and prompt caches do not answer."""
    assert len(nonce(run_id, one)) == len(nonce(run_id, other))
    assert (nonce(run_id, one) == nonce(run_id, other)) == (one == other)


def test_a_request_carries_nonce_parameters_and_its_digest() -> None:
    """The plan's parameters win over the model's, the model's over the product's."""
    request = build_request(
        "chat",
        make_plan(parameters={"temperature": 0, "reasoning_effort": "low"}),
        api="/v1",
        model="grok-4.3",
        parameters={"reasoning_effort": "none"},
        nonce="n" * 16,
    )
    body = json.loads(request.body)
    assert body["messages"][0]["content"].startswith("[nnnnnnnnnnnnnnnn] ")
    assert (body["reasoning_effort"], body["temperature"]) == ("low", 0)
    assert body["max_completion_tokens"] == 16
    assert body["stream_options"] == {"include_usage": True}
    assert (request.method, request.path, request.streamed) == (
        "POST",
        "/v1/chat/completions",
        True,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_digest_covers_body_headers_and_path(kind: str) -> None:
    """Two requests that differ anywhere have different digests; equal ones equal."""
    digests = {
        build_request(
            kind,  # type: ignore[arg-type]  # parametrised
            make_plan(stream=stream),
            api=api,
            model=model,
            parameters={},
            nonce="0" * 16,
        ).sha256
        for api in ("/v1", "/v2")
        for model in ("a", "b")
        for stream in (True, False)
    }
    assert len(digests) == (8 if kind in ASKING else 2)


def test_only_the_edge_is_asked_without_a_key() -> None:
    """Kind edge costs nothing because nobody is charged for it."""
    keyed = {
        kind: build_request(kind, Plan(), api="", model="m", parameters={}, nonce="").with_key
        for kind in KINDS
    }
    assert keyed == {"chat": True, "responses": True, "models": True, "edge": False}


def test_a_responses_request_asks_the_same_in_its_own_words() -> None:
    """Same messages and nonce; limits and effort under the names of that API; nothing is stored."""
    request = build_request(
        "responses",
        make_plan(parameters={"temperature": 0}),
        api="/v1",
        model="m",
        parameters={"reasoning_effort": "none"},
        nonce="n" * 16,
    )
    body = json.loads(request.body)
    assert request.path == "/v1/responses"
    assert body["input"][0]["content"].startswith("[nnnnnnnnnnnnnnnn] ")
    assert body["max_output_tokens"] == 16
    assert body["reasoning"] == {"effort": "none"}
    assert (body["temperature"], body["stream"], body["store"]) == (0, True, False)
    assert not {"messages", "max_completion_tokens", "reasoning_effort"} & set(body)
