"""Runs from disk by column: what `bench.store.reader` reads row by row, without its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import StoreError
from bench.model import COLUMNS, Caution
from bench.store import parquet, reader, runfile
from bench.store.columns import Column, Where, any_of, arrow_type, asked_of, chosen, table_of
from bench.store.places import Place

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True)
class StoredTable:
    """``run`` is run.json as it stands; ``table`` has the columns that were asked for, every row
    of the run, or none when none was meant. ``kept`` says which rows are: None for all.
    """

    run: dict[str, Any]
    table: pa.Table
    kept: Column | None = None
    cautions: tuple[Caution, ...] = ()

    @property
    def missed(self) -> bool:
        """Whether the choice of rows left nothing of it."""
        return self.kept is not None and len(self.kept) > len(self.table)


def of_rows(
    run: dict[str, Any],
    rows: Sequence[Mapping[str, Any]],
    cautions: Sequence[Caution] = (),
    columns: Sequence[str] = COLUMNS,
    where: Where | None = None,
) -> StoredTable:
    """A run whose rows have been read, or come from elsewhere."""
    if not where:
        return StoredTable(run, table_of(rows, columns), None, tuple(cautions))
    kept = chosen(table_of(rows, asked_of(where)), where)
    meant = rows if any_of(kept) else ()
    return StoredTable(run, table_of(meant, columns), kept, tuple(cautions))


def read_table(
    place: Place, columns: Sequence[str] = COLUMNS, where: Where | None = None
) -> StoredTable:
    """The run in a folder, as `bench.store.reader.read_run`, of which only these columns are read.

    Of a run that has no row with ``where`` only the columns that this takes are read. StoreError
    names what makes the run unreadable, and the remedy.
    """
    live = place.live()
    run, intact = runfile.read_at(place)
    told = [] if intact else [reader.edited(place.path(runfile.NAME))]
    if (record := reader.vouched(run)) is not None:
        try:
            table, kept = _read_columns(place, record, columns, where)
            told += reader.circumstances(run, record["rows"], live)
            return StoredTable(run, table, kept, tuple(told))
        except StoreError as error:
            told.append(reader.not_by_parquet(error, record))
    rows, more = reader.lines_of(place, run, live)
    told += more + reader.circumstances(run, len(rows), live)
    return of_rows(run, rows, told, columns, where)


def _read_columns(
    place: Place, record: Mapping[str, Any], columns: Sequence[str], where: Where | None
) -> tuple[pa.Table, Column | None]:
    name = str(record.get("file", parquet.NAME))
    with parquet.open_columns(place, name, record) as file:
        groups = parquet.groups(file, record)
        if not where:
            return _read(file, groups, columns), None
        looked_at = _read(file, groups, asked_of(where))
        kept = chosen(looked_at, where)
        if not any_of(kept):
            return table_of((), columns), kept
        rest = [one for one in columns if one not in looked_at.column_names]
        return _joined(looked_at, _read(file, groups, rest), columns), kept


def _joined(one: pa.Table, other: pa.Table, columns: Sequence[str]) -> pa.Table:
    for name in one.column_names:
        other = other.append_column(name, one[name])
    return other.select(list(columns))


def _read(file: pq.ParquetFile, groups: range, columns: Sequence[str]) -> pa.Table:
    """These columns, in this order: null where the file is from before there was such a one."""
    import pyarrow as pa

    held = set(file.schema_arrow.names)
    table = file.read_row_groups(list(groups), [name for name in columns if name in held])
    rows = sum(file.metadata.row_group(at).num_rows for at in groups)
    for name in columns:
        if name not in held:
            table = table.append_column(name, pa.nulls(rows, arrow_type(name)))
    return table.select(list(columns))
