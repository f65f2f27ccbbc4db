"""What a finished run folder says: against its history, of routing, of the race.

    python -m bench.watch.review RESULTS RUN_ID [--before RUN_ID] [--keep SECONDS]

compacts the folder and prints a `Finding` as one JSON line. The watch has it done by a process of
its own, of low priority: what statistics need in memory goes with it, and no request waits for it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from bench.choice import decide_stored
from bench.errors import NotEnoughData, RegionbenchError
from bench.gate import find_candidate, judge
from bench.history import batches, pruning
from bench.model import ASKING
from bench.stats.baseline import FEWEST, batch, suspects
from bench.stats.race import RaceRules
from bench.stats.race_verdict import RaceVerdict
from bench.stats.routing import route
from bench.stats.verdict import Verdict
from bench.store import compact, remove_run
from bench.units import format_ms
from bench.watch.finding import Cell, Finding

KEPT_LAST = 48
"""Run folders that stay however old they seem: the clock may have been set."""

_WORST = ("regressed", "inconclusive", "ok")


def review(results: Path, run_id: str, before: str | None = None) -> Finding:
    """Judge a run folder; its suspects of ``before``, the folder before it, it confirms.

    Raises what `bench.gate.find_candidate` raises.
    """
    candidate = find_candidate(results, run_id)
    verdicts = [*judge(candidate)]
    waiting = bool(suspects(verdicts[0]))
    if before is not None:
        fresh = batch(candidate.df, candidate.name)
        verdicts.append(_confirmed(judge(find_candidate(results, before), fresh)[0]))
    cells = _cells(verdicts)
    race, shares = _race(candidate.df), _shares(candidate.df)
    return Finding(
        run_id=run_id,
        state=_worst(cell.state for cell in cells),
        words="; ".join((_gate_words(cells, verdicts), *_race_words(race), *_share_words(shares))),
        gate=cells,
        shares=shares,
        behind=_behind(race),
        best=None if race is None else race.best,
        lead_s=_lead_s(race),
        suspect=waiting,
    )


def _confirmed(verdict: Verdict) -> Verdict:
    """Only what a second run folder has shown too; the rest of the first one is old."""
    return replace(verdict, judged=tuple(verdict.having("regressed")))


def _cells(verdicts: Sequence[Verdict]) -> tuple[Cell, ...]:
    """The worst state of each endpoint and model, over all measures."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in (one for verdict in verdicts for one in verdict.judged):
        model = (one.stratum.model or "") if one.stratum.kind in ASKING else ""
        found.setdefault((one.endpoint, model), []).append(one.state)
    return tuple(Cell(*key, _worst(states)) for key, states in found.items())


def _worst(states: Iterable[str]) -> str:
    return min(states, key=_WORST.index, default="inconclusive")


def _gate_words(cells: Sequence[Cell], verdicts: Sequence[Verdict]) -> str:
    state = _worst(cell.state for cell in cells)
    names = dict.fromkeys(cell.endpoint for cell in cells if cell.state == state)
    if state == "ok":
        return "gate ok"
    past = verdicts[0].a
    why = f" ({past}, {FEWEST} are needed)" if past.split()[0].isdigit() else ""
    few = state == "inconclusive" and why and int(past.split()[0]) < FEWEST
    return f"gate {state}{why if few else ': ' + ', '.join(names)}"


def _race(df: pd.DataFrame) -> RaceVerdict | None:
    """Of the main stratum; None where nothing can race."""
    try:
        return decide_stored(df, RaceRules())
    except (NotEnoughData, ValueError):
        return None


def _behind(race: RaceVerdict | None) -> dict[str, float]:
    """Of each endpoint's last look."""
    looks = race.history if race is not None else ()
    last = {look.endpoint: look.behind for look in looks if math.isfinite(look.behind)}
    return {name: math.expm1(behind) for name, behind in last.items()}


def _lead_s(race: RaceVerdict | None) -> float | None:
    ms = None if race is None or race.lead_ms is None else race.lead_ms.value_ms
    return None if ms is None or not math.isfinite(ms) else ms / 1000


def _race_words(race: RaceVerdict | None) -> Iterator[str]:
    lead_s = _lead_s(race)
    if race is None or race.best is None:
        yield "race undecided"
    elif lead_s is not None and race.next_best is not None:
        yield f"{race.best} {format_ms(1000 * lead_s)} ahead of {race.next_best}"
    else:
        yield f"race: {race.best}"


def _shares(df: pd.DataFrame) -> dict[str, float]:
    """Group of regions → share of global's requests; empty where the rows cannot tell."""
    found = route(df)
    return {s.name: s.value for s in found.shares} if found.identifiable else {}


def _share_words(shares: Mapping[str, float]) -> Iterator[str]:
    if shares:
        name = max(shares, key=lambda name: shares[name])
        yield f"global went to {name} in {100 * shares[name]:.0f} %"


def prune(results: Path, keep_s: float, now: dt.datetime) -> int:
    """Remove run folders of watches that are older; how many. Never a baseline, nor the newest
    `KEPT_LAST`, nor what a person measured."""
    known = [one for one in batches(results) if all(head.run.get("watch") for head in one.heads)]
    age = dt.timedelta(seconds=keep_s)
    found = pruning(known, now=now, older_than=age, keep_last=KEPT_LAST)
    folders = [folder for one in found.remove for folder in one.folders]
    for folder in folders:
        remove_run(folder)
    return len(folders)


def _end_with_the_watch() -> None:
    """A watch that was killed cannot end its review, but its end of the pipe is closed."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        os.read(0, 1)
        os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """The command above; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("run_id")
    parser.add_argument("--before")
    parser.add_argument("--keep", type=float)
    asked = parser.parse_args(arguments)
    threading.Thread(target=_end_with_the_watch, daemon=True).start()
    os.nice(10)
    try:
        compact(asked.results / asked.run_id)
        found = review(asked.results, asked.run_id, asked.before)
        if asked.keep is not None:
            removed = prune(asked.results, asked.keep, dt.datetime.now(dt.UTC))
            found = replace(found, removed=removed)
    except RegionbenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(asdict(found), allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
