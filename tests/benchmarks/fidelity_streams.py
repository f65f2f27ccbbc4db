"""Streamed tokens on a busy host: a token's arrival less the server's sending of it.

Tokens that shared a read have one time between them and stay out, for everyone: ours say so
themselves, another's are two that came within 0.1 ms of each other.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from typing import Any

import httpx

from bench.clients.http import HttpClient
from tests.benchmarks.fidelity_contestants import KERNEL, PLAIN, SOCKET, absent
from tests.benchmarks.fidelity_figures import Cell, Figure, Sheet, figure
from tests.benchmarks.fidelity_load import busy
from tests.lab.lab import Lab, lab_request
from tests.lab.truth import Truth

TOKENS, DELAY_MS, GAP_MS = 10, 20.0, 10.0
TOGETHER_NS = 100_000
BODY = json.dumps({"model": "lab", "messages": [], "stream": True}).encode()

Lateness = Callable[[Truth], list[int]]
"""What a contestant saw of one stream; given the truth: how late each token was."""


class OurStreams:
    """The product's client with its stamps, or without."""

    def __init__(self, lab: Lab, *, stamps: bool) -> None:
        self.coalesced = 0
        self._lab = lab
        self._client = HttpClient(lab.settings(stamps=stamps))

    def stream(self, name: str) -> Lateness:
        """One stream. Its offsets count from the request's departure."""
        asked = lab_request(name, DELAY_MS, stream=True, tokens=TOKENS, gap_ms=GAP_MS)
        reply = self._client.send(self._lab.endpoint(), asked, "warm")
        assert reply.outcome == "ok", reply
        offsets, shared = reply.token_offsets_ns or (), reply.token_coalesced or ()
        self.coalesced += sum(shared)

        def lateness(truth: Truth) -> list[int]:
            tokens = zip(offsets, truth.tokens_ns, shared, strict=True)
            return [seen - sent for seen, sent, together in tokens if not together]

        return lateness

    def close(self) -> None:
        """End the connection."""
        self._client.close()


class TheirStreams:
    """httpx as a user takes it: the clock read for every chunk."""

    def __init__(self, lab: Lab) -> None:
        self._base = f"https://127.0.0.1:{lab.tls_port}"
        self._client = httpx.Client(verify=lab.context, trust_env=False, timeout=10)

    def stream(self, name: str) -> Lateness:
        """One stream."""
        with self._client.stream("POST", self._base + path(name), content=BODY) as response:
            return absolute(list(_marks(response.iter_raw())))

    def close(self) -> None:
        """End the connection."""
        self._client.close()


class AiohttpStreams:
    """aiohttp on a loop of its own."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._runner = asyncio.Runner()
        self._client: Any = self._runner.run(self._start())

    async def _start(self) -> Any:
        library: Any = import_module("aiohttp")
        return library.ClientSession(connector=library.TCPConnector(ssl=self._lab.context))

    def stream(self, name: str) -> Lateness:
        """One stream."""
        return absolute(self._runner.run(self._read(name)))

    async def _read(self, name: str) -> list[int]:
        marks: list[int] = []
        target = f"https://127.0.0.1:{self._lab.tls_port}{path(name)}"
        async with self._client.post(target, data=BODY) as response:
            async for chunk in response.content.iter_any():
                marks += [time.time_ns()] * chunk.count(b'"content"')
        return marks

    def close(self) -> None:
        """End the connection and the loop."""
        self._runner.run(self._client.close())
        self._runner.close()


def path(name: str) -> str:
    """Where to ask for the stream."""
    query = f"id={name}&delay_ms={DELAY_MS}&tokens={TOKENS}&gap_ms={GAP_MS}"
    return f"/v1/chat/completions?{query}"


def _marks(chunks: Iterator[bytes]) -> Iterator[int]:
    for chunk in chunks:
        now_ns = time.time_ns()
        yield from [now_ns] * chunk.count(b'"content"')


def absolute(marks: list[int]) -> Lateness:
    """Marks on the clock of the server's stamps; those of one read are left out."""

    def alone(index: int) -> bool:
        near = marks[max(0, index - 1) : index + 2]
        return all(
            abs(mark - marks[index]) > TOGETHER_NS
            for position, mark in enumerate(near, max(0, index - 1))
            if position != index
        )

    def lateness(truth: Truth) -> list[int]:
        sent = [truth.rx_ns + ns for ns in truth.tokens_ns]
        pairs = enumerate(zip(marks, sent, strict=True))
        return [seen - true for index, (seen, true) in pairs if alone(index)]

    return lateness


def streams(sheet: Sheet, lab: Lab, *, quick: bool) -> list[Figure]:
    """Contestants in turns, on a busy host."""
    count = 5 if quick else 60
    with (
        closing(OurStreams(lab, stamps=True)) as ours,
        closing(OurStreams(lab, stamps=False)) as fallback,
        closing(TheirStreams(lab)) as theirs,
        busy(),
    ):
        present: dict[str, Any] = {KERNEL: ours, SOCKET: fallback, PLAIN: theirs}
        if not absent():
            present["aiohttp"] = AiohttpStreams(lab)
        for each in present.values():
            each.stream("warmup")
        for number in range(count):
            seen = {who: each.stream(f"s-{who[:16]}-{number}") for who, each in present.items()}
            truths = lab.truths()
            for who, lateness in seen.items():
                (truth,) = truths[f"s-{who[:16]}-{number}"]
                sheet.add(_cell(who), number, lateness(truth))
            lab.forget()
        if "aiohttp" in present:
            present["aiohttp"].close()
    p99_ms = sheet.us(_cell(KERNEL), 0.99) / 1000
    share = ours.coalesced / ((count + 1) * TOKENS)
    return [
        figure("streamed tokens, loaded, kernel p99 after the server's sending", p99_ms, 0.1, "ms"),
        figure("streamed tokens, loaded, left out as coalesced", share * 100, None, "%"),
    ]


def _cell(who: str) -> Cell:
    return Cell("loaded", "streamed tokens", who)
