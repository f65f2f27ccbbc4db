"""The line: one row as JSON, numbered and checksummed.

    {"line":12,"crc":"1a2b3c4d","row":{"run_id":"…","seq":11,…}}

``crc`` is the CRC-32 of ``12:`` and the bytes of the row. The row's fields come in the order of
`bench.model.COLUMNS`; a field that is None is left out, so a reader fills in what it does not
find: the same rule serves files from before a column existed.
"""

from __future__ import annotations

import json
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from bench.errors import StoreError
from bench.model import COLUMNS, Sample
from bench.store import disk, strict

Row = dict[str, Any]

_LINE = re.compile(
    rb'\{"line":([1-9][0-9]{0,17}),"crc":"([0-9a-f]{8})","row":(\{.*\})\}\n', re.DOTALL
)
_INT64 = 1 << 63
_LAST = 10**18 - 1
_PIECE = 1 << 20
_values = attrgetter(*COLUMNS)
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def encode(line: int, sample: Sample) -> bytes:
    """The line of a sample. StoreError names a field whose value is not of its type, and
    refuses a number that `decode` would not know."""
    if line > _LAST:
        raise StoreError(f"A run has no line {line}: its numbers are used up, so start a new run.")
    fields = {
        name: value
        for name, value in zip(COLUMNS, _values(sample), strict=True)
        if value is not None
    }
    row = _row_bytes(fields)
    crc = zlib.crc32(row, zlib.crc32(b"%d:" % line))
    return b'{"line":%d,"crc":"%08x","row":%b}\n' % (line, crc, row)


def plain(sample: Sample) -> Row:
    """The row of a sample in JSON's types, without what is None. StoreError as `encode`."""
    fields = zip(COLUMNS, _values(sample), strict=True)
    return _fitted({name: value for name, value in fields if value is not None})


def _row_bytes(fields: Row) -> bytes:
    try:
        text = _to_json(fields) if _plain(fields) else _to_json(_fitted(fields))
    except ValueError:
        text = _to_json(_fitted(fields))
    # A pair of surrogates is a character, a lone one is none: the slow way tells them apart
    return (_to_json(_fitted(fields)) if "\\ud" in text else text).encode()


def _plain(fields: Row) -> bool:
    """Whether every value has its column's very type: nearly all rows, and worth the short way."""
    kinds = column_types()
    for name, value in fields.items():
        kind = type(value)
        if kind is not kinds[name] or (kind is int and not -_INT64 <= value < _INT64):
            return False
    return all({*map(type, fields.get(name, ()))} <= {item} for name, item in item_types().items())


@cache
def column_types() -> dict[str, type]:
    """The type of each column, its None aside; tuple for a list."""
    return {name: get_origin(hint) or hint for name, hint in _hints().items()}


@cache
def item_types() -> dict[str, type]:
    """The columns that are lists, and the type of their items."""
    return {name: get_args(hint)[0] for name, hint in _hints().items() if get_origin(hint) is tuple}


def _hints() -> dict[str, Any]:
    hints = get_type_hints(Sample)
    return {name: _without_none(hints[name]) for name in COLUMNS}


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    return next(part for part in get_args(hint) if part is not NoneType)


def _fitted(fields: Row) -> Row:
    """What JSON and Parquet can hold: no lone surrogates, no NaN or infinity, no number over 64
    bits. Servers can send all of them; a row must not be lost over it."""
    kinds = column_types()
    fitted = {name: _fit(name, value, kinds[name]) for name, value in fields.items()}
    return {name: value for name, value in fitted.items() if value is not None}


def _fit(name: str, value: Any, kind: type) -> Any:
    if kind is tuple and isinstance(value, tuple | list):
        return [_fit(name, item, item_types()[name]) for item in value]
    if kind is str and isinstance(value, str):
        return strict.whole(value)
    if kind is float and isinstance(value, int | float):
        return float(value) if abs(value) < _INT64 and math.isfinite(value) else None
    if kind is int and isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else None
    if kind is type(value):
        return value
    raise StoreError(
        f"The row's {name} is {type(value).__name__}, not {kind.__name__}: "
        f"this is a defect of the client that made the row; please report it."
    )


def decode(raw: bytes) -> tuple[int, Row] | None:
    """Number and row of one whole line, every column present; None when it is damaged."""
    match = _LINE.fullmatch(raw)
    if match is None:
        return None
    number, crc, row = match.groups()
    if zlib.crc32(row, zlib.crc32(number + b":")) != int(crc, 16):
        return None
    try:
        return int(number), completed(strict.parse(row.decode()))
    except (ValueError, TypeError, AttributeError):
        return None


def completed(fields: Row) -> Row:
    """Every column of a row, None where it says nothing. TypeError when it is none."""
    row = {name: fields.get(name) for name in COLUMNS}
    if type(row["seq"]) is not int:
        raise TypeError("a row without its seq")
    return with_tuples(row)


def with_tuples(row: Row) -> Row:
    """Lists as the tuples that the sample had, so that ``Sample(**row)`` is that sample."""
    for name in item_types():
        if row[name] is not None:
            row[name] = tuple(row[name])
    return row


@dataclass(slots=True)
class Scan:
    """What a samples.jsonl holds. ``end`` is where its last whole line ends."""

    rows: list[Row] = field(default_factory=list)
    end: int = 0
    last_line: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)
    tail: bytes = b""
    doubled: int = 0
    missing_lines: int = 0


def scan(path: Path) -> Scan:
    """Reads every row that is whole, each ``seq`` once. Raises OSError only."""
    with os.fdopen(disk.open_plain(path, os.O_RDONLY), "rb") as file:
        return scan_lines(file)


def count(path: Path) -> int:
    """How many lines end in it, whole or damaged. Raises OSError only."""
    with os.fdopen(disk.open_plain(path, os.O_RDONLY), "rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_PIECE), b""))


def scan_lines(raw_lines: Iterable[bytes]) -> Scan:
    """As `scan`, of lines that come from anywhere."""
    found, seen, numbers = Scan(), set[int](), set[int]()
    loose: list[tuple[int, int]] = []
    tail: list[bytes] = []
    for start, raw in _offsets(raw_lines):
        decoded = decode(raw)
        if decoded is None:
            loose.append((start, start + len(raw)))
            tail.append(raw)
            continue
        found.damaged += loose
        loose, tail = [], []
        found.end = start + len(raw)
        number, row = decoded
        numbers.add(number)
        _keep(found, seen, row)
    found.tail = b"".join(tail)
    found.last_line = max(numbers, default=0)
    found.missing_lines = found.last_line - len(numbers)
    return found


def _offsets(raw_lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    start = 0
    for raw in raw_lines:
        yield start, raw
        start += len(raw)


def _keep(found: Scan, seen: set[int], row: Row) -> None:
    if row["seq"] in seen:
        found.doubled += 1
        return
    seen.add(row["seq"])
    found.rows.append(row)
