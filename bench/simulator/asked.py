"""What a client asks for: request bodies of chat and responses, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.simulator.profile import Model

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_CHARACTERS_PER_TOKEN = 4


class BadBody(Exception):
    """The body cannot be read; the text is what the 422 says after its fixed beginning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. ``prompt`` is the conversation as one text: equal prompts are equal texts."""

    model: str
    prompt: str
    streamed: bool
    include_usage: bool = False
    effort: str | None = None
    max_tokens: int | None = None

    def prompt_tokens(self, model: Model) -> int:
        """Tokens of the prompt with the service's own preamble; about four characters each."""
        return model.preamble_tokens + max(1, len(self.prompt) // _CHARACTERS_PER_TOKEN)


def read_chat(body: bytes) -> Asked:
    """The question in a body of ``/v1/chat/completions``. Raises BadBody."""
    table = _object(body)
    options = _optional(table, "stream_options", dict) or {}
    old = _limit(_optional(table, "max_tokens", int))
    limit = _limit(_optional(table, "max_completion_tokens", int))
    return Asked(
        model=_required(table, "model", str),
        prompt=conversation(_required(table, "messages", list)),
        streamed=bool(_optional(table, "stream", bool)),
        include_usage=bool(_optional(options, "include_usage", bool)),
        effort=_optional(table, "reasoning_effort", str),
        max_tokens=old if limit is None else limit,
    )


def read_responses(body: bytes) -> Asked:
    """The question in a body of ``/v1/responses``. Raises BadBody."""
    table = _object(body)
    given = table.get("input")
    if not isinstance(given, (str, list)):
        raise BadBody("missing field `input`" if given is None else _wrong("input", given, "list"))
    turns = given if isinstance(given, list) else [{"role": "user", "content": given}]
    instructions = _optional(table, "instructions", str)
    if instructions is not None:
        turns = [{"role": "system", "content": instructions}, *turns]
    return Asked(
        model=_required(table, "model", str),
        prompt=conversation(turns),
        streamed=bool(_optional(table, "stream", bool)),
        effort=_optional(_optional(table, "reasoning", dict) or {}, "effort", str),
        max_tokens=_limit(_optional(table, "max_output_tokens", int)),
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        table = json.loads(body)
    except (ValueError, RecursionError):
        raise BadBody("expected value at line 1 column 1") from None
    if not isinstance(table, dict):
        raise BadBody("invalid type: expected a map at line 1 column 1")
    return table


def _required(table: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = _optional(table, key, kind)
    if value is None:
        raise BadBody(f"missing field `{key}`")
    return value


def _optional(table: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = table.get(key)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)  # to JSON, 1.0 is an integer
    if value is not None and type(value) is not kind:
        raise BadBody(_wrong(key, value, kind.__name__))
    return value


def _wrong(key: str, value: object, kind: str) -> str:
    return f"{key}: invalid type: {type(value).__name__}, expected {kind}"


def _limit(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise BadBody("max_completion_tokens: invalid value, expected a positive integer")
    return value


def conversation(turns: list[Any]) -> str:
    """The turns, checked, as one text. Raises BadBody."""
    if not turns:
        raise BadBody("messages: invalid length 0, expected at least one message")
    for n, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise BadBody(_wrong(f"messages[{n}]", turn, "map"))
        if turn.get("role") not in _ROLES:
            raise BadBody(f"messages[{n}].role: unknown variant, expected one of {_ROLES}")
        if not isinstance(turn.get("content"), (str, list, type(None))):
            raise BadBody(_wrong(f"messages[{n}].content", turn["content"], "string or sequence"))
    return "\n".join(f"{turn['role']}: {_text(turn.get('content'))}" for turn in turns)


def _text(content: str | list[Any] | None) -> str:
    if isinstance(content, str):
        return content
    return "" if content is None else json.dumps(content, sort_keys=True)
