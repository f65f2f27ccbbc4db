"""Stored runs → one tidy DataFrame, by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import foreign, frame
from bench.errors import StoreError
from bench.model import Caution
from bench.store import (
    Local,
    Place,
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
    wanted = _Wanted(columns, where)
    if "://" in str(path):
        from bench.store import remote

        return wanted.of(remote.run_places(str(path)), str(path))
    return wanted.frame(*_read(Path(path), wanted))


def load_runs(
    folders: Iterable[Path], columns: Sequence[str] | None = None, where: Where | None = None
) -> pd.DataFrame:
    """As `load`, of these run folders together; one that cannot be read is told as a caution.

    Raises StoreError when none can.
    """
    return _Wanted(columns, where).of(map(Local, folders), "")


class _Wanted:
    """What of each run is to be read."""

    def __init__(self, columns: Sequence[str] | None, where: Where | None) -> None:
        self._columns = columns
        self._stored = frame.needed(columns)
        self._where = checked(where) if where else None

    def of(self, places: Iterable[Place], path: str) -> pd.DataFrame:
        """The frame of the runs in these places."""
        found, skipped = self.read_all(places)
        if not found:
            why = skipped[0].text if skipped else "there is no run to load"
            at = f"Nothing to read in {path}: " if path else ""
            raise StoreError(f"{at}{why} Give a run folder or make a run first.")
        return self.frame(found, skipped)

    def read_all(self, places: Iterable[Place]) -> tuple[list[StoredTable], list[Caution]]:
        """Each run that can be read, and why the others cannot."""
        found: list[StoredTable] = []
        skipped: list[Caution] = []
        for place in places:
            try:
                found.append(self.read(place))
            except StoreError as error:
                skipped.append(Caution("unreadable_run", f"{place.name} was skipped: {error}"))
        return found, skipped

    def read(self, place: Place) -> StoredTable:
        """One run; StoreError when it cannot be read."""
        return read_table(place, self._stored, self._where)

    def rows(self, stored: foreign.StoredRun) -> StoredTable:
        """One run whose rows are here already."""
        return of_rows(stored.run, stored.rows, stored.cautions, self._stored, self._where)

    def frame(self, found: list[StoredTable], skipped: Sequence[Caution] = ()) -> pd.DataFrame:
        """One frame of all of them, with what must be known of it; empties ``found``."""
        meant = [one for one in found if not one.missed]
        told = [*skipped, *(caution for one in meant for caution in one.cautions)]
        told += _left_out(len(found) - len(meant), len(found))
        runs = [one.run for one in meant]
        found.clear()
        df = frame.joined(_given_away(meant), runs, self._columns)
        df.attrs["cautions"] = [{"code": c.code, "text": c.text, "advice": c.advice} for c in told]
        return df


def _given_away(tables: list[StoredTable]) -> Iterable[StoredTable]:
    """One after the other, and none kept: the frame takes their place in memory."""
    tables.reverse()
    while tables:
        yield tables.pop()


def _left_out(missed: int, of: int) -> list[Caution]:
    if not missed:
        return []
    text = f"{missed} of {of} runs have no row that was asked for: they are not in the frame."
    return [Caution("filtered_out", text)]


def _read(path: Path, wanted: _Wanted) -> tuple[list[StoredTable], list[Caution]]:
    """Run by run, those of a folder in the order in which they began."""
    if path.is_dir() and not is_run(path):
        return _read_folder(path, wanted)
    if is_run(path):
        return [wanted.read(Local(path))], []
    reader = foreign.reader_of(path)
    if reader is not None:
        return [wanted.rows(reader.read(path))], []
    if path.suffix in (".json", ".txt") and path.is_file() and not is_run(path.parent):
        tools = ", ".join(foreign.READERS)
        raise StoreError(
            f"{path} is of no tool that can be read: give a file of {tools}, or a run."
        )
    if path.is_file():
        return [wanted.rows(read_file(path))], []
    return [], []


def _read_folder(path: Path, wanted: _Wanted) -> tuple[list[StoredTable], list[Caution]]:
    strange, told = foreign.read_folder(path)
    found, skipped = wanted.read_all(map(Local, run_folders(path)))
    told += skipped
    found += map(wanted.rows, strange)
    if not found:
        why = told[0].text if told else "there is no run in it"
        raise StoreError(f"Nothing to read in {path}: {why} Give a run folder or make a run first.")
    found.sort(key=lambda one: str(one.run.get("started_at")))
    return found, told
