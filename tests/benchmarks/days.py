"""Twelve days of a team that copied the workflow: does the gate find the slow one, and no other?

    python -m tests.benchmarks.days [--json] [--quick]

The shell steps are those of .github/actions/regionbench, taken from the file and run by bash, with
two changes: no calibration, which measures this host and costs two seconds each time, and a plan
that asks a fleet on loopback. A day is a batch by its name; no clock is faked. From day 12 on one
of the two regions takes 30 % longer.

Each day is three sittings and is gated. With --quick days 1 to 9 are one sitting each, measured
through the Python interface in this process, and only the last three are run by the steps. False
alarms do not fail it then: what a crowded host slows down for minutes is slower, and twice.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bench
from bench.simulator import Fleet
from tests.benchmarks.figures import Figure, Result, run

DAYS, SLOW, BASELINE = 12, 12, 10
ACTION = Path(__file__).parents[2] / ".github/actions/regionbench/action.yml"

PROFILE = """\
about = "Two regions of {near_ms:g} and 24 ms that do nothing else."
edge_rtt_ms = 1.0

[defaults]
capacity = 64

[defaults.service]
sigma = 0.12
tail_share = 0.02
ttft_ms = 20.0
token_ms = 0.2

[defaults.background_load]
calm = 0.0

[[regions]]
name = "near"
latitude = 39.0
longitude = -77.5
rtt_ms = 1.0
models = ["small"]
service = {{ ttft_ms = {near_ms} }}

[[regions]]
name = "far"
latitude = 45.8
longitude = -119.7
rtt_ms = 4.0
models = ["small"]

[[models]]
id = "small"
created = 1775001600
fingerprint = "fp_days"
usd_per_million = {{ input = 1.0, cached_input = 1.0, output = 1.0 }}
efforts = ["none"]
completion_tokens = 2
"""
USUAL_MS, SLOW_MS = 20.0, 28.0


class Team:
    """Its working folder: a plan, a catalogue that leads to today's fleet, and results."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder, self.rounds = folder, rounds
        self.results = folder / "results"
        self.catalogue = folder / "catalogue.toml"
        self.plan = folder / "plan.toml"
        self.plan.write_text(
            f'catalogue = "{self.catalogue}"\nendpoints = ["near", "far"]\ntimeout_s = 5.0\n'
            'objectives = ["failure_rate <= 20%"]\n'
        )

    @contextmanager
    def day(self, number: int) -> Iterator[str]:
        """Today's service runs; the name of today's batch."""
        profile = self.folder / "profile.toml"
        near_ms = SLOW_MS if number >= SLOW else USUAL_MS
        profile.write_text(PROFILE.format(near_ms=near_ms))
        with Fleet.start(profile=profile, seed=number) as fleet:
            shutil.copy(fleet.catalogue, self.catalogue)
            shutil.copy(fleet.ca, self.folder)
            yield f"day-{number:02}"

    def sitting(self, batch: str) -> None:
        """The step that measures."""
        done = self.step("Measure", BATCH=batch, PLAN=str(self.plan), ROUNDS=str(self.rounds))
        if done.returncode:
            raise RuntimeError(f"{batch}: the sitting ended with {done.returncode}: {done.stderr}")

    def sitting_here(self, batch: str, number: int) -> None:
        """The same measurement without starting a process."""
        plan = bench.read_plan(self.plan, rounds=self.rounds, batch=batch, seed=number)
        bench.run(plan, where=bench.Where(results=self.results, vantage="days"))

    def gate(self) -> dict[str, Any]:
        """The step that gates: its exit code, the JSON output, and what GitHub would show."""
        output, summary = self.folder / "output", self.folder / "summary.md"
        for file in (output, summary):
            file.write_text("")
        done = self.step(
            "Gate",
            UNDECIDED="fail",
            GITHUB_OUTPUT=str(output),
            GITHUB_STEP_SUMMARY=str(summary),
            GITHUB_ACTIONS="true",
        )
        assert output.read_text() == f"exit-code={done.returncode}\n", done.stderr
        return {
            "code": done.returncode,
            "found": json.loads((self.folder / "gate/gate.json").read_text()),
            "summary": summary.read_text(),
            "stderr": done.stderr,
        }

    def step(self, name: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the shell of one step of the action."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        here = {"PATH": path, "RESULTS": str(self.results), "VANTAGE": "days"}
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", shell(name)],
            cwd=self.folder,
            env={**os.environ, **here, **env},
            capture_output=True,
            text=True,
            check=False,
        )


def shell(step: str) -> str:
    """What the action's step runs, without calibration."""
    found = re.search(
        rf"- name: {step}\n(?:      .*\n|    #.*\n)*?      run: \|\n((?:        .*\n|\n)+)",
        ACTION.read_text("utf-8"),
    )
    assert found, f"{ACTION} has no step {step}"
    return re.sub(r"regionbench (run|gate)", r"regionbench \1 --no-calibrate", found[1])


def _judged(team: Team, number: int, sittings: int, by_steps: bool) -> dict[str, Any] | None:
    with team.day(number) as batch:
        for _ in range(sittings):
            if by_steps:
                team.sitting(batch)
            else:
                team.sitting_here(batch, number)
        return team.gate() if by_steps else None


def twelve_days(folder: Path, quick: bool) -> dict[int, dict[str, Any]]:
    """Day → what its gate said, of the days that were gated."""
    sittings = 1 if quick else 3
    team = Team(folder, rounds=60 // sittings)
    first = BASELINE if quick else 1
    days = {n: _judged(team, n, sittings, n >= first) for n in range(1, DAYS + 1)}
    return {number: found for number, found in days.items() if found is not None}


def _row(number: int, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"day": number, "exit": found["code"], "verdict": found["found"]["sentence"]}


def measure(arguments: argparse.Namespace) -> Result:
    """All days, and whether each gate said what is true of its day."""
    with tempfile.TemporaryDirectory() as name:
        days = twelve_days(Path(name), arguments.quick)
    codes = {number: found["code"] for number, found in days.items()}
    early = [number for number in codes if number <= BASELINE]
    between = [number for number in codes if BASELINE < number < SLOW]
    slow = days[SLOW]["found"]["verdicts"][0]["judged"]
    worse = [one for one in slow if one["state"] == "regressed"]
    return Result(
        [
            _count("days without baseline that say so", sum(codes[n] == 3 for n in early), early),
            _count("unchanged days that pass", sum(codes[n] == 0 for n in between), between, True),
            _count("slow days found", int(codes[SLOW] == 1), [SLOW]),
            Figure(
                "cells called regressed that are not, or without a fresh measurement",
                sum(not (one["endpoint"] == "near" and one["confirmed"]) for one in worse),
                "",
                0,
            ),
        ],
        [_row(number, found) for number, found in days.items()],
    )


def _count(name: str, value: int, wanted: list[int], timed: bool = False) -> Figure:
    return Figure(name, value, "days", len(wanted), floor=True, timed=timed)


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure))
