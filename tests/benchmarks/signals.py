"""Ctrl-C and SIGTERM while requests hang: how long does a run take to end, and is all of it there?

    python -m tests.benchmarks.signals [--json] [--quick]

Every client × before the answer begins or within it × warm or cold × one request in flight or
eight. ``drain`` is from the signal to the finished run folder, whose rows are on the disk then;
``exit`` to the end of the process, which by then has said what is kept and how to go on.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.clients import CLIENTS
from bench.errors import INTERRUPTED
from bench.simulator import Fleet
from bench.store import read_run
from tests.benchmarks.figures import Figure, Result
from tests.benchmarks.figures import run as run_benchmark
from tests.benchmarks.killing import until_interrupted
from tests.node import VARIABLE, installed
from tests.profiles import steady

DRAIN_S = 2.0
NEVER_MS = 600_000.0
PLACES = {"before the answer": (NEVER_MS, 1.0), "in the answer": (5.0, NEVER_MS)}
"""Where a request hangs: (time to the first token, between tokens) of the fleet."""

KINDS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S = 300.0
"""A machine at a load of 30 takes minutes to start Python and eight SDKs."""

_LOOK_S = 0.002


@dataclass(frozen=True)
class Case:
    """One run that is interrupted while all that it has in flight hangs."""

    client: str
    place: str
    connection: str
    in_flight: int
    kind: signal.Signals


@dataclass(frozen=True)
class Ended:
    """How it ended. ``wrong`` says what is not as it must be."""

    case: Case
    drain_s: float | None
    exit_s: float | None
    wrong: tuple[str, ...]


def cases(*, quick: bool) -> list[Case]:
    """All of them, or one for each client; the signal alternates."""
    kinds = itertools.cycle(KINDS)
    every = [
        Case(client, place, connection, in_flight, next(kinds))
        for client in CLIENTS
        for place, connection, in_flight in itertools.product(PLACES, ("warm", "cold"), (1, 8))
    ]
    return every[:: len(every) // len(CLIENTS) + 1] if quick else every


def interrupt(case: Case, fleet: Fleet, results: Path) -> Ended:
    """Start it, wait until it hangs, send the signal, look at what is left."""
    with tempfile.TemporaryFile("w+") as said:
        try:
            folder, code, drain_s, exit_s = _interrupted(case, fleet, results, said)
        except TimeoutError as error:
            said.seek(0)
            return Ended(case, None, None, (f"{error}; it said {said.read()}",))
        said.seek(0)
        return Ended(case, drain_s, exit_s, _wrong(case, code, folder, fleet, said.read()))


def _interrupted(
    case: Case, fleet: Fleet, results: Path, said: IO[str]
) -> tuple[Path, int, float, float]:
    process = subprocess.Popen(
        words(case, fleet, results),
        stdout=subprocess.DEVNULL,
        stderr=said,
        env={**os.environ, VARIABLE: str(installed()[0])},
    )
    try:
        folder = _wait_until_it_hangs(case, fleet, results, process)
        began = time.monotonic()
        process.send_signal(case.kind)
        drained = _wait_until_over(folder, process)
        process.wait(_PATIENCE_S)
        ended = time.monotonic()
    finally:
        process.kill()
        process.wait()
    return folder, process.returncode, drained - began, ended - began


def words(case: Case, fleet: Fleet, results: Path) -> list[str]:
    """The command of a case."""
    stream = "--stream" if case.place == "in the answer" else "--no-stream"
    return [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue)),
        *("--results", str(results), "--no-calibrate", "--no-report", "--vantage", "here"),
        *("--client", case.client, "--connection", case.connection, stream, "--endpoints", "slow"),
        *("--concurrency", str(case.in_flight), "--rounds", "20", "--timeout", "300s"),
    ]


def connections(fleet: Fleet) -> int:
    """How many connections stand to a fleet, from anybody."""
    ports = {f"{int(str(end.connect).rpartition(':')[2]):04X}" for end in fleet.endpoints}
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for line in itertools.chain(*tables)]
    return sum(far.rpartition(":")[2] in ports and state == "01" for _, _, far, state, *_ in lines)


def _wait_until_it_hangs(
    case: Case, fleet: Fleet, results: Path, process: subprocess.Popen[bytes]
) -> Path:
    """Every request has a connection, and a moment later still has."""
    until, steady_since = time.monotonic() + _PATIENCE_S, 0.0
    while process.poll() is None and time.monotonic() < until:
        hangs = connections(fleet) == case.in_flight and any(results.glob("*/samples.jsonl"))
        steady_since = (steady_since or time.monotonic()) if hangs else 0.0
        if hangs and time.monotonic() - steady_since > 0.4:
            return next(results.iterdir())
        time.sleep(0.02)
    raise TimeoutError(
        f"{case} never hung: {connections(fleet)} connections, exit code {process.poll()}"
    )


def _wait_until_over(folder: Path, process: subprocess.Popen[bytes]) -> float:
    """When run.json no longer says that it is running: rows are stored and synced then."""
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        if '"status": "running"' not in (folder / "run.json").read_text():
            break
        time.sleep(_LOOK_S)
    return time.monotonic()


def _wrong(case: Case, code: int, folder: Path, fleet: Fleet, said: str) -> tuple[str, ...]:
    kept = f"{case.in_flight} row{'' if case.in_flight == 1 else 's'} kept: {folder}"
    stored = read_run(folder)
    outcomes = [row["outcome"] for row in stored.rows]
    return tuple(
        text
        for text, holds in {
            f"exit code {code}": code == INTERRUPTED,
            f"status {stored.run['status']}": stored.run["status"] == "interrupted",
            f"rows {outcomes}": outcomes == ["cancelled"] * case.in_flight,
            f"told {[c.code for c in stored.cautions]}": len(stored.cautions) == 1,
            f"said {said}": kept in said and f"regionbench report {folder}" in said,
            "a connection was left": connections(fleet) == 0,
        }.items()
        if not holds
    )


def measure(options: argparse.Namespace) -> Result:
    """Every case, one after the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-")))
        fleets = {}
        # A region goes on with what nobody waits for any more: no fleet has capacity for all cases.
        for client, (number, times) in itertools.product(CLIENTS, enumerate(PLACES.values())):
            profile = folder / f"{number}.toml"
            profile.write_text(steady(*times))
            fleet = stack.enter_context(Fleet.start(profile, seed=1))
            fleets[client, list(PLACES)[number]] = fleet
        ended = until_interrupted(
            interrupt(case, fleets[case.client, case.place], folder / f"r{number}")
            for number, case in enumerate(cases(quick=options.quick))
        )
    return Result(_figures(ended), table(ended))


