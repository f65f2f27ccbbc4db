"""Runs from disk. Reading never writes, and what could not be read is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.model import Caution
from bench.store import disk, lines, parquet, runfile
from bench.store.places import Local, Place
from bench.store.writer import SAMPLES
from bench.words import brief

_RERUN = "Measure again if the missing rows matter."
_WATCH = "A watch does not make up for what it missed: `regionbench watch` goes on in a new folder."
_RESUME = "If they matter: regionbench run --resume, and its folder."


@dataclass(frozen=True, slots=True)
class StoredRun:
    """``run`` is run.json as it stands; ``rows`` hold every column, None where unknown."""

    run: dict[str, Any]
    rows: list[lines.Row]
    cautions: tuple[Caution, ...] = ()


def read_run(folder: Path) -> StoredRun:
    """The run in a folder. StoreError names what makes it unreadable, and the remedy."""
    # The lock before the status: the other way round, a run that finishes in between looks killed
    live = disk.locked(folder / SAMPLES)
    run, intact = runfile.read(folder)
    cautions = [] if intact else [edited(folder / runfile.NAME)]
    rows, told = _rows(folder, run, live)
    return StoredRun(run, rows, (*cautions, *told, *circumstances(run, len(rows), live)))


def circumstances(run: dict[str, Any], rows: int, live: bool) -> list[Caution]:
    """What a run of so many rows was like: gaps, and what it lacks."""
    return _resumed(run) + _watched(run) + _missing(run, rows, live)


def edited(path: object) -> Caution:
    """run.json is not as it was written."""
    return Caution(
        "run_json_changed",
        f"{path} is not as it was written: it was edited or damaged.",
        "Trust its settings as far as you trust the edit; the rows have checksums of their own.",
    )


def _rows(folder: Path, run: dict[str, Any], live: bool) -> tuple[list[lines.Row], list[Caution]]:
    """Parquet when run.json vouches for it, else the lines, which are the truth."""
    told: list[Caution] = []
    if (record := vouched(run)) is not None:
        try:
            return _vouched_rows(folder, record), told
        except StoreError as error:
            told.append(not_by_parquet(error, record))
    rows, more = lines_of(Local(folder), run, live)
    return rows, told + more


def _vouched_rows(folder: Path, record: dict[str, Any]) -> list[lines.Row]:
    if "groups" not in record:
        return parquet.verified(folder / parquet.NAME, record)
    with parquet.open_columns(Local(folder), record["file"], record) as file:
        return parquet.rows_of(file.read_row_groups(list(parquet.groups(file, record))))


def vouched(run: dict[str, Any]) -> dict[str, Any] | None:
    """What run.json knows of the run's Parquet file; None where there is none to be trusted."""
    stored = run.get("stored")
    record = stored.get("parquet") if isinstance(stored, dict) else None
    return record if isinstance(record, dict) and run["status"] != "running" else None


def not_by_parquet(error: StoreError, record: Mapping[str, Any]) -> Caution:
    """Why a run was read slowly. StoreError for one in a pack, which has no lines beside it."""
    if "groups" in record:
        raise error
    return Caution(
        "parquet_damaged",
        f"{error} They were read from it instead.",
        f"Nothing is lost if no other caution says so; remove {parquet.NAME}.",
    )


def lines_of(
    place: Place, run: dict[str, Any], live: bool
) -> tuple[list[lines.Row], list[Caution]]:
    """The rows of a run's samples.jsonl, and what is wrong with it."""
    path = place.path(SAMPLES)
    try:
        with place.open(SAMPLES) as file:
            found = lines.scan_lines(file)
    except FileNotFoundError as error:
        if run["status"] == "running":
            return [], []  # killed before the first row
        raise StoreError(f"Could not read {path}: {disk.reason(error)}.") from error
    except OSError as error:
        raise StoreError(f"Could not read {path}: {disk.reason(error)}.") from error
    told = [*_findings(path, found, live), *_lost(path, len(found.rows), run.get("stored"))]
    return found.rows, told


def _lost(path: str, rows: int, stored: Any) -> list[Caution]:
    written = stored.get("rows") if isinstance(stored, dict) else None
    if type(written) is not int or rows >= written:
        return []
    text = f"{path} holds {rows} of {brief(written, 20)} rows that were written."
    return [Caution("lost_rows", text, f"They were damaged or removed. {_RERUN}")]


def read_lines(path: Path, live: bool = False) -> tuple[list[lines.Row], list[Caution]]:
    """The rows of a samples.jsonl, and what is wrong with it."""
    with disk.explained(f"read {path}"):
        found = lines.scan(path)
    return found.rows, list(_findings(str(path), found, live))


def _findings(path: str, found: lines.Scan, live: bool) -> Iterator[Caution]:
    if found.tail and not live:
        yield Caution("torn_tail", f"{path} ends in {_tail_words(found.tail)}.", _RERUN)
    if found.damaged:
        size = sum(stop - start for start, stop in found.damaged)
        text = f"{path} has {len(found.damaged)} unreadable lines ({size} bytes) between its rows."
        yield Caution("damaged_lines", text, f"Check the disk. {_RERUN}")
    if found.missing_lines:
        text = f"{path}: {found.missing_lines} rows are missing by their line numbers."
        yield Caution("missing_lines", text, f"They were damaged or removed. {_RERUN}")
    if found.doubled:
        text = f"{path} holds {found.doubled} rows twice; each was counted once."
        yield Caution("doubled_rows", text, "Check how the file was copied.")


