"""Where a run stands, on stderr: a table that redraws on a terminal, else a line now and then."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf, isfinite
from typing import TextIO

from rich.console import Console, Group, JustifyMethod
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.cli.letters import knows_every_letter
from bench.model import Sample
from bench.prepare import Prepared
from bench.tally import Tally
from bench.units import format_ms

Seen = Callable[[Sample], None]

_HEARTBEAT_S = 10.0
_HEARTBEATS = 50
_REDRAW_S = 0.1
_BARS = "▁▂▃▄▅▆▇█"
_LOST = "×"
_FEWEST_BARS = 8
_GAP = 2


def tally_of(prepared: Prepared, limit_usd: float | None = None) -> Tally:
    """What `progress` shows, which begins now."""
    return Tally(prepared, time.monotonic, limit_usd)


@contextmanager
def progress(tally: Tally, stream: TextIO | None = None) -> Iterator[Seen]:
    """Gives the function to call with each sample; draws on a terminal, else heartbeats."""
    out = stream or sys.stderr
    if not animates(out):
        yield _heartbeat(tally, out)
        return
    console = Console(file=out, force_terminal=True, highlight=False)
    with Live(table(tally, console), console=console, auto_refresh=False, transient=True) as live:
        # Rich hides the cursor, and who leaves at once (a second Ctrl-C, a kill) never shows it.
        console.show_cursor(True)
        yield _redraw(tally, live, console)


@contextmanager
def lines(tallies: Mapping[str, Tally], stream: TextIO | None = None) -> Iterator[Seen]:
    """As `progress`, a line for each vantage."""
    out = stream or sys.stderr
    if not animates(out):
        beats = {name: _heartbeat(tally, out, f"{name}: ") for name, tally in tallies.items()}
        yield lambda sample: beats[sample.vantage](sample)
        return
    console = Console(file=out, force_terminal=True, highlight=False)
    shown = _lines(tallies, console)
    with Live(shown, console=console, auto_refresh=False, transient=True) as live:
        console.show_cursor(True)
        yield _redraw_lines(tallies, live, console)


def _redraw_lines(tallies: Mapping[str, Tally], live: Live, console: Console) -> Seen:
    last = 0.0

    def seen(sample: Sample) -> None:
        nonlocal last
        tallies[sample.vantage].add(sample)
        if time.monotonic() - last >= _REDRAW_S:
            last = time.monotonic()
            live.update(_lines(tallies, console), refresh=True)

    return seen


def _lines(tallies: Mapping[str, Tally], console: Console) -> Text:
    width = max(map(len, tallies))
    each = [f"{name:<{width}}  {tally.line()}" for name, tally in tallies.items()]
    return Text("\n".join(line[: console.width] for line in each), no_wrap=True)


def animates(out: TextIO) -> bool:
    """Whether ``out`` can redraw; FORCE_COLOR and the like do not make a file a terminal."""
    return out.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _heartbeat(tally: Tally, out: TextIO, who: str = "") -> Seen:
    last = time.monotonic()

    def seen(sample: Sample) -> None:
        nonlocal last
        tally.add(sample)
        patience_s = max(_HEARTBEAT_S, tally.expected_s / _HEARTBEATS)
        if time.monotonic() - last >= patience_s:
            last = time.monotonic()
            print(f"{who}{tally.line()}", file=out, flush=True)

    return seen


def _redraw(tally: Tally, live: Live, console: Console) -> Seen:
    last = 0.0

    def seen(sample: Sample) -> None:
        nonlocal last
        tally.add(sample)
        if time.monotonic() - last >= _REDRAW_S:
            last = time.monotonic()
            live.update(table(tally, console), refresh=True)

    return seen


def table(tally: Tally, console: Console) -> Group:
    """Where the run stands, a line for each endpoint, and what the medians are of."""
    line = Text("\n".join(textwrap.wrap(tally.line(), console.width)))
    metric = Text(f"p50: {tally.metric}", "dim", overflow="ellipsis", no_wrap=True)
    return Group(line, _grid(tally, console), metric)


def _grid(tally: Tally, console: Console) -> Table:
    """As many columns as the terminal is wide enough for."""
    rows = [_cells(tally, name) for name in tally.names]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    if _taken(widths) > console.width:
        del widths["95 %"]
    grid = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for name, width in widths.items():
        side: JustifyMethod = "left" if name == "endpoint" else "right"
        grid.add_column(name, justify=side, no_wrap=True, min_width=width)
    room = console.width - _taken(widths)
    if room >= _FEWEST_BARS and knows_every_letter(console.encoding):
        grid.add_column("latest", no_wrap=True)
        for row in rows:
            row["latest"] = sparkline(list(tally.recent_ms[row["endpoint"]])[-room:])
    for row in rows:
        grid.add_row(*(row[str(column.header)] for column in grid.columns))
    return grid


def _taken(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * len(widths)


def _cells(tally: Tally, name: str) -> dict[str, str]:
    limited = f" ({tally.limited[name]} × 429)" if tally.limited[name] else ""
    ends = tally.interval_ms(name)
    return {
        "endpoint": name,
        "done": f"{tally.done[name]}/{tally.each}",
        "p50": p50(tally, name),
        "95 %": "–" if ends is None else f"{_ms(ends[0])} … {_ms(ends[1])}",
        "failed": f"{tally.failed[name]}{limited}",
    }


def p50(tally: Tally, name: str) -> str:
    """An endpoint's median so far, in words."""
    middle = tally.median_ms(name)
    return "–" if middle is None else _ms(middle)


def _ms(ms: float) -> str:
    return format_ms(ms) if isfinite(ms) else "> timeout"


def sparkline(ms: Sequence[float]) -> str:
    """A bar per value from the least to the most of them; a failure is a cross, not a bar."""
    answered = [value for value in ms if isfinite(value)]
    low, high = min(answered, default=0.0), max(answered, default=0.0)
    scale = (len(_BARS) - 1) / (high - low or inf)
    return "".join(_BARS[round((v - low) * scale)] if isfinite(v) else _LOST for v in ms)
