"""A watch of two hours on a clock that runs faster, with outages: what does it lose, and keep?

    python -m tests.benchmarks.watch [--json] [--quick]

The clock that decides when rounds begin and run folders are full is fast (20 times, with --quick
300 times); requests are really sent, to a real fleet, over links that are broken and mended, and
time-outs and latencies are real ones. Meanwhile one region is cut off, everything is swallowed,
the machine sleeps for ten minutes (by its clocks), nothing can be reached, the process is stopped,
and the clock is set. The fleet's own log, the rows and the last scrape must then tell the same.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from bench.catalogue import load_catalogue
from bench.model import GAP, NOT_ASKED
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.store import StoredRun
from bench.watch import Address, Orders, Rhythm, Watch, prepare_watch
from tests.benchmarks.figures import Figure, Result, run
from tests.profiles import TWO_REGIONS
from tests.watch_judge import (
    disagreements,
    expected,
    gaps,
    lost,
    missed_rounds,
    missing,
    stored,
)
from tests.watch_kit import FastClock, Link, network, parsed, scrape, value

HOURS = 2.0
TIMEOUT_S = 0.5
SLEPT_S, SET_S, STOPPED_S = 600.0, 3600.0, 3.0
METRICS = "last-scrape.txt"


@dataclass(frozen=True)
class Tempo:
    """How fast the clock runs, and by it how often a round and a run folder begin."""

    speed: float
    every_s: float
    rotate_s: float


FULL = Tempo(speed=20, every_s=3, rotate_s=600)
QUICK = Tempo(speed=300, every_s=30, rotate_s=1800)


# The watch, in a process of its own


class Lines:
    """Everything on stdout."""

    def line(self, text: str) -> None:
        """See `bench.watch.Voice`."""
        print(text, flush=True)

    def status(self, text: str) -> None:
        """See `bench.watch.Voice`."""


def child(folder: Path, catalogue: str, tempo: Tempo) -> None:
    """Watch for two hours by the fast clock; SIGUSR1 is a sleep, SIGUSR2 sets the clock."""
    clock = FastClock(tempo.speed)
    plan = make_plan(catalogue=catalogue, timeout_s=TIMEOUT_S)
    where = Where(results=folder / "results", vantage="here")
    prepared = prepare_watch(plan, load_catalogue(catalogue), where)
    rhythm = Rhythm(tempo.every_s, tempo.rotate_s)
    orders = Orders(rhythm, Address(port=0), for_s=HOURS * 3600)

    def sleep(_: int, __: FrameType | None) -> None:
        clock.slept_ns += round(SLEPT_S * 1e9)

    def set_(_: int, __: FrameType | None) -> None:
        clock.set_ns += round(SET_S * 1e9)

    signal.signal(signal.SIGUSR1, sleep)
    signal.signal(signal.SIGUSR2, set_)
    watch = Watch(prepared, where, orders, Lines(), clock)
    watch.run()
    (folder / METRICS).write_bytes(watch.metrics.text("")[1])


# Its parent: breaks things, scrapes, and judges


@dataclass
class Seen:
    """What was seen from outside while it ran; ``at_s`` is by the fast clock."""

    url: str = ""
    lines: list[str] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    scrapes: int = 0
    failed_scrapes: int = 0
    scrape_ms: list[float] = field(default_factory=list)


def _events(
    links: dict[str, Link], process: subprocess.Popen[str]
) -> list[tuple[float, Callable[[], object]]]:
    """(minute by the fast clock, what happens then)."""

    def all_(state: Any) -> None:
        for link in links.values():
            link.set(state)

    def stop() -> None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        process.send_signal(signal.SIGCONT)

    return [
        (20, lambda: links["near"].set("refuses")),
        (28, lambda: links["near"].set("well")),
        (40, lambda: all_("hole")),
        (46, lambda: all_("well")),
        (55, lambda: process.send_signal(signal.SIGUSR1)),
        (70, lambda: all_("refuses")),
        (80, lambda: all_("well")),
        (90, stop),
        (105, lambda: process.send_signal(signal.SIGUSR2)),
    ]


def _watch(folder: Path, tempo: Tempo) -> tuple[Seen, list[str]]:
    """Run it; what was seen, and the requests that the fleet was asked, in its own words."""
    profile = folder / "profile.toml"
    profile.write_text(TWO_REGIONS)
    with Fleet.start(profile, seed=1) as fleet, network(fleet, folder) as (catalogue, links):
        values = map(str, (folder, catalogue, tempo.speed, tempo.every_s, tempo.rotate_s))
        command = [sys.executable, "-m", __spec__.name, "--child", *values]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            seen = _accompany(process, _events(links, process), tempo)
        if process.returncode:
            raise RuntimeError(f"the watch ended with {process.returncode}: {seen.lines[-3:]}")
        asked = [deed["request_id"] for deed in fleet.truth() if deed["model"]]
    return seen, asked


def _accompany(
    process: subprocess.Popen[str],
    events: Sequence[tuple[float, Callable[[], object]]],
    tempo: Tempo,
) -> Seen:
    seen, coming = Seen(), list(events)
    reader = threading.Thread(target=_listen, args=(process, seen))
    reader.start()
    while not seen.url and process.poll() is None:
        time.sleep(0.01)
    began_s, slept_s = time.monotonic(), 0.0
    while process.poll() is None:
        at_s = (time.monotonic() - began_s) * tempo.speed + slept_s
        while coming and at_s >= 60 * coming[0][0]:
            minute, happen = coming.pop(0)
            happen()
            slept_s += SLEPT_S if minute == 55 else 0.0
        _look(process.pid, seen, at_s)
        time.sleep(max(0.05, 10 / tempo.speed))
    reader.join()
    return seen


def _listen(process: subprocess.Popen[str], seen: Seen) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        seen.lines.append(line.strip())
        if line.startswith("Metrics: "):
            seen.url = line.split()[1]


def _look(pid: int, seen: Seen, at_s: float) -> None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        began_s = time.monotonic()
        scrape(seen.url)
    except (OSError, urllib.error.URLError, ValueError, IndexError):
        seen.failed_scrapes += 1  # of a watch that is just ending
        return
    seen.scrapes += 1
    seen.scrape_ms.append(1000 * (time.monotonic() - began_s))
    seen.at_s.append(at_s)
    seen.rss_mb.append(pages * os.sysconf("SC_PAGESIZE") / 1e6)


def _rss_mb(seen: Seen, from_min: float, to_min: float) -> float:
    found = [
        mb
        for at_s, mb in zip(seen.at_s, seen.rss_mb, strict=True)
        if from_min <= at_s / 60 < to_min
    ]
    return statistics.median(found) if found else float("nan")


def _shortest(runs: Sequence[StoredRun], tempo: Tempo) -> float:
    """The shortest time between the beginnings of two rounds, of ``--every``. Warm-ups belong to
    the first round of their folder."""
    firsts: dict[int, float] = {}
    for rows in (one.rows for one in runs):
        first = min(row["round"] for row in rows if not row["warmup"])
        for row in rows:
            began_s = dt.datetime.fromisoformat(row["started_at"]).timestamp()
            number = max(first, row["round"])
            firsts[number] = min(began_s, firsts.get(number, began_s))
    times = sorted(firsts.values())
    return min(b - a for a, b in pairwise(times)) * tempo.speed / tempo.every_s


def measure(arguments: argparse.Namespace) -> Result:
    """Two hours by the fast clock."""
    tempo = QUICK if arguments.quick else FULL
    with tempfile.TemporaryDirectory(prefix="watch-") as name:
        folder = Path(name)
        seen, asked = _watch(folder, tempo)
        runs = stored(folder / "results")
        last = parsed((folder / METRICS).read_text())
    rows = [row for one in runs for row in one.rows]
    without, invented = lost(rows, asked)
    wrong = disagreements(last, expected(runs, {None: "m"}))
    causes = gaps(runs)
    early, late = _rss_mb(seen, 5, 9.5), _rss_mb(seen, 110, 125)
    wanted = {"suspended", "stopped", "slow", "clock_step"}
    slowest = max((r["total_ns"] or 0) / 1e6 for r in rows if r["outcome"] == "ok")
    missed = value(last, "missed_rounds_total")
    figures = [
        Figure("rounds", value(last, "rounds_total") or 0, ""),
        Figure("rows", len(rows), ""),
        Figure("requests that the fleet was asked", len(asked), ""),
        Figure("run folders", len(runs), ""),
        Figure("rows of dead endpoints, not asked", _flagged(rows, NOT_ASKED), ""),
        Figure("rows in whose midst the process stood still", _flagged(rows, GAP), ""),
        Figure("requests asked that no row tells of", without, "", 0, timed=False),
        Figure("answers in rows that the fleet never gave", invented, "", 0, timed=False),
        Figure("rows missing by their numbers", missing(runs), "", 0, timed=False),
        Figure("series that disagree with the rows", len(wrong), "", 0, timed=False),
        Figure("series", len(last), "", 2500, timed=False),
        Figure("kinds of gap not told", len(wanted - set(causes)), "", 0, timed=False),
        Figure(
            "missed rounds in metrics less those in run.json",
            abs((missed or 0) - missed_rounds(runs)),
            *("", 0),
            timed=False,
        ),
        Figure("shortest interval between rounds, of --every", _shortest(runs, tempo), "", 0.5,
               floor=True),
        Figure("slowest answer (the time-out is 500 ms)", slowest, "ms", 1000 * TIMEOUT_S + 100),
        Figure("memory after 5 to 9 minutes, no run folder finished yet", early, "MB"),
        Figure("memory at the end, of that", late / early, "", 1.1),
        Figure("memory at the end, of that, at least", late / early, "", 0.9, floor=True),
        Figure("scrapes", seen.scrapes, ""),
        Figure("scrape and parse, median", statistics.median(seen.scrape_ms), "ms"),
    ]  # fmt: skip
    outcomes = [
        {"endpoint": name, "outcome": outcome, "rows": count} for (name, outcome), count in
        sorted(_outcomes(rows).items())
    ]  # fmt: skip
    notes = [*(f"disagrees: {one}" for one in wrong[:5]), f"gaps: {dict(causes)}"]
    return Result(figures, outcomes, notes)


def _flagged(rows: Sequence[dict[str, Any]], flag: str) -> int:
    return sum(flag in (row["flags"] or "").split() for row in rows)


def _outcomes(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["endpoint"], row["outcome"])
        found[key] = found.get(key, 0) + 1
    return found


def main() -> int:
    """The command, and the watch that it accompanies."""
    if sys.argv[1:2] == ["--child"]:
        folder, catalogue, *tempo = sys.argv[2:]
        child(Path(folder), catalogue, Tempo(*map(float, tempo)))
        return 0
    return run(__doc__ or "", measure)


if __name__ == "__main__":
    sys.exit(main())
