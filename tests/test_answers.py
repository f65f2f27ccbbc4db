"""Pure parsing of what servers say: events, errors, headers, usage."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.clients.answer import Facts, take_document, take_event, usage_fields
from bench.clients.outcome import (
    MAX_ERROR_CHARACTERS,
    classify,
    clean,
    describe_error,
    milliseconds,
    parse_json,
    retry_after_s,
)
from bench.clients.responses import take_response_document, take_response_event
from bench.clients.sse import MAX_EVENT_BYTES, Event, SseError, SseParser
from bench.model import OUTCOMES

NOW = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
lines = st.text(st.characters(exclude_characters="\r\n\x00", codec="utf-8"), max_size=20)


@given(st.lists(st.lists(lines, min_size=1, max_size=3), max_size=5), st.data())
def test_events_do_not_depend_on_how_bytes_are_cut(
    events: list[list[str]], data: st.DataObject
) -> None:
    """Any chunking and any of the three line ends give the same events."""
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = "".join("".join(f"data: {line}{end}" for line in event) + end for event in events)
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    parser, seen = SseParser(), list[Event]()
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        seen += parser.feed(raw[start:stop])
    seen += parser.feed(b"\n") if end == "\r" else []
    assert [event.data for event in seen] == ["\n".join(event) for event in events]


def test_comments_types_and_byte_order_mark() -> None:
    """What is not data is not an event."""
    parser = SseParser()
    raw = b"\xef\xbb\xbf: ping\n\nevent: error\ndata:x\ndata: y\n\nid: 3\n\ndata\n\n"
    assert list(parser.feed(raw)) == [Event("x\ny", "error"), Event("")]


def test_bad_utf8_and_endless_events_are_errors() -> None:
    """Neither is passed on as if it were text."""
    with pytest.raises(SseError, match="UTF-8"):
        list(SseParser().feed(b"data: \xff\n\n"))
    parser = SseParser()
    assert not list(parser.feed(b"data: " + b"x" * 3_900_000))
    with pytest.raises(SseError, match="larger"):
        list(parser.feed(b"x" * 100_000))


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_crash_the_event_parser(chunks: list[bytes]) -> None:
    """Events or SseError, nothing else."""
    parser = SseParser()
    try:
        for chunk in chunks:
            list(parser.feed(chunk))
    except SseError:
        pass


_BITS = (
    *(b"data: x\n\n", b"data: {}\n\n", b"data:y\n\n", b"data: a\ndata: b\n\n", b"data: \xff\n\n"),
    *(b"data: a\r\n\r\n", b"data: b\r\r", b"event: error\n", b": ping\n\n", b"\xef\xbb\xbf"),
    *(b"data: ", b"half", b"\n", b"\r", b"\n\n", b"data: \n\n", b"data: c\n"),
)


def _events(chunks: Iterable[bytes]) -> list[object]:
    parser, seen = SseParser(), list[object]()
    try:
        for chunk in chunks:
            seen.extend(parser.feed(chunk))
    except SseError as error:
        seen.append(str(error))
    return seen


@given(st.lists(st.lists(st.sampled_from(_BITS), max_size=3).map(b"".join), max_size=8))
@example([b"half", b"data: x\n\n"])
@example([b"data: b\r\r", b"data: x\n\n"])
@example([b"data: c\n", b"data: x\n\n"])
@example([b"event: error\n", b"data: x\n\n"])
@example([b"data: a\rb\n\n"])
def test_the_usual_chunk_is_read_as_any_other(chunks: list[bytes]) -> None:
    """One event of one line has a shorter way: whatever waits before it, each byte by itself, which
    never has it, gives the same events and the same fault."""
    raw = b"".join(chunks)
    assert _events(chunks) == _events(raw[at : at + 1] for at in range(len(raw)))


def test_an_event_that_is_too_large_is_so_on_every_way() -> None:
    """The bound holds for what waits and what comes together."""
    size = MAX_EVENT_BYTES - len(b"data: ")
    for more, words in ((0, 1), (1, 0)):
        chunk = b"data: " + b"x" * (size + more) + b"\n\n"
        assert len([e for e in _events([chunk]) if isinstance(e, Event)]) == words
        assert len(_events([chunk[:9], chunk[9:]])) == 1


@given(st.text(alphabet='{}[]":,aN1 \n\t', max_size=12))
def test_json_is_read_as_the_standard_library_reads_it(text: str) -> None:
    """White space around a value, something after it, or nothing at all."""
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    assert repr(parse_json(text)) == repr(expected)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "usage",
                    "error",
                    "code",
                    "message",
                    "model",
                    "response",
                    "type",
                    "output",
                    "text",
                    "status",
                    "output_tokens_details",
                ]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_crashes_the_reading_of_answers(value: object) -> None:
    """A lying server gets a row, not an exception."""
    text = json.dumps(value)
    facts = Facts()
    take_event(facts, Event(text), 0)
    take_document(facts, text.encode())
    take_response_event(facts, Event(text), 1)
    take_response_document(facts, text.encode())
    usage_fields(facts.usage)
    assert facts.outcome is None or facts.outcome in OUTCOMES


@given(st.integers(100, 599), st.binary(max_size=60), st.sampled_from(["chat", "models", "edge"]))
def test_every_status_has_an_outcome(status: int, body: bytes, kind: str) -> None:
    """And only 2xx is ok, save for the edge, which answers without a key."""
    outcome = classify(status, body, kind)
    assert outcome in OUTCOMES
    assert (outcome == "ok") == (200 <= status < 300 or (kind == "edge" and status in EDGE))


EDGE = (400, 401, 403, 404)


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_error_texts_are_one_bounded_line(text: str) -> None:
    """No control character of a server's reaches a terminal or a log."""
    cleaned = clean(text)
    assert len(cleaned) <= MAX_ERROR_CHARACTERS
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in cleaned)


