"""samples.parquet: the rows once more, for speed. Never the only copy that is made."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bench.errors import StoreError
from bench.model import COLUMNS, SCHEMA_VERSION
from bench.store import disk, runfile
from bench.store.columns import arrow_type
from bench.store.lines import Row, column_types, with_tuples
from bench.words import brief

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from bench.store.places import Place

NAME = "samples.parquet"
WRITING: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_LINES = "give the path of samples.jsonl, which has all rows"
_PACK = "restore that pack from a copy, for no other file has its rows"
_NO_PARQUET = "it cannot be read as Parquet"
_TAIL = 8
_GUESS = 1 << 16
_EACH_ITS_OWN = ("started_at", "request_id", "request_sha256")
_VERSION_KEY = b"regionbench.schema_version"


def write(folder: Path, rows: list[Row]) -> dict[str, Any]:
    """Compacts rows, in place only when what was written reads back as the same rows.

    Returns what a reader needs to know the file again: rows, bytes, sha256.
    """
    data = encode(rows)

    def check(temporary: Path) -> None:
        if read(temporary) != rows:
            raise StoreError(
                f"{folder / NAME} did not read back as it was written: check the disk. "
                f"The rows are whole in samples.jsonl."
            )

    disk.replace(folder / NAME, data, check)
    return {"rows": len(rows), **vouched(data)}


def vouched(data: bytes) -> dict[str, Any]:
    """What a reader needs to know a file again, as a whole or by its footer alone."""
    footer = hashlib.sha256(data[_footer_at(len(data), data[-_TAIL:]) :]).hexdigest()
    whole = hashlib.sha256(data).hexdigest()
    return {"bytes": len(data), "sha256": whole, "footer_sha256": footer}


def _footer_at(size: int, tail: bytes) -> int:
    """Where the footer begins: its length stands before the last four bytes."""
    return size - _TAIL - int.from_bytes(tail[:4], "little")


def encode(rows: list[Row], notes: Mapping[bytes, bytes] | None = None) -> bytes:
    """The bytes of the file; ``notes`` go into its footer, for `note` to find."""
    import pyarrow as pa

    columns = schema()
    try:
        # Column by column: pyarrow's own from_pylist takes eight times as long
        arrays = [
            pa.array([row[name] for row in rows], columns.field(name).type) for name in COLUMNS
        ]
        return encode_table(pa.Table.from_arrays(arrays, schema=columns), notes)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise StoreError(
            f"{NAME} could not be made: {brief(error)}; use samples.jsonl, which has all rows."
        ) from error


def encode_table(table: pa.Table, notes: Mapping[bytes, bytes] | None = None) -> bytes:
    """As `encode`, of rows that are columns already."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {**schema().metadata, **(notes or {})}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), sink, **WRITING)
    return bytes(sink.getvalue())


def schema() -> pa.Schema:
    """Explicit, so that a column without a single value keeps its type."""
    import pyarrow as pa

    columns = [pa.field(name, arrow_type(name)) for name in COLUMNS]
    return pa.schema(columns, metadata={_VERSION_KEY: str(SCHEMA_VERSION)})


def verified(path: Path, record: dict[str, Any]) -> list[Row]:
    """The rows, if the file is bit for bit the one recorded; page checksums leave the footer open.

    StoreError says what is wrong with it.
    """
    if not path.exists():
        raise StoreError(f"{path} is missing: {_LINES}.")
    with disk.explained(f"read {path}"):
        data = disk.read(path)
    _check(str(path), hashlib.sha256(data).hexdigest() == record.get("sha256"), record)
    rows = read(path)
    if len(rows) != record.get("rows"):
        raise _miscounted(path, len(rows), record)
    return rows


def _miscounted(path: object, found: int, record: Mapping[str, Any]) -> StoreError:
    said = brief(record.get("rows"), 20)
    return StoreError(f"{path} has {found} rows, and run.json says {said}; {_remedy(record)}.")


