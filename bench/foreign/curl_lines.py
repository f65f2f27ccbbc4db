r"""What ``curl -w`` wrote, one line a request, in either of two forms:

    curl -sS -o /dev/null URL -w '%{json}\n' >> curl.jsonl

    curl -sS -o /dev/null URL -w "started_at=$(date -u +%FT%T.%6NZ) endpoint=global
        url=%{url_effective} method=%{method} exitcode=%{exitcode} response_code=%{response_code}
        num_connects=%{num_connects} num_redirects=%{num_redirects} http_version=%{http_version}
        time_namelookup=%{time_namelookup} time_connect=%{time_connect}
        time_appconnect=%{time_appconnect} time_pretransfer=%{time_pretransfer}
        time_starttransfer=%{time_starttransfer} time_total=%{time_total}\n" >> curl.txt

The second is `FORMAT`, all in one line; names may be left out and others added. curl's JSON has no
time of day and no name; they may stand around it, ``{"started_at": …, "endpoint": …, "curl": …}``,
as `STAMPED` writes them. Without ``endpoint`` an endpoint is named for its host.

curl's times are seconds from its start; rows want the length of each phase. ``time_starttransfer``
less ``time_posttransfer`` (curl ≥ 8.10), or else less ``time_pretransfer``, is ``ttfb_ns``; the
latter still holds the sending, which is microseconds for a small request. curl 7 stamps the answer
of HTTP/2 when it has sent the request: there ``ttfb_ns`` is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.clients.curl_words import exit_fault, reached
from bench.clients.outcome import classify, clean
from bench.foreign.reading import (
    EITHER,
    Facts,
    Lost,
    Unreadable,
    host_and_path,
    inner,
    instant,
    number,
    read_lines,
    span_ns,
    stored,
    table,
    text_of,
    utc,
)
from bench.model import Caution
from bench.store import StoredRun
from bench.units import NS_PER_S
from bench.wire.record import Record

_TIMES = ("namelookup", "connect", "appconnect", "pretransfer", "starttransfer", "total")
_WORDS = ("url_effective", "method", "exitcode", "response_code", "num_connects", "num_redirects")
_TEXTS = ("started_at", "endpoint", "url", "url_effective", "method", "http_version", "remote_ip")

FORMAT = (
    "started_at=$(date -u +%FT%T.%6NZ) "
    + " ".join(f"{name}=%{{{name}}}" for name in (*_WORDS, "http_version", "remote_ip"))
    + " "
    + " ".join(f"time_{name}=%{{time_{name}}}" for name in _TIMES)
    + "\\n"
)
"""For ``-w``, in double quotes so that the shell fills in the time."""

STAMPED = r"{\"started_at\":\"$(date -u +%FT%T.%6NZ)\",\"endpoint\":\"NAME\",\"curl\":%{json}}\n"
"""The same of curl's JSON, whose errors are in words; write the endpoint for NAME."""

_MARK = re.compile(rb'"time_starttransfer"|"certs":|(?:^|\s)time_total=')
_PAIR = re.compile(r"([a-z_]+)=(\S*)")

_NOTE = Caution(
    "foreign",
    "Rows of curl: stamped by the application, without TTFT, server time or harness lateness.",
    "Compare them with each other, and not with rows of another tool.",
)


def knows(head: bytes) -> bool:
    """By a time that every line has, or in JSON, where certificates stand before it, by those; not
    by a row that quotes them."""
    return not head.startswith(b'{"line":') and _MARK.search(head) is not None


def read(path: Path) -> StoredRun:
    """The lines of a file as rows. Raises StoreError: unreadable, or without any request."""
    lost = Lost(path)
    return stored("curl", path, read_lines(path, lost, _facts), lost, _NOTE)


def _facts(text: str) -> Facts:
    said = _json(text) if text.startswith("{") else _pairs(text)
    if said.get("time_total") is None:
        raise Unreadable("has no time_total: it is no line of curl -w")
    spans = {name: span_ns(said, f"time_{name}", NS_PER_S) for name in _TIMES}
    began = instant(text_of(said, "started_at"))
    return {
        **_who(said),
        "started_at": utc(began),
        **_connection(said),
        "total_ns": spans["total"],
        **_outcome(said),
        **({} if number(said, "num_redirects") else _phases(said, spans)),
    }