def _figures(ended: Sequence[Ended]) -> list[Figure]:
    count = len(ended)
    wrong = sum(bool(one.wrong) for one in ended)
    return [
        Figure(f"wrong in {count} interrupted runs", wrong, "", goal=0, timed=False),
        Figure("longest drain", _longest(one.drain_s for one in ended), "s", goal=DRAIN_S),
        Figure("longest until the process had ended", _longest(o.exit_s for o in ended), "s"),
    ]


def _longest(times_s: Iterable[float | None]) -> float:
    """Of those that came to hang; the others are wrong, and counted there."""
    return max((time_s for time_s in times_s if time_s is not None), default=0.0)


def table(ended: Sequence[Ended]) -> list[dict[str, Any]]:
    """One line per client and place, with the longest of its cases."""
    return [
        {
            "client": client,
            "hangs": place,
            "runs": len(those),
            "drain s": _longest(one.drain_s for one in those),
            "exit s": _longest(one.exit_s for one in those),
            "wrong": "; ".join(text for one in those for text in one.wrong),
        }
        for client, place in itertools.product(CLIENTS, PLACES)
        if (those := [o for o in ended if (o.case.client, o.case.place) == (client, place)])
    ]


if __name__ == "__main__":
    sys.exit(run_benchmark(__doc__ or "", measure))