@pytest.mark.parametrize(
    "echo", ["xai-abcdefghijk", "sk-12345", "xai-ab***********yz", "ab****wxyz"]
)
def test_what_looks_like_a_key_is_taken_out(echo: str) -> None:
    """Also the abbreviated forms in which services echo one."""
    body = json.dumps({"code": "invalid-argument", "error": f"Incorrect API key provided: {echo}."})
    described = describe_error(body.encode())
    assert echo not in described
    assert "Incorrect API key" in described


def test_an_unknown_body_is_length_and_hash() -> None:
    """Error bodies are not stored verbatim."""
    assert "secret" not in describe_error(b"<html>secret</html>")
    assert describe_error(b"<html>secret</html>").startswith("19 bytes, sha256 ")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        ("999999999999", 3600.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("٣", 3.0),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30.0),
        ("Mon, 01 Jun 2026 11:00:00 GMT", 0.0),
        ("Mon, 99 Jun 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_in_all_its_forms(value: str | None, seconds: float | None) -> None:
    """Seconds, dates, the past, the absurd and junk."""
    assert retry_after_s(value, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_crashes_its_reader(value: str) -> None:
    """Whatever a header says."""
    wait, took = retry_after_s(value, NOW), milliseconds(value)
    assert wait is None or 0 <= wait <= 3600
    assert took is None or (math.isfinite(took) and took >= 0)


def test_recorded_usage_becomes_columns() -> None:
    """The recorded answer: tokens, cached and reasoning tokens, cost in ticks of 1e-10 USD."""
    usage = {
        "prompt_tokens": 137,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 128},
        "completion_tokens_details": {"reasoning_tokens": 116},
        "cost_in_usd_ticks": 3293500,
    }
    assert usage_fields(usage) == {
        "prompt_tokens": 137,
        "completion_tokens": 1,
        "reasoning_tokens": 116,
        "cached_tokens": 128,
        "cost_usd": pytest.approx(0.00032935),
    }


@pytest.mark.parametrize("absurd", [-1, 1.5, "3", True, None, 2**80])
def test_absurd_counts_are_unknown(absurd: object) -> None:
    """A count that cannot be one is not a number in a table."""
    assert usage_fields({"prompt_tokens": absurd})["prompt_tokens"] is None


def response_events(*events: dict[str, object]) -> Facts:
    facts = Facts()
    for arrival, event in enumerate(events):
        take_response_event(facts, Event(json.dumps(event)), arrival)
    return facts


def test_a_responses_stream_has_the_same_three_first_times_as_chat() -> None:
    """First event, first reasoning, first text; reasoning is taken out of the output's tokens."""
    usage = {
        "input_tokens": 9,
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    facts = response_events(
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "Earth"},
        {"type": "response.completed", "response": {"status": "completed", "usage": usage}},
    )
    assert (facts.first_event, facts.first_reasoning, facts.tokens) == (0, 1, [2])
    assert facts.done
    assert usage_fields(facts.usage)["completion_tokens"] == 7


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ({"type": "error", "code": "x", "message": "boom"}, "stream_error"),
        (
            {"type": "response.failed", "response": {"error": {"message": "at capacity"}}},
            "capacity",
        ),
        ({"error": "Too many requests", "code": "resource-exhausted"}, "rate_limited"),
    ],
)
def test_a_failure_inside_a_responses_stream_is_one(event: dict[str, object], outcome: str) -> None:
    """A 200 is not success there either."""
    assert response_events(event).outcome == outcome
