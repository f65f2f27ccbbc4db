"""The service's words, exactly: response headers, error bodies, lists and chat bodies.

Pure: data in, headers and bytes out. Recorded shapes stand in the project's API facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from bench.simulator.profile import Limits, Model, Price

Headers = list[tuple[bytes, bytes]]

TICKS_PER_USD_PER_MILLION = 10_000  # 1e10 ticks per USD, over a million tokens
_CENTS_PER_100_MILLION = 10_000  # the unit of prices in /v1/language-models, per USD per million
TEAM = "3f1c52a4-7f0e-4c1a-9d56-6f6c65657400"

JSON = b"application/json"
EVENTS = b"text/event-stream"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html; charset=UTF-8"

DONE = b"data: [DONE]\n\n"
BAD_GATEWAY = (
    b'<!DOCTYPE html>\n<html lang="en-US"><head><title>502: Bad gateway</title></head>'
    b"<body><h1>Bad gateway</h1><p>Error code 502</p><p>cloudflare</p></body></html>\n"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than 200. ``body`` overrides the flat JSON of ``code`` and ``error``."""

    status: int
    code: str = ""
    error: str = ""
    retry_after_s: int | None = None
    content_type: bytes = JSON
    body: bytes | None = None
    allow: str | None = None

    def content(self) -> bytes:
        """The bytes of the body."""
        return self.body if self.body is not None else error_body(self.code, self.error)


def error_body(code: str, error: str) -> bytes:
    """The flat body of every error that is JSON."""
    return compact({"code": code, "error": error})


def compact(value: object) -> bytes:
    """JSON as the service writes it: no spaces, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


WRONG_KEY = Refusal(
    400,
    "invalid-argument",
    "Incorrect API key provided. You can obtain an API key from the console.",
)
NO_KEY = Refusal(401, "unauthenticated:no-credentials", "No credentials provided")
NO_PATH = Refusal(404, "not-found", "The requested resource was not found.")
AT_CAPACITY = Refusal(
    503,
    "The service is currently unavailable",
    "Service temporarily unavailable. The model is at capacity and currently cannot serve this "
    "request. Please try again later.",
)
SERVER_ERROR = Refusal(500, "internal", "An internal error occurred. Please try again later.")
GONE = Refusal(502, content_type=HTML, body=BAD_GATEWAY)


def no_method(allow: str) -> Refusal:
    """405 with Allow, the method that the path has."""
    return Refusal(405, "invalid-argument", "Method not allowed.", allow=allow)


def no_model(model: str) -> Refusal:
    """404: the model is not served where it was asked for."""
    text = f"The model {model} does not exist or your team {TEAM} does not have access to it."
    return Refusal(404, "not-found", f"{text} Please check the name and the region.")


def no_effort(model: str) -> Refusal:
    """400: the model does not take reasoning_effort, or not this value."""
    text = f"Model {model} does not support parameter reasoningEffort."
    return Refusal(400, "invalid-argument", text)


def bad_body(reason: str) -> Refusal:
    """422, in plain text."""
    text = f"Failed to deserialize the JSON body into the target type: {reason}"
    return Refusal(422, content_type=TEXT, body=text.encode("utf-8", "replace"))


def too_many(model: str, actual: int, limit: int, what: str = "Requests per second") -> Refusal:
    """429 with Retry-After."""
    text = f"Too many requests for team {TEAM} and model {model}. "
    text += f"{what} (actual/limit): {actual}/{limit}."
    return Refusal(429, "resource-exhausted", text, retry_after_s=1)


def headers(
    content_type: bytes,
    request_id: UUID,
    *,
    chance: Random,
    colo: str,
    domain: str,
    quota: tuple[Limits, int, int],
    metrics: Mapping[str, float] | None = None,
    refusal: Refusal | None = None,
) -> Headers:
    """Response headers in the service's order. ``quota`` is the limits with the requests and
    tokens that remain; ``metrics`` (name → ms) belongs on unstreamed 200s only."""
    limits, requests, tokens = quota
    lines: list[tuple[str, str]] = [
        ("x-request-id", str(request_id)),
        ("traceparent", f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-00"),
        ("x-ratelimit-limit-requests", str(limits.requests_per_second)),
        ("x-ratelimit-limit-tokens", str(limits.tokens_per_minute)),
        ("x-ratelimit-remaining-requests", str(requests)),
        ("x-ratelimit-remaining-tokens", str(tokens)),
        ("x-zero-data-retention", "false"),
    ]
    lines += [(f"x-metrics-{name}-ms", f"{ms:.3f}") for name, ms in (metrics or {}).items()]
    if refusal is not None:
        own = {"retry-after": refusal.retry_after_s, "allow": refusal.allow}
        lines += [(name, str(value)) for name, value in own.items() if value is not None]
    cookie = f"__cf_bm={chance.getrandbits(256):064x}; path=/; domain=.{domain}"
    lines += [
        ("set-cookie", f"{cookie}; HttpOnly; Secure; SameSite=None"),
        ("server", "cloudflare"),
        ("cf-ray", f"{chance.getrandbits(64):016x}-{colo}"),
    ]
    first = [(b"content-type", content_type)]
    if content_type == EVENTS:
        first.append((b"cache-control", b"no-cache"))
    return first + [(name.encode(), value.encode()) for name, value in lines]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, and what they cost in ticks (1 USD = 1e10)."""

    prompt: int
    cached: int
    completion: int
    reasoning: int
    ticks: int


