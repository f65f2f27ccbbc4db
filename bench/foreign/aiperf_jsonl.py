"""What NVIDIA AIPerf wrote as ``profile_export.jsonl``: one record a request.

Each metric names its unit, mostly milliseconds; times of day are nanoseconds since 1970 of the wall
clock. Which columns they become:

    request_start_ns, and until request_end_ns     started_at, total_ns
    time_to_first_token                            ttft_ns
    request_latency                                last_token_ns: it ends with the last content
    inter_chunk_latency                            token_offsets_ns, from the first token on
    http_req_dns_lookup, http_req_sending          dns_ns, send_ns, if the connection was new
    http_req_connection_reused                     reused

``http_req_waiting`` ends with the first byte of the *body* and ``http_req_connecting`` holds TCP
and TLS together: no column means that, so they are left out. A failure does not tell whether its
connection was kept, so that all rows are of the connection "either": failures stay beside what
answered. The records name neither URL nor model: both are in ``profile_export_aiperf.json``, if
that lies beside; else the endpoint is named for the folder.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.clients.outcome import classify, clean
from bench.foreign.reading import (
    EITHER,
    Facts,
    Lost,
    Unreadable,
    inner,
    number,
    read_lines,
    span_ns,
    stored,
    table,
    text_of,
    utc,
)
from bench.model import Caution
from bench.store import StoredRun, strict
from bench.units import NS_PER_MS, NS_PER_S, NS_PER_US

BESIDE = "profile_export_aiperf.json"
_NS_PER = {"ns": 1, "us": NS_PER_US, "ms": NS_PER_MS, "sec": NS_PER_S, "s": NS_PER_S}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LONGEST_NS = 10**15

_NOTE = Caution(
    "foreign",
    "Rows of AIPerf: stamped by the application, totals by the wall clock, kept and new connections"
    " together, without server time or harness lateness.",
    "Compare them with each other, and not with rows of another tool.",
)


def knows(head: bytes) -> bool:
    """By what each record says of itself."""
    return (
        head.lstrip().startswith(b"{") and b'"request_start_ns"' in head and b'"metadata"' in head
    )


def read(path: Path) -> StoredRun:
    """The records of a file as rows. Raises StoreError: unreadable, or without any."""
    lost = Lost(path)
    asked = _asked(path)
    found = list(read_lines(path, lost, partial(_facts, asked)))
    found.sort(key=lambda facts: str(facts["started_at"]))
    return stored("AIPerf", path, found, lost, _NOTE, model=asked["model"])


def _asked(path: Path) -> Facts:
    """Who was asked for what, as far as the file beside says."""
    try:
        content = strict.parse((path.parent / BESIDE).read_text("utf-8"))
        about = content["input_config"]["endpoint"]
    except (OSError, ValueError, LookupError, TypeError):
        about = {}
    said = about if isinstance(about, dict) else {}
    models = said.get("model_names")
    return {
        "endpoint": _host(said) or path.resolve().parent.name or path.stem,
        "kind": said["type"] if isinstance(said.get("type"), str) else "chat",
        "model": str(models[0]) if isinstance(models, list) and len(models) == 1 else None,
    }


def _host(said: Mapping[str, Any]) -> str | None:
    """Of the one URL; with several, AIPerf does not say which request went where."""
    several = said.get("urls")
    urls = several if isinstance(several, list) else [said.get("url")]
    try:
        return urlsplit(str(urls[0])).hostname if len(urls) == 1 else None
    except ValueError:
        return None


def _facts(asked: Facts, text: str) -> Facts:
    record = table(text)
    about, metrics = inner(record, "metadata"), inner(record, "metrics")
    began_ns, ended_ns = (_moment(about, f"request_{name}_ns") for name in ("start", "end"))
    if not 0 <= ended_ns - began_ns < _LONGEST_NS:
        raise Unreadable("ends before it began, or years later")
    first_ns = _span(metrics, "time_to_first_token")
    return {
        **asked,
        "started_at": utc(_EPOCH + dt.timedelta(microseconds=began_ns / 1000)),
        "warmup": about.get("benchmark_phase") == "warmup",
        "streamed": first_ns is not None,
        "request_id": text_of(about, "x_request_id"),
        "ttft_ns": first_ns,
        "last_token_ns": _span(metrics, "request_latency") if first_ns is not None else None,
        "token_offsets_ns": _offsets(metrics, first_ns),
        "total_ns": ended_ns - began_ns,
        **_connection(metrics),
        **_work(metrics),
        **_outcome(about, inner(record, "error")),
    }


def _moment(about: Mapping[str, Any], name: str) -> int:
    value = about.get(name)
    if type(value) is not int or not 0 <= value < 2**62:
        raise Unreadable(f"has a {name} that is no time in ns")
    return value


def _span(metrics: Mapping[str, Any], name: str) -> int | None:
    """A metric in ns, whatever its unit; None where the record has none."""
    metric = inner(metrics, name)
    return span_ns(metric, "value", _per(metric, name)) if metric else None


def _per(metric: Mapping[str, Any], name: str) -> int:
    unit = metric.get("unit")
    if not isinstance(unit, str) or unit not in _NS_PER:
        raise Unreadable(f"has a {name} in a unit that is none of {', '.join(_NS_PER)}")
    return _NS_PER[unit]


def _offsets(metrics: Mapping[str, Any], first_ns: int | None) -> tuple[int, ...] | None:
    """When each chunk came, from the request's start."""
    metric = inner(metrics, "inter_chunk_latency")
    gaps = metric.get("value")
    if first_ns is None or not isinstance(gaps, Sequence) or isinstance(gaps, str):
        return None
    per = _per(metric, "inter_chunk_latency")
    steps = [span_ns({"value": gap}, "value", per) for gap in gaps]
    if None in steps:
        raise Unreadable("has an inter_chunk_latency that is no time or count")
    return tuple(itertools.accumulate((step or 0 for step in steps), initial=first_ns))


