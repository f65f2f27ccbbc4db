"""curl, one process per request: what a shell script or a quick check of the service sees.

A connection cannot outlive the process, so that ``warm`` rows open one too and are flagged. Times
begin with curl's own clock: starting the process is not in them. The key goes in with the
configuration on stdin, never in the arguments that every user of the machine can read.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import selectors
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from typing import IO, Any

from bench.clients import Settings
from bench.clients.child import ca_file, end, find_program, start
from bench.clients.curl_words import config, exit_fault, reached, split_heads
from bench.clients.exchange import MAX_BODY_BYTES, Exchange, streams, take_answer
from bench.clients.outcome import clean, parse_json
from bench.clients.reply import assemble, short, without_key
from bench.key import sealed
from bench.model import NOT_KEPT, Connection, Endpoint, Reply, Request
from bench.units import NS_PER_S
from bench.wire.clock import now_ns
from bench.wire.record import Arrival, Record

_GRACE_NS = 2 * NS_PER_S
"""How long curl may outlive its own ``--max-time`` before it is killed."""

_READ_BYTES = 65_536
_LONGEST_S = 1e6


class CurlClient:
    """One curl per request; no retries, no redirects, no configuration file, no environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._program = find_program("curl", "apt install curl, or leave the client out")
        self._process: subprocess.Popen[bytes] | None = None
        self._interrupted = False

    @sealed
    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        self._interrupted = False
        with tempfile.TemporaryFile() as body:
            body.write(request.body)
            body.flush()
            told = self._run(endpoint, request, body)
        exchange = _understand(told, request, pinned=endpoint.connect is not None)
        exchange.record.cancelled = self._interrupted
        reply = assemble(exchange, request, dt.datetime.now(dt.UTC))
        # Its stamps are an application's; only the other layers' columns would claim more.
        reply = replace(reply, ttfb_app_ns=reply.ttfb_ns, ttfb_socket_ns=None, reused=False)
        layer = None if reply.ttfb_layer is None else "app"
        flags = " ".join(filter(None, (reply.flags, NOT_KEPT if connection == "warm" else None)))
        untold = exchange.head is None and not told.report()
        phase = None if untold else reply.failed_phase
        reply = replace(reply, ttfb_layer=layer, flags=flags or None, failed_phase=phase)
        return without_key(reply, self._settings.key)

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        self._interrupted = True
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Nothing is kept."""

    def _run(self, endpoint: Endpoint, request: Request, body: IO[bytes]) -> _Told:
        settings, fd = self._settings, body.fileno()
        lines = config(settings, ca_file(settings), endpoint, request, f"/dev/fd/{fd}")
        process = start([self._program, "-q", "--config", "-"], {}, [fd], leashed=True)
        self._process = process
        try:
            if self._interrupted:
                process.kill()
            deadline_ns = now_ns() + round(settings.timeout_s * NS_PER_S) + _GRACE_NS
            told = _listen(process, lines, deadline_ns)
        finally:
            self._process = None
            code = end(process)
        told.code = code
        return told


@dataclass(slots=True)
class _Told:
    """What curl said on stdout and stderr, each piece with the time at which it was there."""

    out: list[tuple[int, bytes]] = field(default_factory=list)
    err: list[tuple[int, bytes]] = field(default_factory=list)
    code: int = 0
    overdue: bool = False
    too_large: bool = False

    def report(self) -> dict[str, Any]:
        """curl's own JSON; empty when it was killed before it could write it."""
        found = parse_json(b"".join(data for _, data in self.err))
        return found if isinstance(found, dict) else {}


def _listen(process: subprocess.Popen[bytes], lines: bytes, deadline_ns: int) -> _Told:
    """Give curl its configuration and read it to its end."""
    told, size = _Told(), 0
    assert process.stdin is not None  # noqa: S101  # pipes were asked for
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(lines)
    with selectors.DefaultSelector() as selector:
        for pipe, heard in ((process.stdout, told.out), (process.stderr, told.err)):
            assert pipe is not None  # noqa: S101  # pipes were asked for
            selector.register(pipe, selectors.EVENT_READ, heard)
        while selector.get_map():
            ready = selector.select(max(0, deadline_ns - now_ns()) / NS_PER_S)
            size += _take(selector, ready)
            told.overdue = not ready
            told.too_large = size > MAX_BODY_BYTES
            if told.overdue or told.too_large:
                process.kill()
                break
    return told


