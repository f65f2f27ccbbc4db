"""The first rank of the fault matrix: a line per fault."""

from __future__ import annotations

from tests.faults.answers import COST_USD, DONE, FINISH, event
from tests.faults.case import Case, first
from tests.faults.steps import (
    RIGHT,
    begin,
    begin_open,
    begin_sized,
    body,
    cut,
    end,
    fin,
    for_ever,
    half_said,
    head,
    idle_for_ever,
    interrupt,
    part,
    pause,
    plain,
    raw,
    reset,
    rest,
    said,
    silence,
    take,
)

CERTIFICATES = ("untrusted", "self-signed", "expired", "not yet valid", "another name")

SDK_KNOWS_NO_PHASE = {"xai-sdk": ("timeout", None)}


_HTML_IN_GRPC = {"xai-sdk": ("protocol_error", "body")}


def _sdk_in_ttfb(outcome: str) -> dict[str, tuple[str, str | None]]:
    """gRPC hands up nothing of an answer at once before its end."""
    return {"xai-sdk": (outcome, "ttfb")}


OPENING = (
    first("a name with a label over 63", "dns_fail", "dns", place="a long label"),
    first("a closed port", "connect_fail", "tcp", place="a closed port"),
    first("SYN unanswered", "timeout", "tcp", place="a full queue", blind=SDK_KNOWS_NO_PHASE),
    *(first(f"TLS: {name}", "tls_fail", "tls", tls=name) for name in CERTIFICATES),
    first("TLS: older than 1.2", "tls_fail", "tls", tls="older than 1.2"),
    first(
        "TLS: plain text",
        "tls_fail",
        "tls",
        *(take, plain(b"HTTP/1.1 400 Plain\r\n\r\n"), silence),
        bare=True,
    ),
    first(
        "TLS: an alert",
        "tls_fail",
        "tls",
        *(take, plain(b"\x15\x03\x03\x00\x02\x02\x28"), silence),
        bare=True,
    ),
    first("TLS: FIN in the handshake", "tls_fail", "tls", take, cut, bare=True),
    first("TLS: RST in the handshake", "tls_fail", "tls", take, reset, bare=True),
    first(
        "TLS: silence in the handshake",
        "timeout",
        "tls",
        silence,
        bare=True,
        blind=SDK_KNOWS_NO_PHASE,
    ),
)

BROKEN = (
    first("FIN instead of an answer", "truncated", "ttfb", fin),
    first("FIN without close_notify instead of one", "truncated", "ttfb", cut),
    first(
        "RST instead of an answer",
        "stream_error",
        "ttfb",
        reset,
        blind={"openai-js": ("truncated", "ttfb")},
    ),
    first("silence instead of an answer", "timeout", "ttfb", silence),
    *(
        first(
            f"{length}, {name}",
            outcome,
            "body",
            begins,
            part,
            pause,
            ends,
            blind=_sdk_in_ttfb("stream_error" if ends is reset else outcome),
        )
        for length, begins in (("length known", begin_sized), ("length unknown", begin))
        for name, ends, outcome in (
            ("cut by FIN", fin, "truncated"),
            ("cut by RST", reset, "truncated"),
            ("then silence", silence, "timeout"),
        )
    ),
    first(
        "whole, FIN without close_notify",
        "ok",
        None,
        *(begin_sized, part, rest, cut),
        whole=True,
        http="1.1",
    ),
    first(
        "ended by FIN",
        "ok",
        None,
        begin_open,
        part,
        rest,
        fin,
        whole=True,
        http="1.1",
    ),
    first(
        "ended by FIN without close_notify",
        "truncated",
        "body",
        *(begin_open, part, rest, cut),
        http="1.1",
        shape="at once",
        blind={"curl": ("ok", None), "openai-js": ("ok", None)},
    ),
)

_BOOM = event(code="internal", error="boom")
_FULL = event(code="unavailable", error="The model is at capacity")
_HTML = head(200, ("content-type", "text/html"))