def _damaged(path: object, why: str, record: Mapping[str, Any] | None = None) -> StoreError:
    return StoreError(f"{path} is damaged: {why}; {_remedy(record or {})}.")


def _remedy(record: Mapping[str, Any]) -> str:
    return _PACK if "groups" in record else _LINES


@contextmanager
def open_columns(place: Place, name: str, record: Mapping[str, Any]) -> Iterator[pq.ParquetFile]:
    """The file, to be read by column: its footer is bit for bit the recorded one, and each page
    that is read is checked by its checksum. With a record from before footers had theirs all of it
    is read.

    StoreError says what is wrong with it, also when that shows only while it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = place.path(name)
    with disk.explained(f"read {path}"):
        file = place.open(name)
    with file:
        try:
            source, footer = _vouched_for(path, file, record)
            about = _metadata(footer)
            texts = [one for one in about.schema.names if _repeats(one)]
            found = pq.ParquetFile(
                source, metadata=about, read_dictionary=texts, page_checksum_verification=True
            )
            _check_version(path, about.metadata)
            yield found
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
            raise _damaged(path, _NO_PARQUET, record) from error


def _repeats(name: str) -> bool:
    """Whether a column holds few texts, so that places in a list of them stand for a row's."""
    return column_types().get(name) is str and name not in _EACH_ITS_OWN


@lru_cache(maxsize=4)
def _metadata(footer: bytes) -> pq.FileMetaData:
    """Kept for the other runs of a pack."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_metadata(pa.BufferReader(footer))


def _vouched_for(path: str, file: BinaryIO, record: Mapping[str, Any]) -> tuple[BinaryIO, bytes]:
    if "footer_sha256" not in record:
        data = file.read()
        _check(path, hashlib.sha256(data).hexdigest() == record.get("sha256"), record)
        return io.BytesIO(data), data
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _GUESS))
    end = file.read()
    at = _footer_at(size, end[-_TAIL:])
    _check(path, size == record["bytes"] and 0 <= at < size, record)
    if at < size - len(end):
        file.seek(at)
        end = file.read()
    footer = end[at - size :]
    _check(path, hashlib.sha256(footer).hexdigest() == record["footer_sha256"], record)
    return file, footer


def _check(path: str, holds: bool, record: Mapping[str, Any]) -> None:
    if not holds:
        raise _damaged(path, "it is not the file that was written", record)


def read(path: Path) -> list[Row]:
    """The rows of a file, every column present. StoreError for anything that is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_version(path, file.metadata.metadata)
            return rows_of(file.read())
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, _NO_PARQUET) from error


def note(path: Path, key: bytes) -> bytes | None:
    """What the file's footer says under ``key``. StoreError for anything that is not Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = (pq.read_schema(path).metadata or {}).get(key)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, _NO_PARQUET) from error
    return None if found is None else bytes(found)


def _check_version(path: object, notes: Mapping[bytes, bytes] | None) -> None:
    text = (notes or {}).get(_VERSION_KEY, b"")
    if not text.isdigit():
        raise StoreError(f"{path} is no file of regionbench: it has no schema version; {_LINES}.")
    if int(text) > SCHEMA_VERSION:
        raise runfile.newer(path, int(text))


def groups(file: pq.ParquetFile, record: Mapping[str, Any]) -> range:
    """The row groups of a run: all of its own file, some of a pack. StoreError when they hold
    other than its rows."""
    first, count = record.get("groups") or (0, file.num_row_groups)
    found = range(first, min(first + count, file.num_row_groups))
    rows = sum(file.metadata.row_group(at).num_rows for at in found)
    if rows != record["rows"]:
        raise _miscounted(record.get("file", NAME), rows, record)
    return found


def rows_of(table: pa.Table) -> list[Row]:
    """The rows of a table, every column present."""
    import pyarrow as pa

    for field in schema():
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    rows: list[Row] = table.select(list(COLUMNS)).cast(schema()).to_pylist()
    return [with_tuples(row) for row in rows]
