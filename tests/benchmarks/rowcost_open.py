"""An open loop at 200 requests a second over five endpoints: how late do requests start?

The command itself in a process of its own, on one machine with its server, whose share of the cores
is told. The fleet keeps one of two cores busy, for it spins before each of its moments; so what it
says is recorded, and said again by a server that costs little: there the goal holds for two cores.
Beside each a process that does nothing but sleep until such moments: what it is late by is the
machine's own share, which no harness can undo. So there are several turns, and the figures are
medians over those in which the machine was quiet: the sleeper's p99 within half the goal. All turns
are listed, and the p99 of all their requests together is told.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bench
from bench.simulator import Fleet
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.rowcost_replay import replay
from tests.benchmarks.turns import ROOT

RATE = 200.0
ENDPOINTS = 5
IN_FLIGHT = 32
LATE_MS = 5.0

_USED = slice(11, 13)
"""User and system time, among what follows a process's name in /proc."""

_ASKED: dict[str, object] = {
    "model": "quick",
    "messages": [{"role": "user", "content": "Name a planet."}],
    "max_tokens": 16,
    "stream": True,
    "stream_options": {"include_usage": True},
}

_ONE_CORE = ("-m", "bench")
_EVERY_CORE = (
    "-c",
    "import sys, bench.core; from bench.cli import main; bench.core._affinity = frozenset;"
    " sys.exit(main(sys.argv[1:]))",
)
"""The command as it is, and with its workers wherever the system puts them."""

_SPREAD = ", every core"

_SLEEPER = """\
import json, select, sys, time
late_ms, due_s, step_s = [], time.monotonic(), 1 / float(sys.argv[1])
while not select.select([sys.stdin], [], [], 0)[0]:
    due_s += step_s
    time.sleep(max(0.0, due_s - time.monotonic()))
    late_ms.append(1e3 * (time.monotonic() - due_s))
print(json.dumps(late_ms))
"""

PROFILE = """\
about = "Four regions that think for 20 ms, and the endpoint in front of them."
edge_rtt_ms = 0.0

[defaults]
capacity = 200
cache_factor = 1.0
rtt_ms = 1.0
latitude = 0.0
longitude = 0.0
models = ["quick"]
service = { ttft_ms = 20.0, sigma = 0.1, token_ms = 1.0, token_sigma = 0.0 }
background_load = { calm = 0.0 }

[[regions]]
name = "a"
[[regions]]
name = "b"
[[regions]]
name = "c"
[[regions]]
name = "d"

[[models]]
id = "quick"
created = 1775001600
fingerprint = "fp_0000000000"
usd_per_million = { input = 1.0, cached_input = 1.0, output = 1.0 }
efforts = ["none"]
reasoning_tokens = 0
completion_tokens = 8
"""


def open_loop(folder: Path, seconds: float, turns: int) -> Result:
    """The command against the fleet itself, then in ``turns`` against what it had said."""
    profile, said = folder / "open.toml", folder / "said"
    profile.write_text(PROFILE, encoding="utf-8")
    said.mkdir()
    rounds = round(RATE * seconds / ENDPOINTS)
    with Fleet.start(profile=profile) as fleet:
        busy = _turn("the fleet", fleet.catalogue, folder / "busy", rounds, _ONE_CORE)
        with replay(fleet, said, _ASKED) as catalogue:
            fleet.stop()
            pairs = [
                [
                    _turn(f"what it had said{where}", catalogue, folder / f"{turn}{where}", rounds,
                          command)
                    for where, command in (("", _ONE_CORE), (_SPREAD, _EVERY_CORE))
                ]
                for turn in range(turns)
            ]  # fmt: skip
    light, spread = zip(*pairs, strict=True)
    figures = [*_figures(light), *_compared(light, spread), *_told(busy)]
    return Result(figures, [_line(turn) for turn in (busy, *light, *spread)])


@dataclass(frozen=True, slots=True)
class _Turn:
    """One run of the command: its rows, how late a sleeper beside it was, and the cores."""

    server: str
    rows: pd.DataFrame
    sleeper_ms: pd.Series[float]
    client_cores: float
    server_cores: float

    @property
    def late_ms(self) -> pd.Series[float]:
        """Of the rows that know it."""
        return self.rows["late_ns"].dropna().astype("int64") / 1e6

    def late(self, q: float) -> float:
        """That quantile of it, in ms."""
        return float(self.late_ms.quantile(q))

    @property
    def sleeper_p99_ms(self) -> float:
        """The machine's own share."""
        return float(self.sleeper_ms.quantile(0.99))


