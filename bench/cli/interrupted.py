"""What is told of a run that somebody ended: at once, from what was counted while it ran."""

from __future__ import annotations

from typing import Any

from bench.cli.progress import p50
from bench.cli.shell import print_json, tell
from bench.errors import INTERRUPTED
from bench.session import Finished
from bench.tally import Tally


def tell_kept(finished: Finished, tally: Tally) -> None:
    """How many rows are kept and where, then a line for each endpoint. Loads nothing."""
    rows = f"{finished.rows} row{'' if finished.rows == 1 else 's'} kept"
    tell(f"Interrupted, {rows}: {finished.folder}")
    for line in so_far(tally):
        tell(line)


def so_far(tally: Tally) -> list[str]:
    """Counts and lower medians by endpoint; what these are of stands above them."""
    width = max(map(len, tally.names), default=0)
    head = f"So far, p50 of {tally.metric}:" if tally.count else "Nothing was answered so far."
    return [head, *(f"  {name:<{width}}  {_cell(tally, name)}" for name in _asked(tally))]


def _asked(tally: Tally) -> list[str]:
    return [name for name in tally.names if tally.done[name]]


def _cell(tally: Tally, name: str) -> str:
    return f"{p50(tally, name):>10}  {tally.done[name]} asked, {tally.failed[name]} failed"


def leave(finished: Finished, *commands: str, as_json: bool, **unknown: Any) -> int:
    """Name the ``commands`` that go on from here; the exit code. With ``as_json`` the document
    holds ``unknown`` where the command's answer would stand."""
    for command in commands:
        tell(f"  {command}")
    if as_json:
        print_json({**about(finished), **unknown})
    return INTERRUPTED


def about(finished: Finished) -> dict[str, Any]:
    """A run as every document of one begins, without an answer."""
    return {
        "schema_version": 1,
        "run_id": finished.run.run_id,
        "folder": str(finished.folder),
        "status": finished.status,
        "reason": finished.reason,
        "simulated": finished.run.simulated,
        "answer": None,
    }
