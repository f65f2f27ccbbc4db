"""What an answer of ``/v1/responses`` says of itself, as `bench.clients.answer` for chat. Pure.

The stream's events are named in their ``type``; a terminal event takes the place of ``[DONE]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.clients.answer import Facts, dictionaries, dictionary, take_identity
from bench.clients.outcome import classify_stream_error, parse_json
from bench.clients.sse import Event

_REASONING = (
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
)
_FAILED = ("error", "response.failed")
_ENDED = ("response.completed", "response.incomplete")


def take_response_event(facts: Facts, event: Event, arrival: int) -> None:
    """Add one streamed event that became complete with arrival number ``arrival``."""
    if facts.first_event is None:
        facts.first_event = arrival
    if event.data == "[DONE]":
        return  # some servers say it after the terminal event; nothing depends on it
    chunk = parse_json(event.data)
    if not isinstance(chunk, dict):
        facts.fail("protocol_error", "an event is not a JSON object")
    elif chunk.get("type") in _FAILED or "error" in chunk:
        _take_failure(facts, chunk)
    else:
        _take_progress(facts, chunk, arrival)


def take_response_document(facts: Facts, body: bytes) -> None:
    """Add a whole response that came at once."""
    document = parse_json(body)
    if not isinstance(document, dict) or not isinstance(document.get("output"), list):
        facts.fail("protocol_error", "the body is not a response")
        return
    _take_end(facts, document)
    for item in dictionaries(document["output"]):
        for part in dictionaries(item.get("content")):
            if isinstance(part.get("text"), str):
                facts.text_hash.update(part["text"].encode("utf-8", "replace"))
    if document.get("status") not in ("completed", "incomplete"):
        facts.fail("protocol_error", "the response is not finished")


def _take_failure(facts: Facts, chunk: Mapping[str, Any]) -> None:
    inner = dictionary(dictionary(chunk.get("response")).get("error")) or dictionary(
        chunk.get("error")
    )
    code = inner.get("code") or chunk.get("code")
    text = inner.get("message") or chunk.get("message") or chunk.get("error")
    facts.fail(classify_stream_error({"code": code, "error": text}), f"{code}: {text}")


def _take_progress(facts: Facts, chunk: Mapping[str, Any], arrival: int) -> None:
    kind, delta = chunk.get("type"), chunk.get("delta")
    if kind in _REASONING and delta and facts.first_reasoning is None:
        facts.first_reasoning = arrival
    elif kind == "response.output_text.delta" and isinstance(delta, str) and delta:
        facts.tokens.append(arrival)
        facts.text_hash.update(delta.encode("utf-8", "replace"))
    elif kind in _ENDED:
        facts.done = True
        _take_end(facts, dictionary(chunk.get("response")))


def _take_end(facts: Facts, response: Mapping[str, Any]) -> None:
    facts.finished = response.get("status") in ("completed", "incomplete")
    take_identity(facts, response)
    facts.usage = _usage(dictionary(response.get("usage")))


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """In chat's words. ``output_tokens`` includes the reasoning here, ``completion_tokens`` not."""
    reasoning = dictionary(usage.get("output_tokens_details")).get("reasoning_tokens")
    output = usage.get("output_tokens")
    if isinstance(output, int) and isinstance(reasoning, int):
        output -= reasoning
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": output,
        "prompt_tokens_details": usage.get("input_tokens_details"),
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "cost_in_usd_ticks": usage.get("cost_in_usd_ticks"),
    }
