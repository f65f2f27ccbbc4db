"""Stored runs → one tidy DataFrame, by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench import foreign, frame
from bench.errors import StoreError
from bench.model import Caution
from bench.store import (
    Local,
    Place,
    StoredRun,
    StoredTable,
    Where,
    checked,
    is_run,
    of_rows,
    read_file,
    read_table,
    run_folders,
)

if TYPE_CHECKING:
    import pandas as pd


def load(
    path: str | Path, columns: Sequence[str] | None = None, where: Where | None = None
) -> pd.DataFrame:
    """Every request under ``path`` as one row of a tidy DataFrame.

    ``path`` is a run folder, a ``results/`` folder of them, one ``samples`` file, or a file of one
    of the tools in `bench.foreign.READERS`; such files are found in folders too. Or it is the URL
    of a run or of a folder of runs, which fsspec opens (``s3://…``; the extra ``remote``).

    Columns are `bench.model.COLUMNS` and what `bench.frame.tidy` derives. With ``columns`` only
    these are read, and `bench.frame.KEYS`, which say what a row is. ``where`` leaves out rows as
    they are read: ``{"endpoint": ["global", "us-east-1"], "connection": "warm", "since":
    "2026-03-01", "until": "2026-04-01"}``; a value, a list of values, None for "says nothing", and
    instants from and before which a request must have started. It gives what the same choice from
    the whole frame would.

    ``df.attrs["runs"]`` holds each run's ``run.json``, ``df.attrs["cautions"]`` what was missing,
    damaged or skipped. Raises StoreError when there is no run at all, UsageError for a column that
    is none.
    """
    reading = _Reading(columns, where)
    if "://" in str(path):
        from bench.store import remote

        return reading.frame(reading.tables(remote.run_places(str(path))), str(path))
    return reading.frame(reading.of(Path(path)), str(path))


def load_runs(
    folders: Iterable[Path], columns: Sequence[str] | None = None, where: Where | None = None
) -> pd.DataFrame:
    """As `load`, of these run folders together; one that cannot be read is told as a caution.

    Raises StoreError when none can.
    """
    reading = _Reading(columns, where)
    return reading.frame(reading.tables(map(Local, folders)), "")


class _Reading:
    """What of each run is read, and what could not be."""

    def __init__(self, columns: Sequence[str] | None, where: Where | None) -> None:
        self._columns = columns
        self._stored = frame.needed(columns)
        self._where = checked(where) if where else None
        self._skipped: list[Caution] = []
        self._found = 0

    def frame(self, tables: Iterable[StoredTable], path: str) -> pd.DataFrame:
        """One frame of all of them, with what must be known of it. StoreError for none."""
        df = frame.joined(self._counted(tables), self._columns)
        if not self._found:
            why = self._skipped[0].text if self._skipped else "there is no run in it"
            at = f"Nothing to read in {path}: " if path else ""
            raise StoreError(f"{at}{why} Give a run folder or make a run first.")
        df.attrs["cautions"] = [*map(asdict, self._skipped), *df.attrs["cautions"]]
        return df

    def _counted(self, tables: Iterable[StoredTable]) -> Iterator[StoredTable]:
        for table in tables:
            self._found += 1
            yield table

    def tables(self, places: Iterable[Place]) -> Iterator[StoredTable]:
        """Each run that can be read; why the others cannot is kept."""
        for place in places:
            try:
                yield self._table(place)
            except StoreError as error:
                told = Caution("unreadable_run", f"{place.name} was skipped: {error}")
                self._skipped.append(told)

    def of(self, path: Path) -> Iterable[StoredTable]:
        """Run by run, those of a folder in the order of their names; with files of other tools in
        it, of their beginnings."""
        if is_run(path):
            return [self._table(Local(path))]
        if path.is_dir():
            strange, told = foreign.read_folder(path)
            self._skipped += told
            tables = self.tables(map(Local, run_folders(path)))
            mixed = [*tables, *map(self._rows, strange)] if strange else []
            return sorted(mixed, key=_started) if strange else tables
        return [self._rows(_read_file(path))]

    def _table(self, place: Place) -> StoredTable:
        return read_table(place, self._stored, self._where)

    def _rows(self, stored: StoredRun) -> StoredTable:
        return of_rows(stored.run, stored.rows, stored.cautions, self._stored, self._where)


def _started(one: StoredTable) -> str:
    return str(one.run.get("started_at"))


def _read_file(path: Path) -> StoredRun:
    reader = foreign.reader_of(path)
    if reader is not None:
        return reader.read(path)
    if path.suffix in (".json", ".txt") and path.is_file() and not is_run(path.parent):
        tools = ", ".join(foreign.READERS)
        raise StoreError(
            f"{path} is of no tool that can be read: give a file of {tools}, or a run."
        )
    if not path.is_file():
        raise StoreError(f"{path} is not there: give a run folder, a folder of runs or a file.")
    return read_file(path)