def _tail_words(tail: bytes) -> str:
    whole = b"\n" in tail
    return f"{'unreadable lines' if whole else 'a cut-off last line'}, {len(tail)} bytes"


def _resumed(run: dict[str, Any]) -> list[Caution]:
    """Each gap, with what was measured before it."""
    parts = run.get("before") or []
    return [
        Caution(
            "resumed",
            f"{run['run_id']} has a gap: it was {_said(part, 'status')} after"
            f" {_said(part, 'rows')} rows and resumed at {_said(part, 'resumed_at')}.",
            "Differences are paired by round and stand; quantiles hold what drifted meanwhile.",
        )
        for part in parts
        if isinstance(part, dict)
    ]


def _said(part: dict[str, Any], name: str) -> str:
    return brief(part.get(name), 40)


def _watched(run: dict[str, Any]) -> list[Caution]:
    """The silences in a run of a watch, together."""
    watch = run.get("watch")
    gaps = (watch.get("gaps") if isinstance(watch, dict) else None) or []
    words = [_said(gap, "words") for gap in gaps if isinstance(gap, dict)]
    if not words:
        return []
    more = f"; and {len(words) - 3} more" if len(words) > 3 else ""
    text = f"{run['run_id']} has gaps in which nothing was asked: {'; '.join(words[:3])}{more}."
    return [Caution("gaps", text, "They are in no latency; what happened in them is not known.")]


def _missing(run: dict[str, Any], rows: int, live: bool) -> list[Caution]:
    scheduled, status = run["scheduled"], run["status"]
    of, state = brief(scheduled, 20), brief(status, 40)
    count = f"{brief(max(scheduled - rows, 0), 20)} of {of} rows are missing"
    if status == "running" and live:
        return [Caution("running", f"{run['run_id']} is still running: {rows} of {of} rows.")]
    if status == "running":
        text = f"{run['run_id']} was killed before it finished: {count}."
        return [Caution("killed", text, _RESUME if not run.get("watch") else _WATCH)]
    if rows < scheduled:
        why = f" ({brief(run['reason'])})" if isinstance(run.get("reason"), str) else ""
        return [Caution("incomplete", f"{run['run_id']} is {state}{why}: {count}.", _RESUME)]
    return []


def read_runs(path: Path) -> list[StoredRun]:
    """All runs at ``path``: a run folder, a folder of run folders, or one file of rows.

    A run that cannot be read is skipped; the first of the others carries a caution that says so.
    """
    if path.is_file():
        return [read_file(path)]
    if is_run(path):
        return [read_run(path)]
    return _read_all(path, run_folders(path))


def run_folders(results: Path) -> list[Path]:
    """The run folders in a results folder, by name; StoreError when it cannot be listed.

    No run's name begins with a dot: such folders are on their way in or out.
    """
    with disk.explained(f"read {results}"):
        found = [folder for folder in results.iterdir() if is_run(folder)]
    return sorted(folder for folder in found if not folder.name.startswith("."))


def is_run(folder: Path) -> bool:
    """Whether a folder holds any file of a run."""
    return any((folder / name).is_file() for name in (runfile.NAME, SAMPLES, parquet.NAME))


def _read_all(path: Path, folders: list[Path]) -> list[StoredRun]:
    runs, skipped = [], []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except StoreError as error:
            skipped.append(Caution("unreadable_run", f"{folder.name} was skipped: {error}"))
    if not runs:
        why = skipped[0].text if skipped else "there is no run in it"
        raise StoreError(f"Nothing to read in {path}: {why} Give a run folder or make a run first.")
    runs[0] = replace(runs[0], cautions=(*runs[0].cautions, *skipped))
    return runs


def read_file(path: Path) -> StoredRun:
    """One file of a run, samples.jsonl or samples.parquet, with the run.json beside it."""
    if path.name == runfile.NAME:
        return read_run(path.parent)
    run, cautions = _neighbour(path)
    if path.suffix == ".parquet":
        return StoredRun(run, parquet.read(path), tuple(cautions))
    rows, told = read_lines(path, disk.locked(path))
    if not rows and path.stat().st_size:
        raise StoreError(f"{path} holds no row: give a run folder, {SAMPLES} or {parquet.NAME}.")
    return StoredRun(run, rows, (*cautions, *told))


def _neighbour(path: Path) -> tuple[dict[str, Any], list[Caution]]:
    """run.json beside a file of rows, when it is there and of use."""
    if not (path.parent / runfile.NAME).is_file():
        return {}, []
    try:
        run, intact = runfile.read(path.parent)
    except runfile.NewerFormat:
        raise
    except StoreError as error:
        return {}, [Caution("run_json_unreadable", str(error))]
    return run, [] if intact else [edited(path.parent / runfile.NAME)]
