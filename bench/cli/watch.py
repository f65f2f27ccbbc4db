"""``regionbench watch``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.consent import agree_on_cost
from bench.cli.letters import printable
from bench.cli.measuring import announce_daily
from bench.cli.options import (
    Duration,
    batch_options,
    catalogue_options,
    place_options,
    plan_from,
    plan_options,
    where_from,
)
from bench.cli.progress import animates
from bench.cli.shell import tell
from bench.errors import INTERRUPTED, OK, PlanError
from bench.prepare import open_catalogue

if TYPE_CHECKING:
    from bench.watch import Ended, Orders

_CLEAR = "\r\x1b[K"
"""To the start of the line, and nothing on it: ours alone, `tell` lets no text do that."""

CHEAP = ("chat", "models")
"""What is asked unless the plan says otherwise: the list of models costs nothing, and tells network
from thinking, without which nobody knows where the global endpoint sends requests."""


@click.command()
@click.argument("plan", required=False, type=click.Path(path_type=Path))
@click.option(
    "--every", "every_s", type=Duration(), default="60s", show_default=True,
    help="A round so often, give or take a tenth.",
)  # fmt: skip
@click.option(
    "--rotate", "rotate_s", type=Duration(), default="1h", show_default=True,
    help="A new run folder so often; the finished one is judged against those before it.",
)  # fmt: skip
@click.option("--for", "for_s", type=Duration(), help="End after so long; default: until Ctrl-C.")
@click.option(
    "--keep", "keep_s", type=Duration(),
    help="Remove run folders of watches that are older, never a baseline: 30d.",
)  # fmt: skip
@click.option(
    "--max-usd-per-day", "day_usd", type=click.FloatRange(min=0, min_open=True),
    help="Rest until the next day (UTC) before more is spent.",
)  # fmt: skip
@click.option(
    "--listen", default="127.0.0.1:9464", show_default=True, metavar="HOST:PORT",
    help="Where Prometheus finds /metrics; this machine only, unless you say otherwise.",
)  # fmt: skip
@click.option(
    "--write-dashboards", type=click.Path(path_type=Path), metavar="DIR",
    help="Write the Grafana dashboard, alert rules and scrape configuration, and end.",
)  # fmt: skip
@catalogue_options
@plan_options
@batch_options
@place_options
def watch(plan: Path | None, listen: str, write_dashboards: Path | None, **given: Any) -> int:
    """Keep measuring: a round every minute, a run folder every hour, metrics for Prometheus.

    PLAN is a TOML file (`regionbench init` writes one); options win over it. Asks for a streamed
    chat and the list of models, unless the plan says otherwise. Each finished folder is a run like
    any other, and is judged against those before it; a verdict never ends the watch.

    Ctrl-C ends it and keeps what was measured (130); --for ends it with 0.
    """
    from bench.watch import Watch, prepare_watch, write_kit

    if write_dashboards is not None:
        for path in write_kit(write_dashboards):
            print(path)
        return OK
    orders = _orders(listen, given)
    where = where_from(given)
    if given["rounds"] is not None:
        raise PlanError("--rounds: a watch asks until it is ended; say --every and --for")
    asked = plan_from(plan, given if plan or given["kinds"] else {**given, "kinds": CHEAP})
    with open_catalogue(asked, where) as catalogue:
        prepared = prepare_watch(asked, catalogue, where, orders.day_usd)
        day = announce_daily(prepared, where, orders.rhythm.every_s)
        if orders.day_usd is None:
            agree_on_cost(day, where, " a day")
        if orders.address.open:
            tell(f"Whoever reaches this machine can read its metrics: --listen {orders.address}")
        ended = Watch(prepared, where, orders, Terminal()).run()
    return _tell_end(ended, where.results)


def _orders(listen: str, given: dict[str, Any]) -> Orders:
    from bench.watch import Orders, Rhythm, parse_address

    rhythm = Rhythm(given.pop("every_s"), given.pop("rotate_s"), given["seed"] or 1)
    names = ("for_s", "keep_s", "day_usd")
    return Orders(rhythm, parse_address(listen), **{name: given.pop(name) for name in names})


def _tell_end(ended: Ended, results: Path) -> int:
    if ended.reason is not None:
        tell(f"Stopped: {ended.reason}.")
    folders = f"{ended.folders} run folder{'' if ended.folders == 1 else 's'}"
    tell(f"{ended.rows} rows in {folders}: regionbench history --results {results}")
    return INTERRUPTED if ended.status == "interrupted" else OK


class Terminal:
    """Lines on stderr; on a terminal, under them one that is written again after every round."""

    def __init__(self) -> None:
        self._out = sys.stderr
        self._animates = animates(self._out)
        self._first = True

    def line(self, text: str) -> None:
        """See `bench.watch.Voice`."""
        self._clear()
        tell(text)

    def status(self, text: str) -> None:
        """See `bench.watch.Voice`; into a file, the first one alone: it works."""
        if self._animates:
            width = shutil.get_terminal_size().columns - 1
            self._clear()
            print(printable(text)[:width], end="", file=self._out, flush=True)
        elif self._first:
            tell(text)
        self._first = False

    def _clear(self) -> None:
        if self._animates:
            print(_CLEAR, end="", file=self._out)
