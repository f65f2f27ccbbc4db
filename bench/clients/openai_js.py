"""The OpenAI JavaScript SDK in Node, as a program that uses it sees it.

One Node process per client runs the driver beside this file, which answers one JSON line with
another. Times are Node's own, from the call of the SDK to what it hands up; the TTFB is undici's.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.clients import Settings
from bench.clients.child import ca_file, find_program
from bench.clients.exchange import MAX_BODY_BYTES, Exchange, Piece, streams, take_answer
from bench.clients.handed import HandedUp, as_handed_up
from bench.clients.node import NodeProcess
from bench.clients.outcome import clean
from bench.clients.reply import Head, assemble, without_key
from bench.errors import PlanError
from bench.key import sealed
from bench.model import Connection, Endpoint, Reply, Request
from bench.wire.record import Arrival, Record

MODULES = "REGIONBENCH_NODE_MODULES"
"""The variable that names the node_modules folder with the package openai in it."""

PATHS = {"chat": "/chat/completions", "responses": "/responses"}
DRIVER = Path(__file__).with_suffix(".mjs")
_GRACE_S = 5.0
_START_S = 30.0
_RESETS = ("ECONNRESET", "EPIPE")
_FAMILIES = {"4": 4, "6": 6, "any": 0}


class OpenAiJsClient:
    """One kept connection per endpoint for ``warm``, a new one per request for ``cold``."""

    def __init__(self, settings: Settings) -> None:
        if settings.proxy is not None or settings.http2:
            raise PlanError("client openai-js takes neither a proxy nor --http2; leave one out")
        self._settings = settings
        self._program = find_program("node", "install Node 20 or newer, or leave openai-js out")
        self._modules = find_modules()
        self._node: NodeProcess | None = self._start()
        self._interrupted = False

    @property
    def pid(self) -> int | None:
        """Node's process id; None when there is none."""
        return None if self._node is None else self._node.pid

    @sealed
    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        self._interrupted = False
        if self._node is None:
            self._node = self._start()
        asked = self._asked(endpoint, request, connection)
        told = self._node.ask(asked, self._settings.timeout_s + _GRACE_S)
        if told is None or "failed" in told:
            return self._broken(told)
        exchange, pieces = _understand(told, request)
        exchange.record.cancelled = told.get("aborted") == "interrupt"
        reply = assemble(exchange, request, dt.datetime.now(dt.UTC))
        handed = HandedUp(told["began"], told["events"], told["ended"])
        reply = as_handed_up(reply, request, pieces, handed)
        layer = None if reply.ttfb_layer is None else "app"
        reply = replace(
            reply, ttfb_layer=layer, ttfb_app_ns=_app(told, exchange), ttfb_socket_ns=None
        )
        return without_key(reply, self._settings.key)

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        self._interrupted = True
        if (node := self._node) is not None:
            node.tell({"op": "interrupt"})

    def close(self) -> None:
        """Close every connection: they end with their process."""
        if self._node is not None:
            self._node.close()
            self._node = None

    def _start(self) -> NodeProcess:
        key, ca = self._settings.key, ca_file(self._settings)
        environment = {} if ca is None else {"NODE_EXTRA_CA_CERTS": str(ca)}
        node = NodeProcess([self._program, str(DRIVER)], environment)
        hello = {
            "op": "hello",
            "modules": str(self._modules),
            "secret": key.reveal() if key else None,
            "max_body": MAX_BODY_BYTES,
        }
        answer = node.ask(hello, _START_S)
        if answer is None or "ready" not in answer:
            node.close()
            reason = (answer or {}).get("failed", {}).get("message", "no answer")
            told = clean(str(reason)) if key is None else key.hide(clean(str(reason)))
            raise PlanError(f"client openai-js: its driver did not start: {told}")
        return node

    def _asked(
        self, endpoint: Endpoint, request: Request, connection: Connection
    ) -> dict[str, Any]:
        return {
            "op": "send",
            "endpoint": endpoint.name,
            "base": endpoint.url + request.path.removesuffix(PATHS.get(request.kind, "/models")),
            "pin": _pin(endpoint),
            "family": _FAMILIES[self._settings.family],
            "kind": request.kind,
            "stream": request.streamed,
            "body": json.loads(request.body) if request.body else None,
            "key": request.with_key,
            "cold": connection == "cold",
            "timeout_ms": round(self._settings.timeout_s * 1000),
        }

    def _broken(self, told: Mapping[str, Any] | None) -> Reply:
        """The driver itself failed or fell silent: it goes, the next request has a new one."""
        self.close()
        if self._interrupted:
            return Reply(outcome="cancelled", error="interrupted")
        words = "Node ended or fell silent" if told is None else str(told["failed"])
        return without_key(Reply(outcome="client_fault", error=clean(words)), self._settings.key)


