"""What a person sees while requests are under way; stderr only."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.model import Sample
from bench.prepare import Prepared
from bench.units import NS_PER_MS, format_ms, format_usd

_HEARTBEAT_S = 10.0
_REDRAW_S = 0.1
_RECENT = 24
_BARS = "▁▂▃▄▅▆▇█"


class Tally:
    """Counts and recent latencies per endpoint, for display only."""

    def __init__(self, prepared: Prepared) -> None:
        self.total = prepared.scheduled
        self.names = [endpoint.name for endpoint in prepared.endpoints]
        self.each = self.total // max(1, len(self.names))
        self.done: dict[str, int] = defaultdict(int)
        self.failed: dict[str, int] = defaultdict(int)
        self.limited: dict[str, int] = defaultdict(int)
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.usd = 0.0
        self.began = time.monotonic()

    def add(self, sample: Sample) -> None:
        """Count one row."""
        name = sample.endpoint
        self.done[name] += 1
        self.usd += sample.cost_usd or 0.0
        self.failed[name] += sample.outcome not in ("ok", "cancelled")
        self.limited[name] += sample.outcome == "rate_limited"
        latency = sample.ttft_ns or sample.total_ns
        if sample.outcome == "ok" and latency and not sample.warmup:
            self.latencies[name].append(latency / NS_PER_MS)

    @property
    def count(self) -> int:
        """Requests that ended."""
        return sum(self.done.values())

    def left(self) -> str:
        """Time left in words, once there is something to tell from."""
        if self.count < 3 * len(self.names):
            return ""
        seconds = (time.monotonic() - self.began) / self.count * (self.total - self.count)
        return (
            f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
        )

    def line(self) -> str:
        """One self-contained line."""
        parts = [f"{self.count}/{self.total} requests", f"{sum(self.failed.values())} failed"]
        parts += [format_usd(self.usd)] if self.usd else []
        return ", ".join([*parts, *([left] if (left := self.left()) else [])])


@contextmanager
def progress(prepared: Prepared, stream: TextIO | None = None) -> Iterator[Any]:
    """Gives the function to call with each sample; draws on a terminal, else heartbeats."""
    out = stream or sys.stderr
    tally = Tally(prepared)
    if not _animates(out):
        yield _heartbeat(tally, out)
        return
    console = Console(file=out, force_terminal=True, highlight=False)
    with Live(_table(tally, console), console=console, auto_refresh=False, transient=True) as live:
        yield _redraw(tally, live, console)


def _animates(out: TextIO) -> bool:
    return out.isatty() and os.environ.get("TERM") != "dumb"


def _heartbeat(tally: Tally, out: TextIO) -> Any:
    last = time.monotonic()

    def seen(sample: Sample) -> None:
        nonlocal last
        tally.add(sample)
        if time.monotonic() - last >= max(_HEARTBEAT_S, (time.monotonic() - tally.began) / 50):
            last = time.monotonic()
            print(tally.line(), file=out, flush=True)

    return seen


def _redraw(tally: Tally, live: Live, console: Console) -> Any:
    last = 0.0

    def seen(sample: Sample) -> None:
        nonlocal last
        tally.add(sample)
        if time.monotonic() - last >= _REDRAW_S:
            last = time.monotonic()
            live.update(_table(tally, console), refresh=True)

    return seen


def _table(tally: Tally, console: Console) -> Group:
    roomy = console.width >= 72
    table = Table(box=None, pad_edge=False)
    table.add_column("endpoint", no_wrap=True)
    for name in ("done", "median", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    if roomy:
        table.add_column("latest", no_wrap=True)
    for name in tally.names:
        table.add_row(*_cells(tally, name, roomy, console))
    return Group(Text(tally.line(), overflow="ellipsis", no_wrap=True), table)


def _cells(tally: Tally, name: str, roomy: bool, console: Console) -> list[str]:
    seen = tally.latencies[name]
    limited = f" ({tally.limited[name]} × 429)" if tally.limited[name] else ""
    cells = [
        name,
        f"{tally.done[name]}/{tally.each}",
        format_ms(statistics.median(seen)) if seen else "–",
        f"{tally.failed[name]}{limited}",
    ]
    return [*cells, _sparkline(seen[-_RECENT:], console)] if roomy else cells


def _sparkline(values: list[float], console: Console) -> str:
    if len(values) < 2 or not (console.encoding or "").startswith("utf"):
        return ""
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low or 1.0)
    return "".join(_BARS[round((value - low) * scale)] for value in values)
