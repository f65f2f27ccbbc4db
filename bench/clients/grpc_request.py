"""A request's JSON body → the arguments of the xAI SDK's ``chat.create``. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.model import Request

KINDS = frozenset({"chat"})
"""The kinds of request that the SDK can be given."""

PARAMETERS: Mapping[str, str] = {
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "user": "user",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "reasoning_effort": "reasoning_effort",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "parallel_tool_calls": "parallel_tool_calls",
    "service_tier": "service_tier",
}
"""The parameters that the SDK knows, and what it calls them."""

_ROLES = ("system", "developer", "user", "assistant")
_OWN = ("model", "messages", "stream", "stream_options")


class Unsendable(Exception):
    """The request says something that the SDK has no words for."""


def arguments(request: Request, words: Any) -> dict[str, Any]:
    """The arguments; ``words`` is the module `xai_sdk.chat`. Raises Unsendable."""
    if request.kind not in KINDS:
        raise Unsendable(f"the xAI SDK client sends no {request.kind!r} requests")
    body = json.loads(request.body)
    known = {PARAMETERS[name]: body[name] for name in _parameters(body)}
    if isinstance(known.get("stop"), str):
        known["stop"] = [known["stop"]]
    messages = [_message(message, words) for message in body["messages"]]
    return {"model": body["model"], "messages": messages, **known}


def _parameters(body: Mapping[str, Any]) -> list[str]:
    given = [name for name in body if name not in _OWN]
    if unknown := [name for name in given if name not in PARAMETERS]:
        raise Unsendable(f"the xAI SDK client knows no parameter {', '.join(unknown)}")
    return given


def _message(message: Mapping[str, Any], words: Any) -> Any:
    role, content = message["role"], message["content"]
    if role not in _ROLES or not isinstance(content, str):
        raise Unsendable(f"the xAI SDK client sends texts of {', '.join(_ROLES)} only")
    return getattr(words, role)(content)