def _turn(
    server: str, catalogue: Path, results: Path, rounds: int, command: Sequence[str]
) -> _Turn:
    client_s, server_s, began = _ended_s(), _running_s(), time.monotonic()
    with _sleeper() as late_ms:
        _ask(catalogue, results, rounds, command)
        client_s, took_s = _ended_s() - client_s, time.monotonic() - began
    server_s = _running_s() - server_s
    rows = bench.load(results)
    return _Turn(
        server, rows[~rows["warmup"]], pd.Series(late_ms), client_s / took_s, server_s / took_s
    )


@contextmanager
def _sleeper() -> Iterator[list[float]]:
    """Sleeps beside what is in the context; how late it was each time is known after it."""
    late_ms: list[float] = []
    command = [sys.executable, "-c", _SLEEPER, f"{RATE:g}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield late_ms
    finally:
        late_ms += json.loads(process.communicate(timeout=10)[0])


def _ask(catalogue: Path, results: Path, rounds: int, command: Sequence[str]) -> None:
    command = [
        *(sys.executable, *command, "run", "--catalogue", str(catalogue), "--yes"),
        *("--rate", f"{RATE:g}", "--rounds", str(rounds), "--concurrency", str(IN_FLIGHT)),
        *("--results", str(results), "--no-calibrate", "--no-report", "--json"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=results.parent, env=environment, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])


def _ended_s() -> float:
    """CPU time of the children that are over: of the command, once it is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _running_s() -> float:
    """CPU time of the children that still run: of the server."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{pid}/stat").read_text() for pid in children]
    ticks = sum(int(text) for line in lines for text in line.rpartition(")")[2].split()[_USED])
    return ticks / os.sysconf("SC_CLK_TCK")


def _line(turn: _Turn) -> dict[str, Any]:
    rows = turn.rows
    return {
        "open loop": f"{RATE:g}/s over {rows['endpoint'].nunique()} endpoints",
        "server": turn.server,
        "requests": len(rows),
        "failed": int((rows["outcome"] != "ok").sum()),
        "late ms p50": round(turn.late(0.5), 3),
        "p90": round(turn.late(0.9), 3),
        "p99": round(turn.late(0.99), 3),
        "max": round(turn.late(1), 2),
        "sleeper's p99": round(turn.sleeper_p99_ms, 3),
        "cores client": round(turn.client_cores, 2),
        "cores server": round(turn.server_cores, 2),
    }


def _figures(turns: Sequence[_Turn]) -> Iterator[Figure]:
    quiet = [turn for turn in turns if turn.sleeper_p99_ms <= LATE_MS / 2]
    yield Figure("open loop, turns on a quiet machine", len(quiet), f"of {len(turns)}")
    quiet = quiet or [*turns]
    yield Figure("open loop, start lateness p50", _median(turn.late(0.5) for turn in quiet), "ms")
    p99_ms = _median(turn.late(0.99) for turn in quiet)
    yield Figure("open loop, start lateness p99", p99_ms, "ms", LATE_MS)
    yield Figure("open loop, start lateness max", _median(turn.late(1) for turn in quiet), "ms")
    sleeper_ms = _median(turn.sleeper_p99_ms for turn in quiet)
    yield Figure("open loop, a sleeper's p99 beside it", sleeper_ms, "ms")
    together_ms = float(pd.concat([turn.late_ms for turn in turns]).quantile(0.99))
    yield Figure("open loop, p99 of all turns together", together_ms, "ms")
    rate = min(_rate(turn.rows) for turn in turns)
    yield Figure("open loop, requests a second", rate, "1/s", 0.99 * RATE, True)
    missing = sum(len(turn.rows) - len(turn.late_ms) for turn in turns)
    yield Figure("open loop, rows without their lateness", missing, "", 0, timed=False)


def _compared(light: Sequence[_Turn], spread: Sequence[_Turn]) -> Iterator[Figure]:
    """What one core for all workers is worth: each turn against the one after it."""
    for name, q in (("p50", 0.5), ("p99", 0.99)):
        ratio = _median(b.late(q) / a.late(q) for a, b in zip(light, spread, strict=True))
        yield Figure(f"lateness {name}, workers on every core / on one", ratio, "×")


def _median(values: Iterable[float]) -> float:
    return float(np.median([*values]))


def _told(turn: _Turn) -> Iterator[Figure]:
    """Of the run whose server takes a core: told, and no goal but the rate."""
    yield Figure("fleet on the same cores, lateness p99", turn.late(0.99), "ms")
    rate = _rate(turn.rows)
    yield Figure("fleet on the same cores, requests a second", rate, "1/s", 0.99 * RATE, True)


def _rate(rows: pd.DataFrame) -> float:
    started = pd.to_datetime(rows["started_at"])
    return float((len(rows) - 1) / (started.max() - started.min()).total_seconds())
