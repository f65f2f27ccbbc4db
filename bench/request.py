"""Plan + round → the bytes of one request. Pure; every endpoint of the round gets the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.model import ASKING, Kind, Plan, Request

DEFAULT_PARAMETERS: Mapping[str, Any] = {"max_completion_tokens": 16}
NONCE_CHARACTERS = 16
_COMMON = (("accept-encoding", "identity"), ("user-agent", "regionbench"))


def nonce(run_id: str, round_number: int) -> str:
    """A text of constant length that differs between any two rounds of any two runs."""
    return hashlib.sha256(f"{run_id}:{round_number}".encode()).hexdigest()[:NONCE_CHARACTERS]


def build_request(
    kind: Kind,
    plan: Plan,
    *,
    api: str,
    model: str | None,
    parameters: Mapping[str, Any],
    nonce: str,
) -> Request:
    """The request of one round. ``parameters`` are the model's own; the plan's win over them."""
    if kind in ASKING:
        body = _BODIES[kind](
            plan, model, {**DEFAULT_PARAMETERS, **parameters, **plan.parameters}, nonce
        )
        accepts = "text/event-stream" if plan.stream else "application/json"
        own = (("content-type", "application/json"), ("accept", accepts))
        return _request(kind, "POST", f"{api}{_PATHS[kind]}", own, body, model, plan.stream)
    only = (("accept", "application/json"),)
    return _request(kind, "GET", f"{api}/models", only, b"", None, streamed=False)


def _chat_body(plan: Plan, model: str | None, parameters: dict[str, Any], nonce: str) -> bytes:
    body = {"model": model, "messages": _messages(plan, nonce), **parameters, "stream": plan.stream}
    if plan.stream:
        body["stream_options"] = {"include_usage": True}
    return _json(body)


def _responses_body(plan: Plan, model: str | None, parameters: dict[str, Any], nonce: str) -> bytes:
    """The same question in the words of the Responses API."""
    body = {"model": model, "input": _messages(plan, nonce), **parameters, "stream": plan.stream}
    if (limit := body.pop("max_completion_tokens", None)) is not None:
        body["max_output_tokens"] = limit
    if (effort := body.pop("reasoning_effort", None)) is not None:
        body["reasoning"] = {"effort": effort}
    return _json({**body, "store": False})


_BODIES = {"chat": _chat_body, "responses": _responses_body}
_PATHS = {"chat": "/chat/completions", "responses": "/responses"}


def _messages(plan: Plan, nonce: str) -> list[dict[str, str]]:
    messages = [{"role": m.role, "content": m.content} for m in plan.messages]
    messages[0]["content"] = f"[{nonce}] {messages[0]['content']}"
    return messages


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _request(
    kind: Kind,
    method: str,
    path: str,
    own_headers: tuple[tuple[str, str], ...],
    body: bytes,
    model: str | None,
    streamed: bool,
) -> Request:
    headers = (*_COMMON, *own_headers)
    digest = hashlib.sha256()
    for part in (method, path, *(f"{name}:{value}" for name, value in headers)):
        digest.update(part.encode() + b"\n")
    digest.update(body)
    return Request(
        kind=kind,
        method=method,
        path=path,
        headers=headers,
        body=body,
        streamed=streamed,
        with_key=kind != "edge",
        sha256=digest.hexdigest(),
        model=model,
    )
