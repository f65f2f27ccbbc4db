"""What an answer says of itself: tokens, usage, end, failure. Pure; texts are hashed, not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bench.clients.outcome import classify_stream_error, clean, parse_json
from bench.clients.sse import Event
from bench.units import USD_TICKS

_NAME_CHARACTERS = 128


@dataclass(slots=True)
class Facts:
    """What was learned of one answer so far. Positions are numbers of arrivals on the wire."""

    outcome: str | None = None
    error: str | None = None
    first_event: int | None = None
    first_reasoning: int | None = None
    tokens: list[int] = field(default_factory=list)
    finished: bool = False
    done: bool = False
    broken_after_done: bool = False
    model: str | None = None
    fingerprint: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    text_hash: Any = field(default_factory=hashlib.sha256)

    def fail(self, outcome: str, error: str) -> None:
        """Keep the first failure; later ones follow from it."""
        if self.outcome is None:
            self.outcome, self.error = outcome, clean(error)

    def lose(self, outcome: str, error: str) -> None:
        """The connection failed: a failure of the answer unless that was complete already."""
        if self.done:
            self.broken_after_done = True
        else:
            self.fail(outcome, error)


def take_event(facts: Facts, event: Event, arrival: int) -> None:
    """Add one streamed chat event that became complete with arrival number ``arrival``."""
    if facts.first_event is None:
        facts.first_event = arrival
    if event.data == "[DONE]":
        facts.done = True
        return
    chunk = parse_json(event.data)
    if not isinstance(chunk, dict):
        facts.fail("protocol_error", "an event is not a JSON object")
    elif "error" in chunk:
        facts.fail(classify_stream_error(chunk), f"{chunk.get('code')}: {chunk.get('error')}")
    else:
        _take_common(facts, chunk)
        for choice in dictionaries(chunk.get("choices")):
            _take_choice(facts, choice, arrival)


def take_document(facts: Facts, body: bytes) -> None:
    """Add a whole chat completion that came at once."""
    document = parse_json(body)
    if not isinstance(document, dict) or not isinstance(document.get("choices"), list):
        facts.fail("protocol_error", "the body is not a chat completion")
        return
    _take_common(facts, document)
    for choice in dictionaries(document["choices"]):
        message = choice.get("message")
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            facts.text_hash.update(message["content"].encode("utf-8", "replace"))
        facts.finished = facts.finished or choice.get("finish_reason") is not None
    if not facts.finished:
        facts.fail("protocol_error", "the completion has no finished choice")


def close_stream(facts: Facts) -> None:
    """Judge a stream that has ended by itself: it must have said [DONE] after a token."""
    if not facts.done:
        facts.fail("truncated", "the stream ended before it said that it was done")
    elif not facts.tokens and facts.first_reasoning is None and not facts.finished:
        facts.fail("protocol_error", "the stream held no token")


def usage_fields(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Token counts and cost from a usage object; absent or absurd values are None."""
    prompt_details = dictionary(usage.get("prompt_tokens_details"))
    completion_details = dictionary(usage.get("completion_tokens_details"))
    ticks = _count(usage.get("cost_in_usd_ticks"))
    return {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
        "reasoning_tokens": _count(completion_details.get("reasoning_tokens")),
        "cached_tokens": _count(prompt_details.get("cached_tokens")),
        "cost_usd": None if ticks is None else ticks / USD_TICKS,
    }


def take_identity(facts: Facts, fields: Mapping[str, Any]) -> None:
    """Which model says it answered."""
    model, fingerprint = fields.get("model"), fields.get("system_fingerprint")
    if model != facts.model:  # all events of an answer name the same
        facts.model = _text(model) or facts.model
    if fingerprint != facts.fingerprint:
        facts.fingerprint = _text(fingerprint) or facts.fingerprint


def _take_common(facts: Facts, fields: Mapping[str, Any]) -> None:
    take_identity(facts, fields)
    if isinstance(fields.get("usage"), dict):
        facts.usage = fields["usage"]


def _take_choice(facts: Facts, choice: Mapping[str, Any], arrival: int) -> None:
    delta = dictionary(choice.get("delta"))
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    if reasoning and facts.first_reasoning is None:
        facts.first_reasoning = arrival
    content = delta.get("content")
    if isinstance(content, str) and content:
        facts.tokens.append(arrival)
        facts.text_hash.update(content.encode("utf-8", "replace"))
    facts.finished = facts.finished or choice.get("finish_reason") is not None


def dictionary(value: object) -> dict[str, Any]:
    """``value`` if it is one, else an empty one: servers send what they like."""
    return value if isinstance(value, dict) else {}


def dictionaries(value: object) -> list[dict[str, Any]]:
    """The dictionaries in ``value``, if it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return _known(value) if len(value) <= _NAME_CHARACTERS else clean(value)[:_NAME_CHARACTERS]


@lru_cache(maxsize=64)
def _known(name: str) -> str:
    """Every event of every answer names the same model."""
    return clean(name)[:_NAME_CHARACTERS]


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < 2**53 else None
