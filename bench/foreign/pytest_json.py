"""What pytest-benchmark wrote (--benchmark-json, --benchmark-save), as one run per file.

Benchmarks of `bench.pytest_plugin` carry their rows, and the file its run. Any other benchmark
becomes rows of kind ``function``, its name for an endpoint and a round per timing: so the files of
any project can be compared by the same rules.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.errors import StoreError
from bench.model import SCHEMA_VERSION, Caution, Run
from bench.store import StoredRun, disk, strict
from bench.store.lines import Row, completed
from bench.units import NS_PER_S
from bench.words import brief

_MARK = b'"machine_info"'
_NAME = "pytest-benchmark"
_LONGEST_S = 1e9
_run_type = TypeAdapter(Run)
_AGAIN = "write it again with --benchmark-json, or remove it"


def knows(head: bytes) -> bool:
    """By what each of its files begins with."""
    return head.lstrip().startswith(b"{") and _MARK in head


def read(path: Path) -> StoredRun:
    """The benchmarks of a file as rows. Raises StoreError: damaged, or without a single timing."""
    data = _bytes(path)
    document = _document(path, data)
    run = _run(document, data)
    rows, cautions = list[Row](), list[Caution]()
    if document.get("regionbench") and run["provider"] == _NAME:
        text = f"{path}: its description of the run was edited or damaged, and left out."
        cautions.append(Caution("run_json_unreadable", text, "The rows are read as they are."))
    for benchmark in document["benchmarks"]:
        name = str(benchmark.get("fullname") or benchmark.get("name"))
        found, lost = _rows(benchmark, name, run, len(rows))
        rows += found
        if lost or not found:
            cautions.append(_lost(path, name, lost))
    if not rows:
        raise StoreError(
            f"{path} holds no timing of any benchmark: "
            f"save with --benchmark-save-data, or use --benchmark-json."
        )
    return StoredRun({**run, "scheduled": len(rows)}, rows, tuple(cautions))


def _bytes(path: Path) -> bytes:
    with disk.explained(f"read {path}"):
        return path.read_bytes()


def _document(path: Path, data: bytes) -> dict[str, Any]:
    try:
        document = strict.parse(data.decode(), as_told=True)
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged: it is not whole JSON ({brief(error)}): {_AGAIN}."
        ) from None
    listed = document.get("benchmarks") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise StoreError(f"{path} is damaged: it has no list of benchmarks: {_AGAIN}.")
    version = _table(document, "regionbench").get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer regionbench (schema version {brief(version, 20)}, "
            f"this one reads up to {SCHEMA_VERSION}): upgrade regionbench to read it."
        )
    return {**document, "benchmarks": listed}


def _run(document: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    """The run that our plugin described, over what is known of any file."""
    started_at, machine = str(document.get("datetime")), _table(document, "machine_info")
    stamp = "".join(character for character in started_at[:19] if character.isalnum())
    known: dict[str, Any] = {
        "run_id": f"{stamp}-{hashlib.sha256(data).hexdigest()[:6]}",
        "plan": {},
        "provider": _NAME,
        "vantage": str(machine.get("node") or "here"),
        "endpoints": [],
        "preflight": [],
        "started_at": started_at,
        "versions": {_NAME: str(document.get("version"))},
        "platform": {name: machine.get(name) for name in ("system", "machine", "release")},
        "commit": _table(document, "commit_info").get("id"),
        "status": "complete",
        "schema_version": SCHEMA_VERSION,
    }
    return {**known, **_described(_table(document, "regionbench"))}


def _described(ours: Mapping[str, Any]) -> dict[str, Any]:
    """The run as our plugin described it; nothing where that was edited beyond use."""
    try:
        return dataclasses.asdict(_run_type.validate_python(ours))
    except (ValidationError, RecursionError):
        return {}


def _rows(
    benchmark: Mapping[str, Any], name: str, run: Mapping[str, Any], first: int
) -> tuple[list[Row], int]:
    """The rows of one benchmark, and how many of it could not be read."""
    ours = _table(_table(benchmark, "extra_info"), "regionbench").get("rows")
    if isinstance(ours, list):
        rows = [row for raw in ours if (row := _row(raw)) is not None]
        return rows, len(ours) - len(rows)
    timings = _table(benchmark, "stats").get("data")
    given = timings if isinstance(timings, list) else []
    plain = [float(second) for second in given if _is_time(second)]
    return list(_plain_rows(plain, name, run, first)), len(given) - len(plain)


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _LONGEST_S


def _row(raw: Any) -> Row | None:
    try:
        return completed(raw)
    except (TypeError, AttributeError):
        return None


def _plain_rows(
    seconds: list[float], name: str, run: Mapping[str, Any], first: int
) -> Iterator[Row]:
    for number, second in enumerate(seconds):
        yield completed(
            {
                "run_id": run["run_id"],
                "seq": first + number,
                "round": number,
                "endpoint": name,
                "kind": "function",
                "streamed": False,
                "client": _NAME,
                "connection": "local",
                "warmup": False,
                "vantage": run["vantage"],
                "started_at": run["started_at"],
                "outcome": "ok",
                "total_ns": round(second * NS_PER_S),
            }
        )


def _lost(path: Path, name: str, lost: int) -> Caution:
    what = f"{lost} unreadable rows" if lost else "no timing"
    advice = "Measure again if they matter; --benchmark-save needs --benchmark-save-data."
    return Caution("damaged_benchmark", f"{path}: {name} has {what}.", advice)


def _table(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, dict) else {}
