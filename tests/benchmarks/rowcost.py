"""The cost of one row: CPU time beyond plain httpx, where it goes, and an open loop's lateness.

    python -m tests.benchmarks.rowcost [--json] [--quick] [--part {row,added,open}]

Plain httpx and the product take turns in one run, each in a process of its own against one local
fleet: the same bytes asked over a kept connection, and read to their end. CPU time is getrusage's,
user and system, of all threads; what is added is the median over the rounds of the difference
within a round, with the order statistics' 95 % interval. The product is `regionbench run` itself,
its rows written to a real folder and synced.

``added`` asks only what the goals are about, for as many rounds as make the interval narrow: the
goal is held surely when its upper end holds it. The stages between are contestants too, each the
one before and one thing more, so that nothing in the product has to be instrumented. The open loop
is the command itself: see `rowcost_open`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.simulator import Fleet
from bench.stats.quantiles import estimate
from tests.benchmarks.figures import Figure, Result, run
from tests.benchmarks.rowcost_open import open_loop
from tests.benchmarks.rowcost_pieces import pieces
from tests.benchmarks.rowcost_players import PLAIN, READ, RUN, Task
from tests.benchmarks.turns import ROOT
from tests.profiles import at_once

ADDED_MS = 0.4
TURN = 8
SEED = 1

PROFILE = at_once(tokens=500, token_ms=1.5)
"""Tokens 1.5 ms apart: each arrives by itself, as a service's do."""

_STAGES = {
    PLAIN: "plain httpx, the bytes read",
    READ: "plain httpx, its lines and JSON read too",
    "httpx, collected": "garbage collected between requests",
    "wire": "our sockets in place of httpx.Client: stamps, TCP_INFO",
    "client": "events, JSON, the reply",
    "probe": "schedule, admission, request, row",
    RUN: "JSON, checksum, write, fdatasync",
}
"""Contestant → what it does more than the one before; the second is for comparison only."""


@dataclass(frozen=True)
class Case:
    """One kind of answer."""

    name: str
    streamed: bool
    tokens: int
    http2: bool = False
    staged: bool = False
    goal_ms: float | None = None

    @property
    def who(self) -> tuple[str, ...]:
        """Who plays it."""
        return tuple(_STAGES) if self.staged else (PLAIN, RUN)


FEW, MANY = 8, 58
CASES = (
    Case("whole answer", streamed=False, tokens=FEW, staged=True, goal_ms=ADDED_MS),
    Case(f"stream of {FEW} tokens", streamed=True, tokens=FEW, staged=True, goal_ms=ADDED_MS),
    Case(f"stream of {MANY} tokens", streamed=True, tokens=MANY),
    Case("whole answer, HTTP/2", streamed=False, tokens=FEW, http2=True),
    Case(f"stream of {FEW} tokens, HTTP/2", streamed=True, tokens=FEW, http2=True),
)

Spent = Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]
"""Contestant → per round, CPU time of one request in µs."""


