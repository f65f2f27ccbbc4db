"""samples.parquet: the rows once more, for speed. Never the only copy that is made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import StoreError
from bench.model import COLUMNS, SCHEMA_VERSION
from bench.store import disk, runfile
from bench.store.lines import Row, column_types, item_types, with_tuples
from bench.words import brief

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "samples.parquet"
_LINES = "give the path of samples.jsonl, which has all rows"
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
    return {"rows": len(rows), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def encode(rows: list[Row], notes: Mapping[bytes, bytes] | None = None) -> bytes:
    """The bytes of the file; ``notes`` go into its footer, for `note` to find."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = schema()
    sink = pa.BufferOutputStream()
    try:
        # Column by column: pyarrow's own from_pylist takes eight times as long
        arrays = [
            pa.array([row[name] for row in rows], columns.field(name).type) for name in COLUMNS
        ]
        about = {**columns.metadata, **(notes or {})}
        table = pa.Table.from_arrays(arrays, schema=columns.with_metadata(about))
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise StoreError(
            f"{NAME} could not be made: {brief(error)}; use samples.jsonl, which has all rows."
        ) from error
    return bytes(sink.getvalue())


def schema() -> pa.Schema:
    """Explicit, so that a column without a single value keeps its type."""
    import pyarrow as pa

    plain: dict[type, Any] = {
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        str: pa.string(),
    }
    items = {name: pa.list_(plain[item]) for name, item in item_types().items()}
    kinds = column_types()
    columns = [pa.field(name, items.get(name) or plain[kinds[name]]) for name in COLUMNS]
    return pa.schema(columns, metadata={_VERSION_KEY: str(SCHEMA_VERSION)})


def verified(path: Path, record: dict[str, Any]) -> list[Row]:
    """The rows, if the file is bit for bit the one recorded; page checksums leave the footer open.

    StoreError says what is wrong with it.
    """
    if not path.exists():
        raise StoreError(f"{path} is missing: {_LINES}.")
    with disk.explained(f"read {path}"):
        data = disk.read(path)
    if hashlib.sha256(data).hexdigest() != record.get("sha256"):
        raise StoreError(f"{path} is damaged: it is not the file that was written; {_LINES}.")
    rows = read(path)
    if len(rows) != record.get("rows"):
        said = brief(record.get("rows"), 20)
        raise StoreError(f"{path} has {len(rows)} rows, and run.json says {said}; {_LINES}.")
    return rows


def read(path: Path) -> list[Row]:
    """The rows of a file, every column present. StoreError for anything that is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_version(path, file.schema_arrow)
            return _rows(file.read())
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path} is damaged: it cannot be read as Parquet; {_LINES}.") from error


def note(path: Path, key: bytes) -> bytes | None:
    """What the file's footer says under ``key``. StoreError for anything that is not Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = (pq.read_schema(path).metadata or {}).get(key)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{path} is damaged: it cannot be read as Parquet; {_LINES}.") from error
    return None if found is None else bytes(found)


def _check_version(path: Path, found: pa.Schema) -> None:
    text = (found.metadata or {}).get(_VERSION_KEY, b"")
    if not text.isdigit():
        raise StoreError(f"{path} is no file of regionbench: it has no schema version; {_LINES}.")
    if int(text) > SCHEMA_VERSION:
        raise runfile.newer(path, int(text))


def _rows(table: pa.Table) -> list[Row]:
    import pyarrow as pa

    for field in schema():
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    rows: list[Row] = table.select(list(COLUMNS)).cast(schema()).to_pylist()
    return [with_tuples(row) for row in rows]
