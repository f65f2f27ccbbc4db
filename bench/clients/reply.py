"""Marks, head and facts of one exchange → the flat `Reply`. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bench.clients.answer import Facts, usage_fields
from bench.clients.outcome import clean, milliseconds, retry_after_s
from bench.key import Key
from bench.model import Reply, Request
from bench.wire.record import Record

_FOREIGN = ("error", "http_version", "edge", "request_id", "model", "fingerprint")
"""Fields that hold a server's own words."""

_STATUS_OUTCOMES = frozenset(
    ("bad_key", "forbidden", "model_missing", "bad_request", "rate_limited", "capacity")
)


@dataclass(frozen=True, slots=True)
class Head:
    """Status, HTTP version and headers of a response; header names in any case."""

    status: int
    http_version: str
    headers: Mapping[str, str]


class Seen(Protocol):
    """What a client gathered of one exchange."""

    @property
    def record(self) -> Record:
        """The wire's marks."""

    @property
    def head(self) -> Head | None:
        """The response's head, once there was one."""

    @property
    def facts(self) -> Facts:
        """What the answer said."""

    @property
    def app_ns(self) -> int | None:
        """From the call to the head, at the application."""

    @property
    def done_at(self) -> int | None:
        """The arrival that completed ``[DONE]``."""

    @property
    def ended(self) -> bool:
        """Whether the answer came to its end, whatever it said."""


def assemble(seen: Seen, request: Request, now: dt.datetime) -> Reply:
    """The flat reply; ``now`` turns a Retry-After date into seconds."""
    outcome, flags = _judge(seen)
    return Reply(
        outcome=outcome,
        error=None if outcome == "ok" else seen.facts.error,
        failed_phase=_failed_phase(seen, outcome),
        flags=" ".join(flags) or None,
        model=seen.facts.model or request.model,
        fingerprint=seen.facts.fingerprint,
        answer_sha256=seen.facts.text_hash.hexdigest() if seen.facts.finished else None,
        bytes=seen.record.bytes_in,
        clock_step=seen.record.clock_step,
        **_connection(seen.record),
        **_head_fields(seen.head, now),
        **_times(seen, outcome),
        **usage_fields(seen.facts.usage),
    )


def without_key(reply: Reply, key: Key | None) -> Reply:
    """The reply with the key hidden, wherever a server may have echoed it."""
    if key is None:
        return reply
    texts = {name: getattr(reply, name) for name in _FOREIGN}
    hidden: dict[str, Any] = {name: key.hide(text) for name, text in texts.items() if text}
    return replace(reply, **hidden)


def _judge(seen: Seen) -> tuple[str, list[str]]:
    """The outcome, and what else is worth a flag.

    An answer that was complete stays ok whatever the connection did afterwards.
    """
    facts, flags = seen.facts, []
    if seen.record.ragged_eof:
        flags.append("no_close_notify")
    if facts.broken_after_done:
        flags.append("broken_after_done")
    if facts.outcome is None:
        return "ok", flags
    if seen.record.cancelled:
        return "cancelled", flags
    return facts.outcome, flags


def _failed_phase(seen: Seen, outcome: str) -> str | None:
    """Where it broke; None when the exchange was complete and its answer was a refusal."""
    refused = outcome in _STATUS_OUTCOMES or (outcome == "server_error" and seen.head is not None)
    return None if outcome == "ok" or refused else seen.record.failed_phase()


def _connection(record: Record) -> dict[str, Any]:
    return {
        "reused": record.reused and record.sent_ns is not None,
        "peer_ip": record.peer_ip,
        "tls_version": record.tls_version,
        "dns_ns": record.dns_ns,
        "tcp_ns": record.tcp_ns,
        "tls_ns": record.tls_ns,
        "send_ns": record.send_ns if record.send_final else None,
        "rtt_ns": record.rtt_ns,
        "min_rtt_ns": record.min_rtt_ns,
        "retransmits": record.retransmits,
    }


def _head_fields(head: Head | None, now: dt.datetime) -> dict[str, Any]:
    if head is None:
        return {}
    get = head.headers.get
    return {
        "status": head.status,
        "http_version": head.http_version,
        "retry_after_s": retry_after_s(get("retry-after"), now),
        "server_ttft_ms": milliseconds(get("x-metrics-ttft-ms")),
        "server_e2e_ms": milliseconds(get("x-metrics-e2e-ms")),
        "edge": colo(get("cf-ray")),
        "request_id": short(get("x-request-id")),
    }


def colo(ray: str | None) -> str | None:
    """The edge's place from ``cf-ray: <id>-<COLO>``."""
    colo = (ray or "").rpartition("-")[2]
    return colo if colo.isascii() and colo.isalpha() and len(colo) == 3 else None


def short(text: str | bytes | None) -> str | None:
    """A name that a server gave, fit to store: 128 characters of it at most."""
    return clean(str(text))[:128] if text else None


def _times(seen: Seen, outcome: str) -> dict[str, Any]:
    record = seen.record
    if record.first is None:
        return {}
    first = record.arrivals[record.first]
    layer = record.layer
    return {
        "ttfb_app_ns": seen.app_ns,
        "ttfb_socket_ns": record.since_sent_ns(first, "socket"),
        "ttfb_kernel_ns": record.since_sent_ns(first, "kernel"),
        "ttfb_layer": layer,
        "ttfb_ns": record.since_sent_ns(first, layer),
        "wakeup_late_ns": None if record.clock_step else first.late_ns,
        "total_ns": _total(seen, outcome),
        **_token_times(seen),
    }


def _total(seen: Seen, outcome: str) -> int | None:
    """To the arrival of ``[DONE]``, or of the last byte; None when the answer never ended."""
    broken = outcome in ("truncated", "timeout", "stream_error", "cancelled", "client_fault")
    over = seen.ended or seen.done_at is not None
    if broken or not over or not seen.record.arrivals:
        return None
    last = len(seen.record.arrivals) - 1 if seen.done_at is None else seen.done_at
    return seen.record.since_start_ns(last)


def _token_times(seen: Seen) -> dict[str, Any]:
    facts, since = seen.facts, seen.record.since_start_ns
    if facts.first_event is None:
        return {}
    offsets = [since(arrival) for arrival in facts.tokens]
    return {
        "first_event_ns": since(facts.first_event),
        "first_reasoning_ns": None
        if facts.first_reasoning is None
        else since(facts.first_reasoning),
        "ttft_ns": offsets[0] if offsets else None,
        "last_token_ns": offsets[-1] if offsets else None,
        "token_offsets_ns": tuple(ns for ns in offsets if ns is not None),
        "token_coalesced": _coalesced(seen),
    }


def _coalesced(seen: Seen) -> tuple[bool, ...]:
    """Per token: did it share its read with another, so that its time is the later one's?"""
    reads = [seen.record.arrivals[arrival].socket_ns for arrival in seen.facts.tokens]
    shared = Counter(reads)
    return tuple(shared[read] > 1 for read in reads)