class Player:
    """The other side of `tests.benchmarks.rowcost_players`."""

    def __init__(self, task: Task, folder: Path) -> None:
        self._task = task
        command = [sys.executable, "-m", "tests.benchmarks.rowcost_players", str(task)]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip

    def listen(self) -> int:
        """What its last turn took, in ns. RuntimeError when it is gone."""
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"a contestant ended by itself: {self._task}")
        return int(line)

    def play(self, requests: int) -> int:
        """A turn of so many requests; the CPU time that they took, in ns."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{requests}\n")
        self._process.stdin.flush()
        return self.listen()

    def close(self) -> None:
        """Its input ends, and so does it."""
        self._process.communicate()


@contextmanager
def players(case: Case, catalogue: Path, folder: Path) -> Iterator[dict[str, Player]]:
    """All who play a case, warm."""
    with ExitStack() as stack:
        ready = {}
        for who in case.who:
            task = Task(who, str(catalogue), case.streamed, case.tokens, case.http2)
            ready[who] = Player(task, folder)
            stack.callback(ready[who].close)
        for player in ready.values():
            player.listen()
        yield ready


def play(case: Case, catalogue: Path, folder: Path, rounds: int) -> Spent:
    """Every contestant once a round, in an order drawn anew."""
    rng = random.Random(SEED)
    spent: dict[str, list[float]] = {who: [] for who in case.who}
    with players(case, catalogue, folder) as ready:
        for _ in range(rounds):
            for who in rng.sample(case.who, len(case.who)):
                spent[who].append(ready[who].play(TURN) / TURN / 1e3)
    return {who: np.array(values) for who, values in spent.items()}


def added(spent: Spent, more: str, less: str) -> tuple[float, float, float]:
    """Median of the differences within a round, in µs, with its interval."""
    found = estimate(spent[more] - spent[less], 0.5)
    values = (found.value_ms, found.low_ms, found.high_ms)
    low, middle, high = (float("nan") if value is None else value for value in values)
    return low, middle, high


def _line(case: Case, spent: Spent) -> dict[str, Any]:
    value, low, high = added(spent, RUN, PLAIN)
    return {
        "answer": case.name,
        "rounds": len(spent[RUN]),
        "httpx µs": round(float(np.median(spent[PLAIN]))),
        "regionbench µs": round(float(np.median(spent[RUN]))),
        "added µs": round(value),
        "95 %": f"{low:.0f} … {high:.0f}",
    }


def stages(case: Case, spent: Spent) -> Iterator[dict[str, Any]]:
    """Where the time goes: what each stage adds to the one before."""
    before = PLAIN
    for who, what in _STAGES.items():
        value, low, high = added(spent, who, before)
        first = who == PLAIN
        yield {
            "where the time goes": case.name if first else "",
            "stage": what,
            "µs a request": round(float(np.median(spent[who]))),
            "added": "" if first else f"{value:+.0f}",
            "its 95 %": "" if first else f"{low:+.0f} … {high:+.0f}",
        }
        before = before if who == READ else who


def _figures(found: Mapping[str, Spent]) -> Iterator[Figure]:
    for case in CASES:
        value = added(found[case.name], RUN, PLAIN)[0] / 1e3
        yield Figure(f"CPU added, {case.name}", value, "ms", case.goal_ms)
    for case in CASES:
        if READ in found[case.name]:
            value = added(found[case.name], RUN, READ)[0] / 1e3
            yield Figure(f"CPU added to httpx that reads it, {case.name}", value, "ms")
    few, many = (found[case.name] for case in CASES[1:3])
    each = (added(many, RUN, PLAIN)[0] - added(few, RUN, PLAIN)[0]) / (MANY - FEW)
    yield Figure("CPU added by each further token", each, "µs")


def measure(options: argparse.Namespace) -> Result:
    """The row, then the open loop, or one of them."""
    parts = [part for name, part in PARTS.items() if options.part in (name, None)]
    with tempfile.TemporaryDirectory(prefix="rowcost-", dir=ROOT / "results") as made:
        found = [part(Path(made), options.quick) for part in parts]
    return Result(
        [figure for one in found for figure in one.figures],
        [line for one in found for line in one.table],
        [note for one in found for note in one.notes],
    )


def _row(folder: Path, quick: bool) -> Result:
    """The cases one after the other; quickly, the stages of the first alone."""
    cases = [CASES[0], *(replace(c, staged=c.staged and not quick) for c in CASES[1:])]
    with _fleet(folder) as fleet:
        rounds = 6 if quick else 40
        found = {case.name: play(case, fleet.catalogue, folder, rounds) for case in cases}
        single = [*pieces(fleet.catalogue, folder, FEW)]
    table: list[dict[str, Any]] = [_line(case, found[case.name]) for case in cases]
    for case in cases:
        if case.staged:
            table += stages(case, found[case.name])
    return Result([*_figures(found)], [*table, *single], _NOTES)


def _added(folder: Path, quick: bool) -> Result:
    """Plain httpx and the product alone, where there is a goal."""
    cases = [replace(case, staged=False) for case in CASES if case.goal_ms is not None]
    with _fleet(folder) as fleet:
        rounds = 6 if quick else 400
        found = {case.name: play(case, fleet.catalogue, folder, rounds) for case in cases}
    figures = [
        Figure(
            f"CPU added, {case.name}, at most (95 %)",
            added(found[case.name], RUN, PLAIN)[2] / 1e3,
            "ms",
            case.goal_ms,
        )
        for case in cases
    ]
    return Result(figures, [_line(case, found[case.name]) for case in cases])


@contextmanager
def _fleet(folder: Path) -> Iterator[Fleet]:
    profile = folder / "profile.toml"
    profile.write_text(PROFILE, encoding="utf-8")
    with Fleet.start(profile=profile) as fleet:
        yield fleet


def _open(folder: Path, quick: bool) -> Result:
    return open_loop(folder, *((2.0, 1) if quick else (8.0, 8)))


PARTS: Mapping[str, Callable[[Path, bool], Result]] = {
    "row": _row,
    "added": _added,
    "open": _open,
}

_NOTES: Sequence[str] = (
    "Stages by turns in one run; pieces in a loop of their own, warm, so they are lower bounds.",
)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=PARTS, help="only this part")


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure, _options)


if __name__ == "__main__":
    sys.exit(main())
