"""What each client adds: its times less the server's true ones, and the connections it opens.

    python -m tests.benchmarks.clients [--json] [--quick]

All clients ask the same fleet (first token after 20 ms, every time) in the same rounds, in an order
that is drawn anew per round, warm, streamed and at once. Overhead is the client's end-to-end time
less the service time in the fleet's own log: what a caller of that client waits longer than the
server took, a new connection included where the client opens one. Times are those that regionbench
reports: httpx's are the wire's, the SDKs' those of their caller, curl's begin when it runs.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.clients import CLIENTS, Client, Settings, make_client
from bench.errors import PlanError
from bench.key import Key
from bench.model import Endpoint, Reply, Request
from bench.plan import make_plan
from bench.request import build_request, nonce
from bench.simulator import Fleet
from bench.wire.trust import trust
from tests.benchmarks.figures import Figure, Result, run
from tests.node import VARIABLE, installed

ROUNDS, QUICK_ROUNDS, WARM_UP = 300, 6, 3
SEED = 4
Rows = dict[str, list[tuple[bool, Reply]]]


def a_request(number: int, *, stream: bool) -> Request:
    """One question without reasoning, so that the first token is a word of the answer."""
    plan = make_plan(stream=stream)
    own = {"reasoning_effort": "none"}
    text = nonce("clients", number)
    return build_request("chat", plan, api="/v1", model="steady", parameters=own, nonce=text)


def contestants(stack: ExitStack, settings: Settings) -> tuple[dict[str, Client], list[str]]:
    """Every client that can be built here, and why others cannot."""
    folder, reason = installed()
    if folder is not None:
        os.environ[VARIABLE] = str(folder)
    found, missing = {}, [] if folder else [reason]
    for name in CLIENTS:
        try:
            found[name] = stack.enter_context(closing(make_client(name, settings)))
        except (PlanError, ImportError) as error:
            missing.append(f"{name} is not in the table: {error}")
    return found, missing


def interleaved(clients: dict[str, Client], endpoint: Endpoint, rounds: int) -> Rows:
    """Rows of every client, all of them asked in each round, warm-up left out.

    Streams have connections of their own: one that a stream costs is not paid for by the request
    at once that follows it.
    """
    rows: Rows = defaultdict(list)
    lines = {stream: replace(endpoint, name=f"streamed: {stream}") for stream in (True, False)}
    dice = random.Random(SEED)
    for number in range(-WARM_UP, rounds):
        turns = [(name, stream) for name in clients for stream in (True, False)]
        dice.shuffle(turns)
        for name, stream in turns:
            reply = clients[name].send(lines[stream], a_request(number, stream=stream), "warm")
            if number >= 0:
                rows[name].append((stream, reply))
    return rows


@dataclass(frozen=True)
class Overhead:
    """What one client adds, in ms, and how often it opened a connection for a stream."""

    e2e: np.ndarray[Any, np.dtype[np.float64]]
    ttft: np.ndarray[Any, np.dtype[np.float64]]
    opened: float
    failed: int

    @classmethod
    def of(cls, rows: list[tuple[bool, Reply]], truth: dict[str, dict[str, Any]]) -> Overhead:
        """From a client's rows and the fleet's log."""
        e2e, ttft = [], []
        good = [(stream, reply) for stream, reply in rows if reply.outcome == "ok"]
        for stream, reply in good:
            deed = truth[reply.request_id or ""]
            if stream and reply.ttft_ns is not None:
                ttft.append(reply.ttft_ns / 1e6 - deed["queue_ms"] - deed["ttft_ms"])
            elif not stream and reply.total_ns is not None:
                e2e.append(reply.total_ns / 1e6 - deed["queue_ms"] - deed["service_ms"])
        streams = [reply for stream, reply in good if stream]
        opened = 100 * sum(not reply.reused for reply in streams) / max(1, len(streams))
        return cls(np.array(e2e), np.array(ttft), opened, len(rows) - len(good))

    def row(self, name: str) -> dict[str, Any]:
        """The table's line."""
        return {
            "client": name,
            "e2e p50 ms": _quantile(self.e2e, 50),
            "e2e p99 ms": _quantile(self.e2e, 99),
            "TTFT p50 ms": _quantile(self.ttft, 50),
            "TTFT p99 ms": _quantile(self.ttft, 99),
            "new connections per 100 streams": round(self.opened),
        }


def _quantile(values: np.ndarray[Any, np.dtype[np.float64]], q: float) -> float | None:
    return round(float(np.percentile(values, q)), 2) if len(values) else None


def measure(options: argparse.Namespace) -> Result:
    """All clients against one fleet."""
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet.start(profile="steady", seed=SEED))
        settings = Settings(trust(fleet.ca), Key(fleet.key), 20.0, ca=fleet.ca)
        clients, notes = contestants(stack, settings)
        endpoint = next(e for e in fleet.endpoints if e.region is not None)
        rows = interleaved(clients, endpoint, QUICK_ROUNDS if options.quick else ROUNDS)
        truth = {deed["request_id"]: deed for deed in fleet.truth()}
    found = {name: Overhead.of(rows[name], truth) for name in clients}
    figures = [
        Figure("failed requests", sum(o.failed for o in found.values()), "", 0, timed=False),
        Figure("httpx: new connections per 100 streams", found["httpx"].opened, "", 0, timed=False),
        Figure("httpx: e2e beyond the server, p50", float(np.median(found["httpx"].e2e)), "ms", 2),
    ]
    return Result(figures, [found[name].row(name) for name in clients], notes)


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure)


if __name__ == "__main__":
    sys.exit(main())
