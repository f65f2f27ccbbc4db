"""Many requests in flight, 20 ms each: threads, tasks and programs, on as many connections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.fidelity_contestants import (
    KERNEL,
    Contestant,
    Ours,
    PlainHttpx,
    absent,
    url,
)
from tests.benchmarks.fidelity_figures import Cell, Figure, Sheet, figure
from tests.benchmarks.fidelity_tools import Block, installed, tool_biases
from tests.lab.lab import Lab

SIZES = (10, 50)
DELAY_MS = 20.0
_PATIENCE_S = 60.0

_Asked = list[tuple[str, str, int]]
"""Layer, id, measured time to the first byte."""


def crowd(sheet: Sheet, lab: Lab, folder: Path, *, quick: bool) -> list[Figure]:
    """Everyone with 10 and with 50 in flight; the goal is for 50."""
    requests, rounds = (100, 1) if quick else (600, 2)
    for size in SIZES:
        for turn in range(rounds):
            for ask in _askers():
                _keep(sheet, lab, turn, size, ask(lab, size, requests // size))
            for tool in installed():
                if tool != "curl":
                    block = Block(f"{tool}-{size}-{turn}", DELAY_MS, requests, size)
                    sheet.add(_cell(size, tool), turn, *tool_biases(tool, lab, block, folder))
                    lab.forget()
    p99_ms = sheet.us(_cell(50, KERNEL), 0.99) / 1000
    return [figure("50 in flight, kernel bias p99", p99_ms, 0.3, "ms")]


def _askers() -> list[Callable[[Lab, int, int], _Asked]]:
    found: list[Callable[[Lab, int, int], _Asked]] = [
        partial(_threads, Ours),
        partial(_threads, PlainHttpx),
        _async_httpx,
    ]
    return found if absent() else [*found, _aiohttp]


def _cell(size: int, who: str) -> Cell:
    return Cell("idle", f"{size} in flight", who)


def _keep(sheet: Sheet, lab: Lab, turn: int, size: int, asked: _Asked) -> None:
    truths = lab.truths()
    for layer, name, ns in asked:
        (truth,) = truths[name]
        sheet.add(_cell(size, layer), turn, [ns - truth.delay_ns], [ns - truth.user_delay_ns])
    lab.forget()


def _threads(make: Callable[[Lab], Contestant], lab: Lab, size: int, each: int) -> _Asked:
    """A thread and a client per request in flight."""
    asked: _Asked = []
    ready = threading.Barrier(size, timeout=_PATIENCE_S)

    def work(number: int) -> None:
        client = make(lab)
        client.ask("warmup", 1.0)
        ready.wait()
        for turn in range(each):
            name = f"{number}-{turn}"
            asked.extend((layer, name, ns) for layer, ns in client.ask(name, DELAY_MS).items())
        client.close()

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(size)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(_PATIENCE_S)
    layers = 3 if make is Ours else 1
    assert len(asked) == size * each * layers, "a worker failed"
    return asked


_Timed = Callable[[str], Any]


async def _tasks(lab: Lab, label: str, size: int, each: int, timed: _Timed) -> _Asked:
    """A task per request in flight."""
    asked: _Asked = []

    async def work(number: int) -> None:
        for turn in range(each):
            name = f"{number}-{turn}"
            asked.append((label, name, await timed(url(lab, name, DELAY_MS))))

    await asyncio.gather(*(timed(url(lab, "warmup", 5.0)) for _ in range(size)))
    await asyncio.gather(*(work(number) for number in range(size)))
    return asked


def _async_httpx(lab: Lab, size: int, each: int) -> _Asked:
    async def run() -> _Asked:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(
            verify=lab.context, trust_env=False, timeout=30, limits=limits
        ) as client:

            async def timed(target: str) -> int:
                began_ns = time.perf_counter_ns()
                async with client.stream("GET", target) as response:
                    seen_ns = time.perf_counter_ns() - began_ns
                    await response.aread()
                return seen_ns

            return await _tasks(lab, "httpx async", size, each, timed)

    return asyncio.run(run())


def _aiohttp(lab: Lab, size: int, each: int) -> _Asked:
    library: Any = import_module("aiohttp")

    async def run() -> _Asked:
        connector = library.TCPConnector(ssl=lab.context, limit=0)
        async with library.ClientSession(connector=connector) as client:

            async def timed(target: str) -> int:
                began_ns = time.perf_counter_ns()
                async with client.get(target) as response:
                    seen_ns = time.perf_counter_ns() - began_ns
                    await response.read()
                return seen_ns

            return await _tasks(lab, "aiohttp", size, each, timed)

    return asyncio.run(run())
