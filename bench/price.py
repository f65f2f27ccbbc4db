"""What requests should cost, before they are sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.catalogue import Catalogue
from bench.model import Plan
from bench.request import DEFAULT_PARAMETERS

CHARACTERS_PER_TOKEN = 4
_NONCE_CHARACTERS = 24
_FRAME_TOKENS = 200
"""More than a service adds to a prompt: 137 tokens were seen for a short one (reference)."""

THINKING_TOKENS = 4096
"""What a model that may think is taken to think at most; no parameter bounds it. A budget learns
from replies that cost more."""


def expected_tokens(plan: Plan, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """About how many tokens of prompt, and at most how many of answer, one request has."""
    characters = sum(len(message.content) for message in plan.messages) + _NONCE_CHARACTERS
    return characters // CHARACTERS_PER_TOKEN, _answer_tokens(plan, parameters)


def expected_usd(
    catalogue: Catalogue, endpoint: str, model: str | None, plan: Plan
) -> float | None:
    """What one request should cost; None when the price is not known."""
    return catalogue.usd(endpoint, model, *expected_tokens(plan, _own(catalogue, model)))


def worst_usd(catalogue: Catalogue, endpoint: str, model: str | None, plan: Plan) -> float | None:
    """What one request may cost: a token a byte, and thinking where it is not turned off."""
    own = _own(catalogue, model)
    size = sum(len(message.content.encode()) for message in plan.messages)
    thinking = 0 if _effort(plan, own) == "none" else THINKING_TOKENS
    completion = _answer_tokens(plan, own) + thinking
    return catalogue.usd(endpoint, model, size + _FRAME_TOKENS, completion)


def _own(catalogue: Catalogue, model: str | None) -> Mapping[str, Any]:
    entry = catalogue.model(model)
    return entry.parameters if entry else {}


def _answer_tokens(plan: Plan, own: Mapping[str, Any]) -> int:
    limit = {**DEFAULT_PARAMETERS, **own, **plan.parameters}.get("max_completion_tokens")
    return limit if isinstance(limit, int) else THINKING_TOKENS


def _effort(plan: Plan, own: Mapping[str, Any]) -> Any:
    return {**own, **plan.parameters}.get("reasoning_effort")
