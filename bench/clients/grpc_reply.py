"""What one gRPC call brought and when → the flat `Reply`. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any

from bench.clients.answer import usage_fields
from bench.clients.grpc_outcome import Status, judge
from bench.clients.outcome import clean, retry_after_s
from bench.clients.reply import colo, short
from bench.model import Reply, Request

_COMPLETE = frozenset(
    ("ok", "bad_key", "forbidden", "model_missing", "bad_request", "rate_limited", "capacity")
)


@dataclass(slots=True)
class Peer:
    """The connection under a call: gRPC's own number for it, and where it leads."""

    number: int
    address: str | None


@dataclass(slots=True)
class Seen:
    """What was seen of one call so far; times from its start, as the application had them.

    ``visible`` is whether gRPC let us look at its connections, ``before`` and ``after`` the one
    that stood when the call began and when it had ended.
    """

    first_event_ns: int | None = None
    first_reasoning_ns: int | None = None
    tokens_ns: list[int] = field(default_factory=list)
    end_ns: int | None = None
    finished: bool = False
    response: Any = None
    status: Status | None = None
    fault: str | None = None
    excess: str | None = None
    size: int = 0
    cancelled: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    visible: bool = False
    before: Peer | None = None
    after: Peer | None = None
    text_hash: Any = field(default_factory=hashlib.sha256)

    @property
    def broken(self) -> bool:
        """Whether the call failed otherwise than by the server's word."""
        own = self.status is not None and not self.status.said
        return self.fault is not None or self.excess is not None or own

    def take(self, at_ns: int, content: str, reasoning: str) -> None:
        """Add one message of a stream."""
        if self.first_event_ns is None:
            self.first_event_ns = at_ns
        if reasoning and self.first_reasoning_ns is None:
            self.first_reasoning_ns = at_ns
        if content:
            self.tokens_ns.append(at_ns)
            self.text_hash.update(content.encode("utf-8", "replace"))


def assemble(seen: Seen, request: Request, now: dt.datetime) -> Reply:
    """The flat reply; ``now`` turns a Retry-After date into seconds."""
    outcome, phase, error = _judge(seen)
    complete = outcome in _COMPLETE or (outcome == "server_error" and phase is None)
    end_ns = seen.end_ns if complete else None
    return Reply(
        outcome=outcome,
        failed_phase=phase,
        error=None if error is None else clean(error),
        total_ns=end_ns,
        http_version="HTTP/2",
        ttfb_layer="app",
        answer_sha256=seen.text_hash.hexdigest() if seen.finished else None,
        **_connection(seen),
        **_times(seen, end_ns),
        **_said(seen, request),
        retry_after_s=retry_after_s(seen.metadata.get("retry-after"), now),
    )


def _judge(seen: Seen) -> tuple[str, str | None, str | None]:
    if seen.cancelled and not seen.finished:
        return "cancelled", "ttfb" if seen.first_event_ns is None else "body", "interrupted"
    if seen.status is not None:
        return *judge(seen.status), f"{seen.status.code}: {seen.status.text}"
    if seen.fault is not None:
        return "client_fault", None, seen.fault
    if seen.excess is not None:
        return "protocol_error", "body", seen.excess
    if not seen.finished:
        return "protocol_error", "body", "the answer has no end"
    return "ok", None, None


def _connection(seen: Seen) -> dict[str, Any]:
    if not seen.visible:
        return {}
    before, after = seen.before, seen.after
    kept = before is not None and (after is None or before.number == after.number)
    peer = after or before
    return {"reused": kept, "peer_ip": None if peer is None else peer.address}


def _times(seen: Seen, end_ns: int | None) -> dict[str, Any]:
    """On a new connection the first byte's time holds the connecting, so there it is unknown."""
    kept = _connection(seen).get("reused")
    first = end_ns if seen.first_event_ns is None else seen.first_event_ns
    return {
        "ttfb_ns": first if kept else None,
        "ttfb_app_ns": first if kept else None,
        "first_event_ns": seen.first_event_ns,
        "first_reasoning_ns": seen.first_reasoning_ns,
        "ttft_ns": seen.tokens_ns[0] if seen.tokens_ns else None,
        "last_token_ns": seen.tokens_ns[-1] if seen.tokens_ns else None,
        "token_offsets_ns": tuple(seen.tokens_ns) or None,
    }


def _said(seen: Seen, request: Request) -> dict[str, Any]:
    """The answer's own id stands for that of the request: the SDK shows no metadata of a call that
    went well."""
    get = seen.metadata.get
    fields = {
        "model": request.model,
        "request_id": short(get("x-request-id")),
        "edge": colo(get("cf-ray")),
    }
    if seen.response is None:
        return fields
    answer = seen.response.proto
    said = {
        "model": answer.model,
        "fingerprint": answer.system_fingerprint,
        "request_id": answer.id,
    }
    known = {name: short(text) for name, text in said.items() if text}
    return fields | known | usage_fields(_rest_usage(answer.usage))


def _rest_usage(usage: Any) -> dict[str, Any]:
    """The usage as REST names it; zero throughout is a usage that never came."""
    if not usage.total_tokens:
        return {}
    told = usage.HasField("cost_in_usd_ticks")
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": usage.cached_prompt_text_tokens},
        "cost_in_usd_ticks": usage.cost_in_usd_ticks if told else None,
    }