def find_modules(environ: Mapping[str, str] = os.environ) -> Path:
    """The node_modules folder that holds the SDK. Raises PlanError with what to run."""
    named = environ.get(MODULES)
    here = Path.cwd()
    beside = [folder / "node_modules" for folder in (here, DRIVER.parent)]
    for folder in [Path(named)] if named else beside:
        if (folder / "openai" / "package.json").is_file():
            return folder.resolve()
    where = f"{named} ({MODULES})" if named else f"{here / 'node_modules'}"
    raise PlanError(
        f"client openai-js needs the npm package openai, which is not in {where}:"
        f" run `npm install openai`, or set {MODULES} to a node_modules folder that has it"
    )


def _pin(endpoint: Endpoint) -> dict[str, Any] | None:
    if endpoint.connect is None:
        return None
    host, _, port = endpoint.connect.rpartition(":")
    return {"host": (host or port).strip("[]"), "port": int(port) if host else None}


def _understand(told: Mapping[str, Any], request: Request) -> tuple[Exchange, list[Piece]]:
    """What the driver told, as marks, head and facts."""
    exchange = Exchange(_record(told))
    if told.get("status") is not None:
        exchange.head = Head(told["status"], "HTTP/1.1", told["headers"])
    pieces = [(n, base64.b64decode(text)) for n, (_, text) in enumerate(told["pieces"], start=1)]
    take_answer(exchange, request, pieces, whole=told["complete"])
    streamed = exchange.head is not None and streams(request, exchange.head)
    if not streamed and exchange.record.arrivals:
        exchange.record.arrivals.append(Arrival(told["ended"], None, None))
    exchange.record.bytes_in = sum(len(data) for _, data in pieces)
    if exchange.facts.outcome is None and not told["complete"]:
        exchange.facts.lose(*_fault(told))
    elif exchange.facts.outcome is None and told["status"] < 400 and "error" in told:
        exchange.facts.fail("client_fault", str(told["error"]["name"]))
    return exchange, pieces


def _fault(told: Mapping[str, Any]) -> tuple[str, str]:
    """Outcome and words for a request that the transport broke or that was ended."""
    if told.get("aborted"):
        return "timeout", "the deadline passed"
    error = told.get("error") or {"name": "the body did not end", "message": ""}
    code = error.get("code", "")
    words = clean(f"{code or error['name']}: {error['message']}")
    return _outcome(code, told["phase"]), words


def _outcome(code: str, phase: str) -> str:
    """By the phase that was reached, then by the system's, undici's or the parser's code."""
    before = {"dns": "dns_fail", "tcp": "connect_fail", "tls": "tls_fail"}
    if phase in before:
        return before[phase]
    if not code:
        return "client_fault"
    if code.startswith(("HPE_", "UND_ERR_HEADERS_OVERFLOW", "TOO_LARGE")):
        return "protocol_error"
    return "stream_error" if code in _RESETS and phase != "body" else "truncated"


def _record(told: Mapping[str, Any]) -> Record:
    began, opened = told.get("connecting"), Times(told)
    record = Record(deadline_ns=0, phase=told["phase"], reused=began is None)
    record.dns_ns = opened.between("connecting", "lookup")
    record.tcp_ns = opened.between("lookup" if "lookup" in told else "connecting", "connect")
    record.tls_ns = opened.between("connect", "secure")
    record.peer_ip, record.tls_version = told.get("peer"), told.get("tls")
    record.sent_ns = told.get("sent")
    if record.sent_ns is None or told.get("head") is None:
        return record
    stamps = [told["head"], *(at_ns for at_ns, _ in told["pieces"])]
    record.arrivals = [Arrival(ns, None, None) for ns in stamps]
    record.first = 0
    return record


@dataclass(frozen=True, slots=True)
class Times:
    """The driver's marks, any of which may be missing."""

    told: Mapping[str, Any]

    def between(self, first: str, last: str) -> int | None:
        """Nanoseconds from one mark to another."""
        if self.told.get(first) is None or self.told.get(last) is None:
            return None
        return int(self.told[last] - self.told[first])


def _app(told: Mapping[str, Any], exchange: Exchange) -> int | None:
    span = Times(told).between("began", "given")
    return None if span is None else span - exchange.record.lead_ns
