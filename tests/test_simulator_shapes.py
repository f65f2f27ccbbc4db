"""Bodies and scripts: the recorded shapes, to the field."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.simulator import answer, asked, reading, response_shapes, shapes
from bench.simulator.asked import Asked, BadBody
from bench.simulator.profile import Limits
from bench.simulator.quota import Quota
from bench.simulator.service import Draw

PROFILE = reading.load("typical")
MODEL = PROFILE.models[0]
REGION = PROFILE.regions[0]
NAME = UUID(int=7, version=4)


def compose(question: Asked, cached: bool = False) -> shapes.Answer:
    return answer.compose(question, MODEL, REGION, name=NAME, created=1, cached=cached)


def events(data: bytes) -> list[dict[str, Any]]:
    lines = [line for line in data.split(b"\n") if line.startswith(b"data: {")]
    return [json.loads(line[6:]) for line in lines]


def test_the_price_is_the_recorded_one() -> None:
    """137 prompt tokens, 128 of them cached, 1 + 116 generated: 3293500 ticks [rec]."""
    assert shapes.cost_ticks(MODEL.usd_per_million, 1.0, (137, 128, 117)) == 3293500


def test_language_models_give_cents_per_hundred_million_tokens() -> None:
    listed = json.loads(shapes.language_models([MODEL], 1.0))["models"][0]
    assert listed["prompt_text_token_price"] == 12500
    assert listed["completion_text_token_price"] == 25000


@given(st.booleans(), st.sampled_from([None, "none", "high"]), st.none() | st.integers(1, 40))
def test_chat_usage_adds_up_and_leaves_reasoning_out(
    cached: bool, effort: str | None, limit: int | None
) -> None:
    said = compose(Asked("grok-4.3", "user: hi", False, effort=effort, max_tokens=limit), cached)
    body = json.loads(shapes.chat_completion(said))
    usage, details = body["usage"], body["usage"]["completion_tokens_details"]
    assert usage["completion_tokens"] == len(said.content) == min(limit or 99, 12)
    assert details["reasoning_tokens"] == (0 if effort == "none" else 6)
    total = usage["prompt_tokens"] + usage["completion_tokens"] + details["reasoning_tokens"]
    assert usage["total_tokens"] == total
    assert usage["prompt_tokens_details"]["cached_tokens"] == (128 if cached else 0)
    assert body["choices"][0]["finish_reason"] == ("length" if limit and limit < 12 else "stop")
    assert ("reasoning_content" in body["choices"][0]["message"]) == (effort != "none")
    assert response_shapes.usage(said.usage)["output_tokens"] == len(said.content) + (
        0 if effort == "none" else 6
    )


def test_finish_reason_is_absent_before_the_last_chunk() -> None:
    said = compose(Asked("grok-4.3", "user: hi", True))
    chunks = [events(chunk)[0] for chunk in shapes.chat_chunks(said)]
    assert all("finish_reason" not in chunk["choices"][0] for chunk in chunks)
    assert chunks[0]["choices"][0]["delta"] == {"reasoning_content": "The", "role": "assistant"}
    kinds = [next(iter(chunk["choices"][0]["delta"])) for chunk in chunks]
    assert kinds == ["reasoning_content"] * 6 + ["content"] * 12


def test_the_tail_has_usage_only_when_asked_and_ends_with_done() -> None:
    said = compose(Asked("grok-4.3", "user: hi", True))
    plain, full = shapes.chat_tail(said, False), shapes.chat_tail(said, True)
    assert plain.endswith(b"data: [DONE]\n\n")
    assert [e["choices"] for e in events(plain)] == [
        [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    ]
    assert events(full)[1]["choices"] == []
    assert events(full)[1]["usage"]["prompt_tokens"] == said.usage.prompt


def test_a_stream_of_responses_is_numbered_and_ends_as_the_whole() -> None:
    said = compose(Asked("grok-4.3", "user: hi", True))
    found = events(response_shapes.opening(said) + b"".join(response_shapes.pieces(said)))
    assert [e["sequence_number"] for e in found] == list(range(len(found)))
    assert found[0]["type"] == "response.created"
    assert found[-1]["type"] == "response.completed"
    assert found[-1]["response"] == json.loads(response_shapes.response(said))
    text = "".join(e["delta"] for e in found if e["type"] == "response.output_text.delta")
    assert text == "".join(said.content)


@pytest.mark.parametrize("voice", [answer.CHAT, answer.RESPONSES], ids=["chat", "responses"])
def test_a_script_has_one_piece_per_token_at_its_time(voice: answer.Voice) -> None:
    question = Asked("grok-4.3", "user: hi", True, effort="none", max_tokens=3)
    drawn = Draw(50.0, (2.0, 3.0))
    script = answer.script(compose(question), question, voice, drawn, 1.0)
    times = [at for at, _ in script.pieces]
    assert script.head_ms == 1.0
    assert script.metrics is None
    assert times == ([] if voice is answer.CHAT else [1.0]) + [50.0, 52.0, 55.0, 55.0]


def test_metrics_come_with_unstreamed_answers_only() -> None:
    question = Asked("grok-4.3", "user: hi", False)
    script = answer.script(compose(question), question, answer.CHAT, Draw(50.0, (2.0, 4.0)))
    assert script.metrics == {"ttft": 50.0, "mean-itl": 3.0, "e2e": 56.0}


def test_an_error_inside_a_stream_comes_after_half_of_the_tokens() -> None:
    question = Asked("grok-4.3", "user: hi", True, effort="none", max_tokens=4)
    drawn = Draw(50.0, (1.0, 1.0, 1.0), "stream_error")
    pieces = [
        piece for _, piece in answer.script(compose(question), question, answer.CHAT, drawn).pieces
    ]
    assert len(pieces) == 3
    assert set(events(pieces[-1])[0]) == {"code", "error"}
    assert b"[DONE]" not in b"".join(pieces)


def test_the_flat_error_bodies_are_the_recorded_ones() -> None:
    assert json.loads(shapes.NO_KEY.content()) == {
        "code": "unauthenticated:no-credentials",
        "error": "No credentials provided",
    }
    assert json.loads(shapes.WRONG_KEY.content())["code"] == "invalid-argument"
    assert json.loads(shapes.no_model("x").content())["code"] == "not-found"
    assert json.loads(shapes.too_many("x", 2, 2).content())["error"].endswith(" 2/2.")
    assert "at capacity" in json.loads(shapes.AT_CAPACITY.content())["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "expected value"),
        (b"[1]", "expected a map"),
        (b"{}", "missing field `model`"),
        (b'{"model":"m"}', "missing field `messages`"),
        (b'{"model":"m","messages":[]}', "at least one message"),
        (b'{"model":"m","messages":[1]}', "messages[0]: invalid type"),
        (b'{"model":"m","messages":[{"role":"x"}]}', "messages[0].role: unknown variant"),
        (b'{"model":1,"messages":[]}', "model: invalid type: int"),
        (b'{"model":"m","messages":[{"role":"user","content":1}]}', "messages[0].content"),
        (b'{"model":"m","messages":[{"role":"user"}],"stream":1}', "stream: invalid type"),
        (b'{"model":"m","messages":[{"role":"user"}],"max_tokens":0}', "positive integer"),
    ],
)
def test_a_bad_body_is_described(body: bytes, says: str) -> None:
    with pytest.raises(BadBody) as caught:
        asked.read_chat(body)
    assert says in str(caught.value)


@given(st.binary(max_size=80))
def test_no_bytes_make_the_readers_raise_anything_but_bad_body(body: bytes) -> None:
    for read in (asked.read_chat, asked.read_responses):
        try:
            read(body)
        except BadBody:
            continue


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_KEYS = ("model", "messages", "input", "stream", "stream_options", "reasoning", "instructions")


@given(st.dictionaries(st.sampled_from(_KEYS), _json))
def test_no_json_makes_the_readers_raise_anything_but_bad_body(table: dict[str, Any]) -> None:
    for read in (asked.read_chat, asked.read_responses):
        try:
            read(json.dumps(table).encode())
        except BadBody:
            continue


def test_quota_counts_over_sliding_windows() -> None:
    quota = Quota(Limits(requests_per_second=2, tokens_per_minute=100))
    assert [quota.take(t) for t in (0.0, 0.5, 0.9, 1.1)] == [None, None, 2, None]
    quota.spend(1.2, 100)
    assert quota.remaining(2.0)[1] == 0
    assert quota.take(30.0) is not None
    assert quota.take(62.0) is None
