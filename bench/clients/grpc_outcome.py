"""gRPC status and detail text → outcome. Pure; the words are those of `bench.model.OUTCOMES`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.clients.outcome import classify, classify_stream_error


@dataclass(frozen=True, slots=True)
class Status:
    """How a call failed: gRPC's code and text.

    gRPC uses the same codes for what a server says and for what its own library found out about
    the connection: ``said`` tells them apart. ``begun`` is whether the answer had begun before,
    ``connected`` whether there was a connection.
    """

    code: str
    text: str
    said: bool
    begun: bool = False
    connected: bool | None = None


_HTTP_STATUS = re.compile(r"http2 header with status: (\d{3})")
_FOUND = "stream removed ("  # how the library begins what it says of a call whose transport broke
_BY_CODE = {
    "UNAUTHENTICATED": "bad_key",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "model_missing",
    "INVALID_ARGUMENT": "bad_request",
    "FAILED_PRECONDITION": "bad_request",
    "OUT_OF_RANGE": "bad_request",
    "UNIMPLEMENTED": "bad_request",
    "RESOURCE_EXHAUSTED": "rate_limited",
    "DEADLINE_EXCEEDED": "timeout",
}
_RESET = "reset"  # of the connection: within an answer, that cuts it as its end would
_BY_TEXT = (
    (
        ("failed parsing http/2", "data frame with end_stream", "deserializ", "larger than max"),
        "protocol_error",
        "ttfb",
    ),
    (("errors resolving", "name resolution", "dns resolution"), "dns_fail", "dns"),
    (("handshake", "tls", "ssl", "certificate", "verification", "alpn"), "tls_fail", "tls"),
    (("failed to connect", "connection refused"), "connect_fail", "tcp"),
    (("connection reset",), _RESET, "ttfb"),
    (("rst_stream", "goaway"), "stream_error", "ttfb"),
    (("socket closed", "transport closed", "eof"), "truncated", "ttfb"),
)
"""What the library says of connections that failed, the most telling first."""


def said(text: str, with_metadata: bool) -> bool:
    """Whether a failure is the server's word: the library's own come without metadata, or, when
    the answer had begun, with a beginning of their own."""
    return with_metadata and not text.lower().startswith(_FOUND)


def judge(status: Status) -> tuple[str, str | None]:
    """The outcome and the failed phase; no phase where the exchange was complete, or when gRPC
    does not tell."""
    outcome, phase = _said(status) if status.said else _found(status)
    if outcome == "timeout":
        phase = "ttfb" if status.connected else None
    return outcome, "body" if status.begun and phase == "ttfb" else phase


def _said(status: Status) -> tuple[str, str | None]:
    if status.code == "UNAVAILABLE":
        event = {"code": status.code, "error": status.text}
        capacity = classify_stream_error(event) == "capacity"
        return ("capacity", None) if capacity else _failed(status)
    if status.code == "INVALID_ARGUMENT" and "api key" in status.text.lower():
        return "bad_key", None
    known = _BY_CODE.get(status.code)
    return (known, None) if known else _failed(status)


def _failed(status: Status) -> tuple[str, str | None]:
    return ("stream_error", "body") if status.begun else ("server_error", None)


def _found(status: Status) -> tuple[str, str | None]:
    if status.code == "DEADLINE_EXCEEDED":
        return "timeout", None
    text = status.text.lower()
    if (found := _HTTP_STATUS.search(text)) is not None:
        return _by_http(int(found[1]))
    for marks, outcome, phase in _BY_TEXT:
        if any(mark in text for mark in marks):
            cut = "truncated" if status.begun else "stream_error"
            return (cut if outcome == _RESET else outcome), phase
    if status.code == "UNAVAILABLE":
        return "connect_fail", None
    return "stream_error", "ttfb"


def _by_http(status: int) -> tuple[str, str | None]:
    """An HTTP status in gRPC's place; a good one other than 200 is no answer of this protocol."""
    outcome = classify(status, b"", "chat")
    wrong = outcome in ("ok", "protocol_error")
    return ("protocol_error", "ttfb") if wrong else (outcome, None)
