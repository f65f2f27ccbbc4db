"""``regionbench doctor``."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from bench.cli.shell import print_json, say, tell
from bench.doctor import LAYERS, Calibration, Spread, calibrate


@click.command()
@click.option("--requests", default=200, show_default=True, help="Of 20 ms each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def doctor(requests: int, as_json: bool) -> None:
    """Measure the harness on this host, against a local fleet whose delay is known: bias per layer,
    lateness of timers and of waking up, the clock, and whether the host is too noisy."""
    tell(f"Asking a local fleet {requests} times, 20 ms each.")
    found = calibrate(max(1, requests))
    if as_json:
        print_json({"schema_version": 1, "calibration": found.to_dict()})
    else:
        _show(found)


def _show(found: Calibration) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("microseconds", no_wrap=True)
    for head in ("n", "p50", "p90", "p99"):
        table.add_column(head, justify="right", no_wrap=True)
    for layer in LAYERS:
        table.add_row(f"TTFB bias, {layer} layer", *_cells(found.bias.get(layer)))
    table.add_row("waking up late", *_cells(found.wakeup_late))
    table.add_row("timer late, as used", *_cells(found.timer_late))
    table.add_row("timer late, time.sleep", *_cells(found.sleep_late))
    console = Console(highlight=False)
    console.print(table)
    clock = found.clock.get("clocksource") or "unknown"
    say(f"\nClock source {clock}, steps seen: {found.clock_steps}; load {found.load_1m}.")
    say(f"\n{found.verdict.capitalize()} host. {found.advice}")


def _cells(spread: Spread | None) -> tuple[str, ...]:
    if spread is None:
        return ("–", "not here", "–", "–")
    quantiles = (spread.p50_us, spread.p90_us, spread.p99_us)
    return (str(spread.n), *(f"{value:.0f}" for value in quantiles))
