"""curl's words: its configuration going in, its headers and exit codes coming out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.clients import Settings
from bench.clients.reply import Head
from bench.model import Endpoint, Request
from bench.wire.record import Record

_STATUS = re.compile(r"[0-9]{3}")

Stamped = tuple[int, bytes]

_ALWAYS = (
    "silent",
    "no-buffer",
    'dump-header = "-"',  # unlike --include it is flushed line by line: the head has its own time
    "suppress-connect-headers",
    "globoff",
    "path-as-is",
    "no-sessionid",
    "tlsv1.2",
    'proto = "=https"',
    'write-out = "%{stderr}%{json}"',
    'header = "expect:"',
)
_FAMILIES = {"4": ("ipv4",), "6": ("ipv6",), "any": ()}


def config(
    settings: Settings, ca: Path | None, endpoint: Endpoint, request: Request, body: str
) -> bytes:
    """What curl reads on stdin. Every word is here, so that the arguments say nothing."""
    lines = [*_ALWAYS, *_FAMILIES[settings.family]]
    lines.append("http2" if settings.http2 else "http1.1")
    lines.append(_option("url", endpoint.url + request.path))
    lines.append(_option("max-time", f"{settings.timeout_s:.3f}"))
    if ca is not None:
        lines.append(_option("cacert", str(ca)))
    if request.body:
        lines.append(_option("data-binary", f"@{body}"))
    lines += [_option("header", f"{name}: {value}") for name, value in request.headers]
    if request.with_key and settings.key is not None:
        lines.append(_option("header", f"authorization: Bearer {settings.key.reveal()}"))
    lines += _way(settings, endpoint)
    return "\n".join(lines).encode() + b"\n"


def _way(settings: Settings, endpoint: Endpoint) -> Iterator[str]:
    """Where the socket goes."""
    proxy = settings.proxy
    if proxy is None:
        yield _option("noproxy", "*")
    else:
        yield _option("proxy", proxy.url)
        if proxy.auth is not None:
            yield _option("proxy-user", ":".join(proxy.auth))
    if endpoint.connect is not None:
        parts = urlsplit(endpoint.url)
        address, _, port = endpoint.connect.rpartition(":")
        target = f"{address}:{port}" if address else f"{endpoint.connect}:{parts.port or 443}"
        yield _option("connect-to", f"{parts.hostname}:{parts.port or 443}:{target}")


def _option(name: str, value: str) -> str:
    """One quoted option. A line break would begin another one."""
    if "\n" in value or "\r" in value:
        raise ValueError(f"{name}: a line break")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name} = "{quoted}"'


def split_heads(pieces: Sequence[Stamped]) -> tuple[Head | None, list[Stamped]]:
    """The response's head, without those of 1xx responses, and the pieces of the body."""
    waiting, rest = b"", list(pieces)
    while rest:
        at_ns, data = rest.pop(0)
        waiting += data
        while b"\r\n\r\n" in waiting:
            text, _, waiting = waiting.partition(b"\r\n\r\n")
            head = _head(text)
            if head is None or head.status >= 200:
                return head, [(at_ns, waiting), *rest] if waiting else rest
    return None, []


def _head(text: bytes) -> Head | None:
    first, *lines = text.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not _STATUS.fullmatch(words[1]):
        return None
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    version = "HTTP/2" if words[0].startswith("HTTP/2") else words[0]
    return Head(int(words[1]), version, headers)


_REACHED = (
    ("time_starttransfer", "ttfb"),
    ("time_pretransfer", "ttfb"),
    ("time_connect", "tls"),
    ("remote_ip", "tls"),  # curl 7 stamps a connection when its handshake is over
    ("time_namelookup", "tcp"),
)


def reached(report: Mapping[str, Any], *, pinned: bool) -> str:
    """The phase that a transfer was in when it ended; a pinned address needs no lookup."""
    for name, phase in _REACHED:
        if report.get(name):
            return phase
    return "tcp" if pinned else "dns"


_BY_CODE = {
    5: ("connect_fail", "tcp"),
    6: ("dns_fail", "dns"),
    7: ("connect_fail", "tcp"),
    18: ("truncated", "body"),
    52: ("truncated", "ttfb"),
    97: ("connect_fail", "tcp"),
    **dict.fromkeys((35, 51, 53, 54, 58, 59, 60, 66, 80, 83, 90, 91), ("tls_fail", "tls")),
    **dict.fromkeys((1, 8, 16, 27, 43, 61, 63, 92), ("protocol_error", "ttfb")),
}


def exit_fault(code: int, text: str, record: Record) -> tuple[str, str]:
    """Outcome and phase of an exit code that is not 0."""
    if code == 28:
        return "timeout", record.phase
    if code == 1 and record.phase in ("dns", "tcp"):
        return "client_fault", "send"  # anything but https:// is refused before a connection
    if code in (55, 56) and record.phase in ("tcp", "tls"):
        return "connect_fail", "tcp"  # a proxy that refused to connect
    if code in (55, 56):
        gone = record.first is not None or "unexpected eof" in text.lower()
        return ("truncated" if gone else "stream_error"), record.phase
    return _BY_CODE.get(code, ("client_fault", record.phase))
