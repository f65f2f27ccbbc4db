"""What ``k6 run --out json=FILE`` wrote: one point a metric, nine points a request.

k6 writes the points of a request one after the other, ``http_reqs`` first, all with the request's
end for their time and the same tags. Times are milliseconds. Which columns they become:

    http_req_connecting, _tls_handshaking, _sending     tcp_ns, tls_ns, send_ns; k6's 0: none was
    http_req_waiting                                    ttfb_ns: last byte sent to first one back
    http_req_duration, and _blocked if it connected     total_ns: blocked is lookup and connecting
    the tag endpoint, or else the host of the tag url   endpoint
    the tags method and url                             kind: what may be compared with what

k6 sees no tokens and says nothing of rounds, so there is no TTFT, and rounds are counted where
endpoints took turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.clients.outcome import classify, clean
from bench.foreign.reading import (
    Facts,
    Lost,
    Unreadable,
    host_and_path,
    inner,
    instant,
    numbered,
    span_ns,
    stored,
    table,
    text_of,
    utc,
)
from bench.model import Caution
from bench.store import StoredRun
from bench.units import NS_PER_MS

_HEAD = re.compile(rb'\s*\{\s*"(?:type|metric|data)"\s*:')
_TYPE = re.compile(rb'"type"\s*:\s*"(?:Metric|Point)"')
_FIRST, _PART = "http_reqs", "http_req_"
_NEEDED = ("duration", "blocked", "connecting", "tls_handshaking", "sending", "waiting")

_NOTE = Caution(
    "foreign",
    "Rows of k6: stamped by the application, without TTFT, server time or harness lateness.",
    "Compare them with each other, and not with rows of another tool.",
)

_BY_CODE: Mapping[range, tuple[str, str | None]] = {
    range(1050, 1051): ("timeout", None),
    range(1100, 1200): ("dns_fail", "dns"),
    range(1201, 1203): ("stream_error", None),
    range(1211, 1212): ("timeout", "tcp"),
    range(1220, 1221): ("stream_error", None),
    range(1200, 1300): ("connect_fail", "tcp"),
    range(1300, 1400): ("tls_fail", "tls"),
}
"""k6's ``error_code`` where there is no status; the first range counts."""


def knows(head: bytes) -> bool:
    """By how each of its lines begins, and what it says of itself."""
    return _HEAD.match(head) is not None and _TYPE.search(head) is not None


def read(path: Path) -> StoredRun:
    """The requests of a file as rows. Raises StoreError: unreadable, or without any."""
    lost = Lost(path)
    found = sorted(_requests(path, lost), key=lambda facts: str(facts["started_at"]))
    return stored("k6", path, found, lost, _NOTE)


@dataclass
class _Request:
    """The points of one request, as they come; ``line`` is where it begins."""

    line: int
    key: tuple[Any, Any]
    values: dict[str, Any] = field(default_factory=dict)


def _requests(path: Path, lost: Lost) -> Iterator[Facts]:
    for request in _grouped(path, lost):
        try:
            yield _facts(request)
        except Unreadable as error:
            lost.add(request.line, str(error))


def _grouped(path: Path, lost: Lost) -> Iterator[_Request]:
    current: _Request | None = None
    for line, text in numbered(path, lost):
        try:
            name, data = _point(text)
        except Unreadable as error:
            lost.add(line, str(error))
            continue
        key = (data.get("time"), data.get("tags"))
        if name == _FIRST:
            if current is not None:
                yield current
            current = _Request(line, key)
        elif name.startswith(_PART) and current is not None and current.key == key:
            current.values[name.removeprefix(_PART)] = data.get("value")
        elif name.startswith(_PART):
            lost.add(line, "is a point of no request: its http_reqs is missing")
    if current is not None:
        yield current


def _point(text: str) -> tuple[str, dict[str, Any]]:
    """Name and data of a point; an empty name for a line that describes a metric."""
    found = table(text)
    if found.get("type") == "Metric":
        return "", {}
    if found.get("type") != "Point":
        raise Unreadable("is neither Metric nor Point")
    return text_of(found, "metric") or "", inner(found, "data")


def _facts(request: _Request) -> Facts:
    when, tags = request.key
    tags = inner({"tags": tags}, "tags")
    missing = [name for name in _NEEDED if name not in request.values]
    if missing:
        raise Unreadable(f"begins a request without http_req_{missing[0]}")
    spans = {name: span_ns(request.values, name, NS_PER_MS) or 0 for name in _NEEDED}
    cold = spans["connecting"] > 0 or not spans["sending"]  # what was never sent had none to use
    total_ns = spans["duration"] + (spans["blocked"] if cold else 0)
    ended = instant(when if isinstance(when, str) else "")
    return {
        **_who(tags),
        "started_at": utc(ended, total_ns),
        "connection": "cold" if cold else "warm",
        "reused": not cold,
        "tcp_ns": spans["connecting"] or None,
        "tls_ns": spans["tls_handshaking"] or None,
        "send_ns": spans["sending"] or None,
        "total_ns": total_ns or None,
        **_outcome(tags, spans["waiting"]),
        **_connection(tags),
    }


def _who(tags: Mapping[str, Any]) -> Facts:
    url = text_of(tags, "url") or text_of(tags, "name") or ""
    host, path = host_and_path(url)
    endpoint = text_of(tags, "endpoint") or host
    if endpoint is None:
        raise Unreadable("names no host: give each request a tag endpoint")
    method = text_of(tags, "method") or "GET"
    return {"endpoint": endpoint, "kind": f"{method} {path if host else url}"}


def _outcome(tags: Mapping[str, Any], waiting_ns: int) -> Facts:
    """Of a response by its status, else by k6's error code."""
    status, code = (_whole(text_of(tags, name)) for name in ("status", "error_code"))
    if status:
        outcome = classify(status, b"", "chat")
        failed = None if outcome == "ok" else "ttfb"
        return {"outcome": outcome, "status": status, "ttfb_ns": waiting_ns, "failed_phase": failed}
    if code is None:
        raise Unreadable("has neither status nor error_code: keep these tags of k6")
    fits = (found for codes, found in _BY_CODE.items() if code in codes)
    outcome, phase = next(fits, ("protocol_error", None))
    error = clean(f"k6 error {code}: {text_of(tags, 'error') or ''}")
    return {"outcome": outcome, "failed_phase": phase, "error": error}


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Unreadable("has a status or error_code that is no number")
    return int(text)


def _connection(tags: Mapping[str, Any]) -> Facts:
    proto, tls = text_of(tags, "proto"), text_of(tags, "tls_version")
    return {
        "http_version": "HTTP/2" if proto == "HTTP/2.0" else proto,
        "tls_version": f"TLSv{tls.removeprefix('tls')}" if tls else None,
        "peer_ip": text_of(tags, "ip"),
    }
