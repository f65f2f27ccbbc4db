"""A caution → the command that mends it. One visible table, `MENDS`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.model import GLOBAL
from bench.report.again import command
from bench.stats.quantiles import smallest_n

Run = Mapping[str, Any]
Cells = Sequence[Mapping[str, Any]]

PAUSE_MS = 500.0
_QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


def mend(code: str, runs: Sequence[Run], cells: Cells) -> str:
    """The command for the caution with this code, as one would type it; empty where none helps."""
    how = MENDS.get(code)
    return how(runs[0] if runs else {}, cells) if how is not None else ""


def _with(*options: str) -> Callable[[Run, Cells], str]:
    """The same run with options on top."""
    return lambda run, _: command(run, *options)


def _folder(run: Run) -> str:
    return f"results/{run.get('run_id') or 'RUN'}"


def _more_rounds(run: Run, cells: Cells) -> str:
    """As many as the next quantile needs that some endpoint lacks; a watch has no such number."""
    if run.get("watch"):
        return command(run)
    fewest = min((cell["n_latency"] for cell in cells if cell["n"]), default=0)
    needs = [smallest_n(q, 0.95) for q in _QUANTILES.values()]
    return command(run, "--rounds", str(next((n for n in needs if n > fewest), 2 * fewest)))


def _slower(run: Run, _: Cells) -> str:
    """With a pause, or twice the one it has; an open loop, which has none, at half its rate."""
    plan = run.get("plan") or {}
    if rate := plan.get("rate"):
        return command(run, "--rate", f"{rate / 2:g}")
    return command(run, "--pause", f"{max(PAUSE_MS, 2 * (plan.get('pause_ms') or 0)):g}ms")


def _asked_once(run: Run, _: Cells) -> str:
    """Over one kind of connection; if it was only one, without global, which asks a region too."""
    plan = run.get("plan") or {}
    if len(plan.get("connections") or ()) > 1:
        return command(run, "--connection", "warm")
    names = [str(e.get("name")) for e in run.get("endpoints") or () if e.get("name") != GLOBAL]
    return command(run, "--endpoints", ",".join(names)) if names else ""


def _one_model(run: Run, _: Cells) -> str:
    return command(run, "--model", str(run.get("model") or "MODEL"))


def _resume(run: Run, _: Cells) -> str:
    """The rest of it; a watch goes on in a new folder."""
    if run.get("watch"):
        return command(run)
    return shlex.join(["regionbench", "run", "--resume", _folder(run)])


def _check(run: Run, _: Cells) -> str:
    catalogue = (run.get("plan") or {}).get("catalogue") or "xai"
    named = [] if catalogue == "xai" else ["--catalogue", str(catalogue)]
    return shlex.join(["regionbench", "endpoints", "--check", *named])


def _rows(run: Run, _: Cells) -> str:
    look = f'import bench; d = bench.load("{_folder(run)}"); print(d.error.value_counts())'
    return shlex.join(["python3", "-c", look])


def _alone(run: Run, _: Cells) -> str:
    return shlex.join(["regionbench", "report", _folder(run)])


def _timeline(run: Run, _: Cells) -> str:
    return shlex.join(["regionbench", "plot", _folder(run), "timeline"])


def _doctor(*_: Any) -> str:
    return "regionbench doctor"


MENDS: Mapping[str, Callable[[Run, Cells], str]] = {
    "not_measured": _check,
    "not_asked": _check,
    "n_too_small": _more_rounds,
    "not_reused": _with("--connection", "cold"),
    "not_kept": _with("--connection", "cold"),
    "no_value": _rows,
    "left_out": _rows,
    "clock_step": _with(),
    "http_version": _with("--http1"),
    "model": _one_model,
    "rate_limited": _slower,
    "drift": _with(),
    "outliers": _timeline,
    "gaps": _with(),
    "cold_start": _with("--warmup", "1"),
    "host_noisy": _doctor,
    "proxy": lambda run, _: command({**run, "platform": {}}),
    "cached": _asked_once,
    "answer_length": _with("--prompt-file", "question.txt"),
    "autocorrelation": _slower,
    "mixed_connections": _with("--connection", "warm,cold"),
    "mixed_fleets": _alone,
    "killed": _resume,
    "incomplete": _resume,
    "resumed": _with(),
    "running": _alone,
    "lost_rows": _with(),
    "torn_tail": _with(),
    "damaged_lines": _with(),
    "missing_lines": _with(),
    "doubled_rows": _rows,
    "run_json_changed": _with(),
    "run_json_unreadable": _with(),
    "parquet_damaged": lambda run, _: shlex.join(["rm", f"{_folder(run)}/samples.parquet"]),
    "not_packed": lambda *_: "regionbench history compact",
    "unreadable_run": lambda *_: "regionbench history",
}