def _json(text: str) -> dict[str, Any]:
    found = table(text)
    return {**found, **inner(found, "curl")}


def _pairs(text: str) -> dict[str, Any]:
    """``name=value`` words; all but the known texts are numbers."""
    found: dict[str, Any] = {}
    for name, value in _PAIR.findall(text):
        try:
            found[name] = value if name in _TEXTS else float(value)
        except ValueError:
            raise Unreadable(f"has a {name} that is no time or count") from None
    return found


def _who(said: Mapping[str, Any]) -> Facts:
    url = text_of(said, "url_effective") or text_of(said, "url") or ""
    host, path = host_and_path(url)
    endpoint = text_of(said, "endpoint") or host
    if endpoint is None:
        raise Unreadable("names no host: add url_effective or endpoint to the format")
    return {"endpoint": endpoint, "kind": f"{text_of(said, 'method') or 'GET'} {path or '/'}"}


def _connection(said: Mapping[str, Any]) -> Facts:
    opened, version = number(said, "num_connects"), _version(said)
    used = not opened and bool(number(said, "time_pretransfer"))
    return {
        "connection": EITHER if opened is None else "warm" if used else "cold",
        "reused": None if opened is None else used,
        "http_version": {"1.1": "HTTP/1.1", "2": "HTTP/2"}.get(version or "", version),
        "peer_ip": text_of(said, "remote_ip"),
    }


def _version(said: Mapping[str, Any]) -> str | None:
    found = text_of(said, "http_version")
    return None if found == "0" else found


def _outcome(said: Mapping[str, Any]) -> Facts:
    code, status = (_whole(said, name) for name in ("exitcode", "response_code"))
    if code:
        record = Record(deadline_ns=0, phase=reached(said, pinned=False), reused=False)
        text = text_of(said, "errormsg") or ""
        outcome, phase = exit_fault(code, text, record)
        error = clean(f"curl exit {code}: {text}")
        return {"outcome": outcome, "failed_phase": phase, "error": error, "status": status or None}
    if not status:
        raise Unreadable("says neither a status nor an exit code: add them to the format")
    outcome = classify(status, b"", "chat")
    failed = None if outcome == "ok" else "ttfb"
    return {"outcome": outcome, "failed_phase": failed, "status": status}


def _whole(said: Mapping[str, Any], name: str) -> int | None:
    value = number(said, name, 1e6)
    return None if value is None else int(value)


def _phases(said: Mapping[str, Any], spans: Mapping[str, int | None]) -> Facts:
    """The length of each phase that curl went through. Raises Unreadable for a time that runs
    backwards."""
    known = [ns for ns in spans.values() if ns]
    if known != sorted(known):
        raise Unreadable("has times that do not follow each other")
    sent_ns = span_ns(said, "time_posttransfer", NS_PER_S) or None
    before_ns, first_ns = spans["pretransfer"], spans["starttransfer"]
    phases = {
        "send_ns": _between(before_ns, sent_ns),
        "ttfb_ns": _between(sent_ns or before_ns, first_ns) if _has_start(said) else None,
    }
    if not number(said, "num_connects"):
        return phases
    looked_up, connected = spans["namelookup"], spans["connect"]
    return phases | {
        "dns_ns": looked_up or None,
        "tcp_ns": _between(looked_up, connected),
        "tls_ns": _between(connected, spans["appconnect"]),
    }


def _between(begin_ns: int | None, end_ns: int | None) -> int | None:
    """None where curl did not get so far, which it writes as 0."""
    return end_ns - begin_ns if begin_ns is not None and end_ns and end_ns >= begin_ns else None


def _has_start(said: Mapping[str, Any]) -> bool:
    if (_version(said) or "").startswith("1"):
        return True
    found = re.match(r"libcurl/(\d+)\.", str(said.get("curl_version")))
    return found is not None and int(found[1]) >= 8
