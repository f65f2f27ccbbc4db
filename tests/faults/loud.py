"""The matrix with everything that logs at its loudest, in a process whose every byte is kept.

    python -m tests.faults.loud FOLDER '{"clients": ["httpx"], …}'

meets what it is told, with the canary for a key that every server says back, and leaves in FOLDER
rows, reports, outputs and what it found. `meet_loudly` starts it and reads that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.cli import main as regionbench
from bench.store import RunWriter
from tests.canary import LOUD, VERBOSE, leaking_files
from tests.faults import network, purse
from tests.faults.lane import SHORT_S, Cell, Ground
from tests.faults.matrix import CASES, meet, plan
from tests.faults.network import from_json
from tests.store_kit import run

CLEAR = """\
import bench.key, bench.clients.loggers as hushed
hushed._LIBRARIES, hushed._is_serious = (), lambda record: True
bench.key.Key.hide = lambda self, text: text
"""
"""Both shields taken away: what the control runs behind."""

CONTROL_CASES = ("a whole answer", "401", "an error", "404, no such model", "500")
_LIFETIME_S = 3600


@dataclass
class Found:
    """What came of it: cells and bills, and where the key was found that must be nowhere."""

    cells: list[Cell] = field(default_factory=list)
    bills: list[purse.Bill] = field(default_factory=list)
    leaks: dict[str, list[str]] = field(default_factory=dict)
    searched: int = 0


def meet_loudly(folder: Path, *, before: str = "", **told: Any) -> Found:
    """Run this module in a process of its own; ``before`` is Python that runs there first.

    ``clients`` to meet it with, ``cases`` by name (None: all), ``cold`` connections alone, a random
    ``cells`` of the matrix and ``bills`` of the purse (None: all of them), ``network``: whether to
    meet its faults too, ``short_s``: the deadline of what waits for it, ``report``: whether to draw
    one.
    """
    for name in ("site", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "site" / "sitecustomize.py").write_text(LOUD + before)
    own = {"PYTHONPATH": f"{folder / 'site'}{os.pathsep}{Path.cwd()}"}
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        subprocess.run(
            [sys.executable, "-m", "tests.faults.loud", str(folder), json.dumps(told)],
            env={**os.environ, **VERBOSE, **own, "TMPDIR": str(folder / "tmp")},
            stdout=out,
            stderr=err,
            check=False,
            timeout=_LIFETIME_S,
        )
    file = folder / "found.json"
    if not file.exists():
        raise RuntimeError((folder / "stderr").read_text()[-2000:])
    found = json.loads(file.read_text())
    return Found(
        [from_json(cell) for cell in found["cells"]],
        [purse.Bill(**bill) for bill in found["bills"]],
        leaking_files(folder),
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def control(folder: Path) -> dict[str, list[str]]:
    """Where the search finds the key when nothing hides it."""
    told = {"clients": ["httpx"], "cases": CONTROL_CASES, "cold": True, "bills": 0, "report": False}
    return meet_loudly(folder, before=CLEAR, **told).leaks


def main(folder: Path, told: dict[str, Any]) -> None:
    """What the process does."""
    ground = Ground(folder, echo=True)
    planned = plan(told["clients"], _cases(told.get("cases")), told.get("short_s", SHORT_S))
    planned = planned.only("cold") if told.get("cold") else planned
    if told.get("cells") is not None:
        planned = planned.some(told["cells"], seed=1)
    cells = meet(ground, planned, _LIFETIME_S / 2)
    if told.get("network"):
        cells += network.cells(told["clients"])
    errands = list(purse.errands(told["clients"]))
    wanted = told.get("bills")
    errands = errands if wanted is None else purse.some(errands, wanted, seed=1)
    bills = purse.settle(ground, folder / "results", errands)
    found = {"cells": [asdict(cell) for cell in cells], "bills": [asdict(bill) for bill in bills]}
    kept = _store(folder, ground)
    if told.get("report", True):
        _report(kept)
    (folder / "found.json").write_text(json.dumps(found))


def _cases(names: Sequence[str] | None) -> Sequence[Any]:
    return CASES if names is None else [case for case in CASES if case.name in names]


def _store(folder: Path, ground: Ground) -> Path:
    """The rows of the matrix as one run of one stratum."""
    made = run(len(ground.rows), run_id="matrix")
    same: dict[str, Any] = {"run_id": "matrix", "client": "httpx", "connection": "warm"}
    with RunWriter.create(folder / "results", made) as writer:
        for seq, row in enumerate(ground.rows):
            name = "healthy" if row.endpoint == "healthy" else "faulty"
            writer.append(replace(row, **same, streamed=True, seq=seq, round=seq, endpoint=name))
        writer.finish("complete", finished_at="2026-01-01T00:00:00.000000Z")
    return writer.folder


def _report(kept: Path) -> None:
    """What the product makes of a run."""
    for words in (["report"], ["compare", "healthy", "faulty", "--run"]):
        print(words, regionbench([*words, str(kept)]), flush=True)  # noqa: T201 - searched


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