def cost_ticks(price: Price, factor: float, usage: tuple[int, int, int]) -> int:
    """The price of (prompt, cached, generated) tokens; the cached are part of the prompt."""
    prompt, cached, generated = usage
    usd = (prompt - cached) * price.input + cached * price.cached_input + generated * price.output
    return round(usd * factor * TICKS_PER_USD_PER_MILLION)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says: its ``reasoning`` and ``content`` token by token, and the usage."""

    id: UUID
    created: int
    model: Model
    reasoning: tuple[str, ...]
    content: tuple[str, ...]
    finish: str
    usage: Usage


def chat_usage(usage: Usage) -> dict[str, Any]:
    """``completion_tokens`` excludes reasoning here, ``total_tokens`` does not."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion + usage.reasoning,
        "prompt_tokens_details": {
            "text_tokens": usage.prompt,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": usage.cached,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
        "cost_in_usd_ticks": usage.ticks,
    }


def chat_completion(answer: Answer) -> bytes:
    """The body of an unstreamed chat."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.content)}
    if answer.reasoning:
        message["reasoning_content"] = "".join(answer.reasoning)
    message["refusal"] = None
    choice = {"index": 0, "message": message, "finish_reason": answer.finish}
    tail = {"usage": chat_usage(answer.usage), "system_fingerprint": answer.model.fingerprint}
    body = _chat_head(answer, "chat.completion") | {"choices": [choice]} | tail
    return compact(body | {"service_tier": "default"})


def chat_chunks(answer: Answer) -> Iterable[bytes]:
    """One SSE event per token, the first with the role; no ``finish_reason`` anywhere."""
    kinds = ("reasoning_content",) * len(answer.reasoning) + ("content",) * len(answer.content)
    for n, token in enumerate(answer.reasoning + answer.content):
        delta = {kinds[n]: token} | ({"role": "assistant"} if n == 0 else {})
        yield _chunk(answer, [{"index": 0, "delta": delta}])


def chat_tail(answer: Answer, include_usage: bool) -> bytes:
    """What follows the last token: the finish, the usage if asked for, and the end mark."""
    tail = _chunk(answer, [{"index": 0, "delta": {}, "finish_reason": answer.finish}])
    if include_usage:
        tail += _chunk(answer, [], usage=chat_usage(answer.usage))
    return tail + DONE


def _chunk(answer: Answer, choices: list[dict[str, Any]], **more: object) -> bytes:
    body = _chat_head(answer, "chat.completion.chunk") | {"choices": choices} | more
    body["system_fingerprint"] = answer.model.fingerprint
    return b"data: " + compact(body) + b"\n\n"


def _chat_head(answer: Answer, kind: str) -> dict[str, Any]:
    head = {"id": str(answer.id), "object": kind, "created": answer.created}
    return head | {"model": answer.model.id}


def models(served: Iterable[Model]) -> bytes:
    """The body of ``/v1/models``."""
    data = [
        {"id": m.id, "created": m.created, "object": "model", "owned_by": "xai"} for m in served
    ]
    return compact({"data": data, "object": "list"})


def language_models(served: Iterable[Model], factor: float) -> bytes:
    """The body of ``/v1/language-models``: prices in US cents per 100 million tokens."""
    return compact({"models": [_language_model(model, factor) for model in served]})


def _language_model(model: Model, factor: float) -> dict[str, Any]:
    def cents(usd: float) -> int:
        return round(usd * factor * _CENTS_PER_100_MILLION)

    price = model.usd_per_million
    return {
        "id": model.id,
        "fingerprint": model.fingerprint,
        "created": model.created,
        "object": "model",
        "owned_by": "xai",
        "version": "1.0",
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "prompt_text_token_price": cents(price.input),
        "cached_prompt_text_token_price": cents(price.cached_input),
        "completion_text_token_price": cents(price.output),
        "aliases": list(model.aliases),
    }


def api_key(key: str) -> bytes:
    """The body of ``/v1/api-key``; shows the key's ends only."""
    return compact(
        {
            "redacted_api_key": f"{key[:4]}...{key[-4:]}",
            "user_id": TEAM,
            "name": "fleet",
            "create_time": "2026-01-01T00:00:00Z",
            "modify_time": "2026-01-01T00:00:00Z",
            "modified_by": TEAM,
            "team_id": TEAM,
            "acls": ["api-key:model:*", "api-key:endpoint:*"],
            "api_key_id": TEAM,
            "team_blocked": False,
            "api_key_blocked": False,
            "api_key_disabled": False,
        }
    )
