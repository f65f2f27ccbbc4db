"""The OpenAI JavaScript SDK in Node, as a program that uses it sees it.

One Node process per client runs the driver beside this file, which answers one JSON line with
another. Times are Node's own, from the call of the SDK to what it hands up; the TTFB is undici's.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.clients import Settings
from bench.clients.child import ca_file, find_program
from bench.clients.exchange import MAX_BODY_BYTES
from bench.clients.node import NodeProcess
from bench.clients.openai_js_line import reply_of
from bench.clients.outcome import clean
from bench.clients.reply import without_key
from bench.errors import PlanError
from bench.key import sealed
from bench.model import Connection, Endpoint, Reply, Request

MODULES = "REGIONBENCH_NODE_MODULES"
"""The variable that names the node_modules folder with the package openai in it."""

PATHS = {"chat": "/chat/completions", "responses": "/responses"}
DRIVER = Path(__file__).with_suffix(".mjs")
_GRACE_S = 5.0
_START_S = 30.0
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
        reply = reply_of(told, request, dt.datetime.now(dt.UTC))
        return without_key(reply, self._settings.key)

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        self._interrupted = True
        if (node := self._node) is not None:
            node.interrupt({"op": "interrupt"})

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