def _connection(metrics: Mapping[str, Any]) -> Facts:
    reused = number(inner(metrics, "http_req_connection_reused"), "value")
    new = {"dns_ns": _span(metrics, "http_req_dns_lookup") or None} if reused == 0 else {}
    return {
        "connection": EITHER,
        "reused": None if reused is None else bool(reused),
        "send_ns": _span(metrics, "http_req_sending") or None,
        **new,
    }


def _work(metrics: Mapping[str, Any]) -> Facts:
    names = {
        "prompt_tokens": "input_sequence_length",
        "completion_tokens": "output_token_count",
        "reasoning_tokens": "reasoning_token_count",
    }
    counts = {c: number(inner(metrics, name), "value", 2**53) for c, name in names.items()}
    return {column: None if n is None else int(n) for column, n in counts.items()}


def _outcome(about: Mapping[str, Any], error: Mapping[str, Any]) -> Facts:
    if about.get("was_cancelled") is True:
        return {"outcome": "cancelled"}
    if not error:
        return {"outcome": "ok"}
    code, kind = number(error, "code", 1e6), text_of(error, "type") or ""
    text = clean(f"{kind}: {text_of(error, 'message') or ''}")
    status = int(code) if code is not None and 100 <= code < 600 else None
    outcome = classify(status, text.encode(), "chat") if status else _by_name(kind)
    if outcome == "ok":  # 200, and yet an error: it broke while it was read
        outcome = "stream_error"
    return {"outcome": outcome, "status": status, "error": text}


_BY_NAME = (
    ("dns", "dns_fail"),
    ("timeout", "timeout"),
    ("certificate", "tls_fail"),
    ("ssl", "tls_fail"),
    ("connector", "connect_fail"),
    ("connectionrefused", "connect_fail"),
    ("payload", "truncated"),
    ("disconnected", "truncated"),
)
"""Parts of the names of aiohttp's exceptions; the first counts."""


def _by_name(kind: str) -> str:
    fits = (outcome for part, outcome in _BY_NAME if part in kind.lower())
    return next(fits, "protocol_error")