def _take(selector: selectors.BaseSelector, ready: list[tuple[selectors.SelectorKey, int]]) -> int:
    """Read each pipe that has something; how many bytes that were."""
    size = 0
    for key, _ in ready:
        data = os.read(key.fd, _READ_BYTES)
        if data:
            key.data.append((now_ns(), data))
            size += len(data)
        else:
            selector.unregister(key.fileobj)
    return size


def _understand(told: _Told, request: Request, *, pinned: bool) -> Exchange:
    report = told.report()
    record = Record(deadline_ns=0, phase=reached(report, pinned=pinned), reused=False)
    exchange = Exchange(record)
    exchange.head, pieces = split_heads(told.out)
    stamps = None if exchange.head is None else [at_ns for at_ns, _ in pieces]
    _mark(record, report, told, stamps, pinned=pinned)
    if stamps is not None and not report:
        record.phase = "body"  # it was killed, and says nothing of its times
    streamed = exchange.head is not None and streams(request, exchange.head)
    if exchange.head is not None and not streamed and record.arrivals:
        ended_ns = _began(report, told) + _ns(report, "time_total")
        record.arrivals.append(Arrival(ended_ns, None, None))
    numbered = [(number, data) for number, (_, data) in enumerate(pieces, start=1)]
    take_answer(exchange, request, numbered, whole=told.code == 0)
    record.bytes_in = sum(len(data) for _, data in told.out)
    _note(exchange, told, report)
    return exchange


def _mark(
    record: Record, report: dict[str, Any], told: _Told, stamps: list[int] | None, *, pinned: bool
) -> None:
    """curl's own times of the phases, and our stamps of the body (None without a whole head), on
    one clock."""
    looked_up, connected, shaken = (
        _ns(report, name) for name in ("time_namelookup", "time_connect", "time_appconnect")
    )
    record.dns_ns = looked_up if looked_up and not pinned else None
    record.tcp_ns = connected - looked_up if connected else None
    record.tls_ns = shaken - connected if shaken else None
    address = report.get("remote_ip")
    record.peer_ip = short(address) if isinstance(address, str) else None
    if not _ns(report, "time_pretransfer"):
        return
    began_ns = _began(report, told)
    # What a pinned address took to "look up" is a part of no phase, and so not of the lead.
    record.sent_ns = began_ns + record.lead_ns
    if stamps is not None:
        first_ns = began_ns + _ns(report, "time_starttransfer")
        heard_ns = first_ns if _has_start(report) else told.out[0][0]
        record.arrivals = [Arrival(ns, None, None) for ns in (heard_ns, *stamps)]
        record.first = 0


def _has_start(report: dict[str, Any]) -> bool:
    """Over HTTP/2 curl 7 stamps the answer's start when it has sent the request."""
    return str(report.get("http_version")).startswith("1")


def _began(report: dict[str, Any], told: _Told) -> int:
    """When curl's clock began, on ours.

    We see what it writes a little after the moment that it stamped: the least late of two tells.
    """
    seen = [told.err[-1][0] - _ns(report, "time_total")]
    if _has_start(report) and told.out:
        seen.append(told.out[0][0] - _ns(report, "time_starttransfer"))
    return min(seen)


def _ns(report: dict[str, Any], name: str) -> int:
    value = report.get(name)
    if not isinstance(value, (int, float)) or not 0 <= value < _LONGEST_S:
        return 0
    return round(value * NS_PER_S)


def _note(exchange: Exchange, told: _Told, report: dict[str, Any]) -> None:
    """curl's exit code as an outcome."""
    if told.too_large:
        exchange.facts.fail("protocol_error", f"a body of more than {MAX_BODY_BYTES} bytes")
    elif told.overdue:
        exchange.facts.lose("timeout", "the deadline passed, and curl did not end")
    elif told.code:
        text = str(report.get("errormsg") or "")
        outcome, phase = exit_fault(told.code, text, exchange.record)
        exchange.facts.lose(outcome, f"curl exit {told.code}: {clean(text)}")
        exchange.record.phase = phase
    elif exchange.head is None:
        exchange.facts.lose("truncated", "the connection ended within the header")
