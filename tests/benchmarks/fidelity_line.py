"""What needs a network of its own: cold connections and think time over the delay line, and the
comparison with a packet capture."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.fidelity_figures import Cell, Figure, Sheet, figure, quantile_us
from tests.benchmarks.fidelity_load import LOOPS, busy
from tests.lab.inside import call_inside, no_line, no_namespace
from tests.lab.journeys import DNS_MS, RTT_MS

TRUE_MS = {"dns": DNS_MS, "tcp": RTT_MS, "tls": RTT_MS}


def line(sheet: Sheet, *, quick: bool) -> list[Figure]:
    """All figures that need namespaces; not measured where there are none."""
    figures = [*_captured(quick=quick)]
    if (reason := no_line()) is not None:
        sheet.notes["delay line"] = reason
        nothing = float("nan")
        names = (*(f"cold, {name} p50 off by" for name in TRUE_MS), "loaded, think time error p99")
        return [*figures, *(figure(name, nothing, 2.0, "ms") for name in names)]
    count = 5 if quick else 40
    for condition, loops in {"idle": 0, "loaded": LOOPS}.items():
        with busy(loops):
            rows = call_inside("tests.lab.journeys:cold", count=count)
            tools = call_inside("tests.lab.journeys:cold_curl", count=count)
            thoughts = call_inside("tests.lab.journeys:think", count=4 * count, delay_ms=5.0)
        _keep_cold(sheet, condition, rows, tools)
        _keep_think(sheet, condition, thoughts)
        if condition == "idle":
            figures += [_off(name, rows) for name in TRUE_MS]
    errors = [abs(ns) for ns in sheet.all(Cell("loaded", "think time", "regionbench kernel"))]
    p99_ms = quantile_us(errors, 0.99) / 1000
    return [*figures, figure("loaded, think time error p99", p99_ms, 0.5, "ms")]


def _off(name: str, rows: list[dict[str, Any]]) -> Figure:
    median_ms = float(np.median([row[f"{name}_ns"] for row in rows])) / 1e6
    off_ms = abs(median_ms - TRUE_MS[name])
    return figure(f"cold, {name} p50 ({median_ms:.2f} ms) off by", off_ms, 2.0, "ms")


def _keep_cold(
    sheet: Sheet, condition: str, rows: list[dict[str, Any]], tools: dict[str, list[int]]
) -> None:
    for name, true_ms in TRUE_MS.items():
        true_ns = round(true_ms * 1e6)
        ours = [row[f"{name}_ns"] - true_ns for row in rows]
        sheet.add(Cell(condition, f"cold, {name}", "regionbench"), 0, ours)
        if tools:
            theirs = [ns - true_ns for ns in tools[name]]
            sheet.add(Cell(condition, f"cold, {name}", "curl"), 0, theirs)
    rtts = [row["rtt_ns"] - round(RTT_MS * 1e6) for row in rows]
    sheet.add(Cell(condition, "cold, tcp", "regionbench TCP_INFO rtt"), 0, rtts)


def _keep_think(sheet: Sheet, condition: str, rows: list[dict[str, int]]) -> None:
    for layer in ("kernel", "socket"):
        errors = [row[f"ttfb_{layer}_ns"] - row["min_rtt_ns"] - row["true_ns"] for row in rows]
        sheet.add(Cell(condition, "think time", f"regionbench {layer}"), 0, errors)


def _captured(*, quick: bool) -> list[Figure]:
    name, goal = "kernel TTFB against a packet capture, p99 difference", 5.0
    if no_namespace() is not None:
        return [figure(name, float("nan"), goal, "µs")]
    pairs = np.array(call_inside("tests.lab.capture:compare", count=30 if quick else 300))
    difference = np.abs(pairs[:, 0] - pairs[:, 1]) / 1000
    return [figure(name, float(np.quantile(difference, 0.99)), goal, "µs")]
