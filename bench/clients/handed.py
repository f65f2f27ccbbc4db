"""What an SDK handed to its caller, and when: the times that a program which uses it sees.

The wire's marks say when bytes were there; these say when the caller had them, everything that the
SDK does to a request and to an answer included.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench.clients.answer import Facts
from bench.clients.exchange import Piece
from bench.clients.readers import READERS
from bench.clients.sse import SseError, SseParser
from bench.model import Reply, Request


@dataclass(slots=True)
class HandedUp:
    """When the SDK was called, when it gave each event of a stream, and when it was done."""

    began_ns: int
    events: list[int] = field(default_factory=list)
    ended_ns: int | None = None


def as_handed_up(
    reply: Reply, request: Request, pieces: Iterable[Piece], handed: HandedUp
) -> Reply:
    """The reply with its token times and total as the SDK's caller saw them.

    The SDK gives one object per event, so the events on the wire say what each of them was.
    """
    total = None if handed.ended_ns is None else handed.ended_ns - handed.began_ns
    reply = replace(reply, total_ns=None if reply.total_ns is None else total)
    if reply.first_event_ns is None:
        return reply
    facts = _numbered(request, pieces, len(handed.events))
    offsets = tuple(handed.events[number] - handed.began_ns for number in facts.tokens)
    same = reply.token_coalesced is not None and len(reply.token_coalesced) == len(offsets)
    return replace(
        reply,
        first_event_ns=_at(handed, facts.first_event),
        first_reasoning_ns=_at(handed, facts.first_reasoning),
        ttft_ns=offsets[0] if offsets else None,
        last_token_ns=offsets[-1] if offsets else None,
        token_offsets_ns=offsets,
        token_coalesced=reply.token_coalesced if same else None,
    )


def _numbered(request: Request, pieces: Iterable[Piece], count: int) -> Facts:
    """The facts of the first ``count`` events, numbered as they came out of the SDK."""
    facts, parser = Facts(), SseParser()
    events = (event for _, data in pieces for event in parser.feed(data))
    with contextlib.suppress(SseError):
        for number, event in zip(range(count), events, strict=False):
            READERS[request.kind][0](facts, event, number)
    return facts


def _at(handed: HandedUp, number: int | None) -> int | None:
    return None if number is None else handed.events[number] - handed.began_ns
