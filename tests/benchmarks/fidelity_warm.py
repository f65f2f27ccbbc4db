"""One request at a time on a warm connection: contestants in turns, idle and on a busy host."""

from __future__ import annotations

import random
from pathlib import Path

from tests.benchmarks.fidelity_contestants import Contestant, Ours, contestants
from tests.benchmarks.fidelity_figures import Cell, Figure, Sheet, figure, hodges_lehmann_us
from tests.benchmarks.fidelity_load import LOOPS, busy
from tests.benchmarks.fidelity_tools import Block, installed, tool_biases
from tests.lab.lab import Lab

LOADS = {"idle": 0, "loaded": LOOPS}
FULL = {5.0: (6, 50), 20.0: (4, 40), 200.0: (3, 14)}
QUICK = {5.0: (2, 10)}
"""Delay in ms → rounds, and requests of each contestant per round."""

_Asked = list[tuple[str, str, int]]


def warm(sheet: Sheet, lab: Lab, folder: Path, *, quick: bool) -> None:
    """Fill the sheet with all conditions, delays and contestants."""
    chance = random.Random(3)
    with contestants(lab) as present:
        for condition, loops in LOADS.items():
            with busy(loops):
                for delay_ms, (rounds, count) in (QUICK if quick else FULL).items():
                    for turn in range(rounds):
                        where = (condition, delay_ms, turn)
                        _programs(sheet, lab, where, count, folder, chance)
                        _in_turns(sheet, lab, where, count, present, chance)


def _programs(
    sheet: Sheet,
    lab: Lab,
    where: tuple[str, float, int],
    count: int,
    folder: Path,
    chance: random.Random,
) -> None:
    condition, delay_ms, turn = where
    names = installed()
    chance.shuffle(names)
    for name in names:
        block = Block(f"{name}-{condition}-{delay_ms}-{turn}", delay_ms, count + 1)
        cell = Cell(condition, f"{delay_ms:g} ms", name)
        sheet.add(cell, turn, *tool_biases(name, lab, block, folder))
    lab.forget()


def _in_turns(
    sheet: Sheet,
    lab: Lab,
    where: tuple[str, float, int],
    count: int,
    present: dict[str, Contestant],
    chance: random.Random,
) -> None:
    """Each asks once, in an order that changes every time."""
    condition, delay_ms, turn = where
    asked: _Asked = []
    order = list(present)
    for number in range(count):
        chance.shuffle(order)
        for name in order:
            tag = f"{order.index(name)}-{number}"
            asked += [(n, tag, ns) for n, ns in present[name].ask(tag, delay_ms).items()]
    truths = lab.truths()
    for layer, tag, ns in asked:
        (truth,) = truths[tag]
        cell = Cell(condition, f"{delay_ms:g} ms", layer)
        sheet.add(cell, turn, [ns - truth.delay_ns], [ns - truth.user_delay_ns])
    lab.forget()


def apart(lab: Lab, *, quick: bool) -> list[Figure]:
    """Telling 20.0 ms from 20.3 ms on a busy host, with 100 requests each."""
    count = 20 if quick else 100
    seen: dict[float, list[tuple[int, int, int]]] = {20.0: [], 20.3: []}
    client = Ours(lab)
    with busy():
        for number in range(count):
            for delay_ms, found in seen.items():
                reply = client.send(f"apart-{number}", delay_ms)
                layers = (reply.ttfb_kernel_ns, reply.ttfb_socket_ns, reply.ttfb_app_ns)
                found.append(tuple(ns or 0 for ns in layers))  # type: ignore[arg-type]  # as many as it has layers
    client.close()
    figures: list[Figure] = []
    for index, layer in enumerate(("kernel", "socket", "application")):
        near, far = ([row[index] for row in rows] for rows in seen.values())
        figures += _interval(layer, *hodges_lehmann_us(near, far))
    return figures


def _interval(layer: str, shift: float, low: float, high: float) -> list[Figure]:
    goal, name = (30.0 if layer == "kernel" else None), f"20.0 against 20.3 ms, loaded, {layer}"
    outside = max(0.0, low - 300.0, 300.0 - high)
    return [
        figure(f"{name}: difference", shift, None, "µs"),
        figure(f"{name}: width of its 95 % interval", high - low, goal, "µs"),
        figure(f"{name}: 300 µs outside by", outside, None if goal is None else 0.0, "µs"),
    ]
