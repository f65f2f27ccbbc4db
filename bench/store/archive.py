"""Several runs in one Parquet file: to move a history, or to commit a baseline.

Rows of all runs follow each other; the footer says which are whose, with each run.json and its
tags. Everything is verified when it is written and again when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.model import SCHEMA_VERSION, Caution, Sample
from bench.store import disk, lines, parquet, runfile, tags
from bench.store.reader import read_run
from bench.store.writer import RUN_ID, SAMPLES, make_results

KEY = b"regionbench.runs"


@dataclass(frozen=True, slots=True)
class Packed:
    """One run of an archive: run.json, tags, and its rows."""

    run: dict[str, Any]
    tags: tuple[str, ...]
    rows: list[lines.Row]


def export_runs(folders: Sequence[Path], file: Path) -> tuple[Caution, ...]:
    """Writes the runs in ``folders`` to one file, which it replaces; says what they lack.

    StoreError for a run that is live or cannot be read, and for a file that cannot be written.
    """
    packed: list[Packed] = []
    told: list[Caution] = []
    for folder in folders:
        if disk.locked(folder / SAMPLES):
            raise StoreError(f"{folder} is being written: wait for that run, then export it.")
        stored = read_run(folder)
        run = {key: value for key, value in stored.run.items() if key != "stored"}
        packed.append(Packed(run, tags.read(folder), stored.rows))
        told += stored.cautions

    def check(temporary: Path) -> None:
        if read_archive(temporary) != packed:
            raise StoreError(f"{file} did not read back as it was written: check the disk.")

    rows = [row for one in packed for row in one.rows]
    with disk.explained(f"write {file}"):
        disk.replace(file, parquet.encode(rows, {KEY: _footer(packed)}), check)
    return tuple(told)


def import_runs(file: Path, results: Path) -> tuple[list[Path], tuple[Caution, ...]]:
    """A run folder in ``results`` for each run of an archive; one that is there is left alone.

    Gives the new folders. StoreError when anything in the file is not as it was written; nothing is
    imported then.
    """
    packed = read_archive(file)
    with disk.explained(f"make the results folder {results}"):
        make_results(results)
    made: list[Path] = []
    told: list[Caution] = []
    for one in packed:
        folder = results / one.run["run_id"]
        if folder.exists():
            told.append(Caution("there_already", f"{folder} is there already: it was left alone."))
            continue
        with disk.explained(f"import {folder}"):
            _unpack(one, folder)
        made.append(folder)
    return made, tuple(told)


def read_archive(file: Path) -> list[Packed]:
    """The runs in a file, each verified. StoreError says what is wrong with it."""
    if not file.is_file():
        raise StoreError(f"{file} is not there: give a file made by `regionbench history export`.")
    footer = parquet.note(file, KEY)
    if footer is None:
        raise StoreError(f"{file} is no export of runs: `regionbench history export` makes one.")
    entries = _entries(file, footer)
    rows = iter(parquet.read(file))
    found = [_packed(file, entry, rows) for entry in entries]
    if next(rows, None) is not None:
        raise _damaged(file, "it has rows of no run")
    return found


def _footer(packed: Sequence[Packed]) -> bytes:
    runs = [
        {"run": one.run, "tags": one.tags, "rows": len(one.rows), "sha256": _digest(one.rows)}
        for one in packed
    ]
    return json.dumps({"crc": runfile.crc(runs), "runs": runs}, default=str).encode()


def _digest(rows: Sequence[lines.Row]) -> str:
    """Of what the rows say, in whatever order and with however many columns unknown."""
    digest = hashlib.sha256()
    for row in rows:
        known = {name: value for name, value in row.items() if value is not None}
        digest.update(json.dumps(known, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _entries(file: Path, footer: bytes) -> list[dict[str, Any]]:
    try:
        content = json.loads(footer.decode())
        runs = content["runs"]
        intact = content["crc"] == runfile.crc(runs)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(file, "its footer cannot be read") from error
    if not intact or not isinstance(runs, list) or not all(map(_fits, runs)):
        raise _damaged(file, "its footer is not as it was written")
    for entry in runs:
        if entry["run"]["schema_version"] > SCHEMA_VERSION:
            raise runfile.newer(file, entry["run"]["schema_version"])
    return runs


def _fits(entry: Any) -> bool:
    """Whether an entry has what an import relies on; a name must not lead out of the folder."""
    run = entry.get("run") if isinstance(entry, dict) else None
    return (
        isinstance(run, dict)
        and run.get("format") == runfile.FORMAT
        and isinstance(run.get("run_id"), str)
        and RUN_ID.fullmatch(run["run_id"]) is not None
        and type(run.get("schema_version")) is int
        and isinstance(entry.get("tags"), list)
        and all(map(tags.is_tag, entry["tags"]))
        and type(entry.get("rows")) is int
    )


def _packed(file: Path, entry: dict[str, Any], rest: Iterator[lines.Row]) -> Packed:
    rows = [row for _, row in zip(range(entry["rows"]), rest, strict=False)]
    if len(rows) != entry["rows"] or _digest(rows) != entry.get("sha256"):
        raise _damaged(file, f"the rows of {entry['run']['run_id']} are not those written")
    return Packed(entry["run"], tuple(entry["tags"]), rows)


def _damaged(file: Path, why: str) -> StoreError:
    return StoreError(f"{file} is damaged: {why}. Export the runs again.")


def _unpack(one: Packed, folder: Path) -> None:
    """Made aside and renamed: a kill leaves nothing that looks like a run."""
    aside = folder.with_name(f".import-{folder.name}-{secrets.token_hex(4)}")
    disk.make_folder(aside)
    try:
        samples = [lines.encode(n, Sample(**row)) for n, row in enumerate(one.rows, start=1)]
        disk.save(aside / SAMPLES, b"".join(samples))
        record = parquet.write(aside, one.rows)
        facts = {"rows": len(one.rows), "parquet": record}
        runfile.write(aside, {**one.run, "stored": facts})
        if one.tags:
            tags.change(aside, add=one.tags)
        disk.rename_new(aside, folder)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove_tree(aside)
        raise
    disk.sync_folder(folder.parent)