STREAMS = tuple(
    first(
        name, outcome, phase, *steps, shape="stream", whole=whole, keeps=steps[-1] is end, rest=True
    )
    for name, outcome, phase, whole, steps in (
        ("no [DONE]", "truncated", "body", False, (begin, part, body(FINISH), end)),
        ("an error", "stream_error", "body", False, (begin, part, body(_BOOM + DONE), end)),
        ("no capacity", "capacity", None, True, (begin, body(_FULL), end)),
        (
            "bad JSON",
            "protocol_error",
            "body",
            True,
            (begin, body(b"data: {oops\n\n" + DONE), end),
        ),
        (
            "bad UTF-8",
            "protocol_error",
            "body",
            True,
            (begin, body(b"data: \xff\xfe\n\n" + DONE), end),
        ),
        ("no token", "protocol_error", "body", True, (begin, body(DONE), end)),
        ("an empty 200", "truncated", "body", False, (begin, end)),
        ("HTML with 200", "protocol_error", "body", True, (_HTML, body(b"<html>"), end)),
        ("[DONE], then RST", "ok", None, True, (begin, part, rest, pause, reset)),
        ("[DONE], then FIN", "ok", None, True, (begin, part, rest, pause, fin)),
    )
)

ENDLESS = (
    first(
        "a header by the byte",
        "timeout",
        "ttfb",
        for_ever(raw(b"a"), b"HTTP/1.1 200 OK\r\nx-slow: "),
        http="1.1",
    ),
    first(
        "a body that never says anything",
        "timeout",
        "body",
        begin,
        idle_for_ever,
        blind=_sdk_in_ttfb("timeout"),
    ),
    first(
        "events without a token for ever",
        "timeout",
        "body",
        *(begin, for_ever(body(event(choices=[])))),
        shape="stream",
        rest=True,
    ),
)


def _text(status: int, text: str) -> bytes:
    return b'{"code":"%d","error":"%s"}' % (status, text.encode())


STATUSES = {
    "400, a wrong key": (400, _text(400, "Incorrect API key provided."), "bad_key"),
    "400, a wrong parameter": (400, _text(400, "no reasoningEffort"), "bad_request"),
    "401": (401, _text(401, "No"), "bad_key"),
    "403 in HTML": (403, b"<html>no</html>", "forbidden"),
    "404, no such model": (404, _text(404, "x"), "model_missing"),
    "422": (422, b"Failed to deserialize", "bad_request"),
    "429": (429, _text(429, "Too many requests"), "rate_limited"),
    "500": (500, b'{"code":"internal"}', "server_error"),
    "502 in HTML": (502, b"<html>bad gateway</html>", "server_error"),
    "503, no capacity": (503, _text(503, "The model is at capacity"), "capacity"),
    "503 of something else": (503, b"upstream", "server_error"),
}

RETRY_AFTER = {
    "0": 0.0,
    "7": 7.0,
    "99999999999999999999": 3600.0,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0.0,
    "Fri, 31 Dec 2999 23:59:59 GMT": 3600.0,
    "soon": None,
    "-5": None,
    "nan": None,
    "1e3": None,
}

REFUSED = (
    *(
        first(
            *(name, outcome, None, said(status, text)),
            whole=True,
            keeps=True,
            blind=_HTML_IN_GRPC if text.startswith(b"<") else {},
        )
        for name, (status, text, outcome) in STATUSES.items()
    ),
    *(
        first(f"{name}, cut", "truncated", "body", half_said(status, text), pause, fin, rest=True)
        for name, (status, text, _) in STATUSES.items()
    ),
    *(
        first(
            f"429, Retry-After: {value}",
            "rate_limited",
            None,
            said(429, _text(429, "Slow down"), ("retry-after", value)),
            whole=True,
            keeps=True,
            says={"retry_after_s": seconds},
        )
        for value, seconds in RETRY_AFTER.items()
    ),
    first(
        "a redirect to another host",
        "protocol_error",
        "body",
        said(307, b"", ("location", "https://elsewhere.invalid/")),
        whole=True,
        keeps=True,
        blind=_sdk_in_ttfb("protocol_error"),
    ),
)

CTRL_C = (
    first(
        "Ctrl-C before the answer",
        "cancelled",
        "ttfb",
        interrupt,
        silence,
        blind={"curl": ("cancelled", None)},
    ),
    first(
        "Ctrl-C within the answer",
        "cancelled",
        "body",
        *(begin, part, pause, interrupt, silence),
        blind=_sdk_in_ttfb("cancelled"),
    ),
)

FIRST_RANK: tuple[Case, ...] = (
    first(
        "a whole answer",
        "ok",
        None,
        *RIGHT,
        whole=True,
        keeps=True,
        says={"prompt_tokens": 9, "completion_tokens": 2, "cost_usd": COST_USD, "model": "m"},
    ),
    *OPENING,
    *BROKEN,
    *STREAMS,
    *ENDLESS,
    *REFUSED,
    *CTRL_C,
)
