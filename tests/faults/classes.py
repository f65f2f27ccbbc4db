"""The matrix by class: what goes wrong, and what the product makes of it, a line each."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.case import Case
from tests.faults.first_rank import BROKEN, CTRL_C, ENDLESS, FIRST_RANK, OPENING, REFUSED, STREAMS
from tests.faults.network import LINKS, NAMES, ROUTES
from tests.faults.second_rank import EITHER, HTTP1, HTTP2


@dataclass(frozen=True)
class Kind:
    """Cases that are alike."""

    name: str
    becomes: str
    cases: tuple[Case, ...]


KINDS = (
    Kind("none: a whole answer", "ok, with every time", FIRST_RANK[:1]),
    Kind(
        "name, route, connecting, TLS",
        "dns_fail, connect_fail, tls_fail or timeout, in that phase; no key sent",
        (*OPENING, *NAMES, *ROUTES),
    ),
    Kind("FIN, RST or silence, at any place", "truncated, stream_error or timeout", BROKEN),
    Kind("a stream that says 200 and is wrong", "its own outcome; never a clean 200", STREAMS),
    Kind("bytes for ever", "timeout at the total deadline", ENDLESS),
    Kind("4xx, 5xx, Retry-After, redirect", "by status; waits a minute at most", REFUSED),
    Kind("Ctrl-C", "cancelled, in no rate", CTRL_C),
    Kind("HTTP/1.1 that is none", "protocol_error, or what RFC 9112 allows", HTTP1),
    Kind("HTTP/2 that is none", "stream_error or protocol_error", HTTP2),
    Kind("idle connection closed, 204, gzip", "a new connection; nothing sent twice", EITHER),
    Kind("link down, MTU, bandwidth, IPv6", "timeout, or ok and slow", LINKS),
)
