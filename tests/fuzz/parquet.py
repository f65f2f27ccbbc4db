"""samples.parquet, damaged at will: `bench.store.parquet`."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from bench.errors import StoreError
from bench.store import parquet
from bench.store.lines import Row
from tests.fuzz import place
from tests.fuzz.promises import sentence
from tests.fuzz.shape import Shape, pieces
from tests.fuzz.target import Target
from tests.store_kit import row, sample


def check(data: bytes) -> None:
    """Raw bytes, or a good file with some of them changed: three bytes a change, where and what."""
    shape = Shape(data)
    raw, cut = shape.flag(), shape.flag()
    damaged = shape.rest() if raw else _damaged(shape.rest())
    file = place.file("samples.parquet", damaged[: len(damaged) // 2] if cut else damaged)
    try:
        parquet.read(file)
    except StoreError as error:
        sentence(error, file)
    try:
        parquet.note(file, b"regionbench.runs")
    except StoreError as error:
        sentence(error, file)
    try:
        assert parquet.verified(file, _record()) == _rows()
    except StoreError as error:
        sentence(error, file)


@cache
def _rows() -> list[Row]:
    return [row(sample(seq)) for seq in range(3)]


@cache
def _good() -> bytes:
    return parquet.encode(_rows())


@cache
def _record() -> dict[str, Any]:
    return {"rows": 3, "sha256": hashlib.sha256(_good()).hexdigest()}


def _damaged(changes: bytes) -> bytes:
    content = bytearray(_good())
    for change in pieces(changes, 3):
        where, what = int.from_bytes(change[:2], "little"), change[-1]
        content[-1 - where % len(content)] ^= what  # from the end: the footer is there
    return bytes(content)


TARGET = Target(
    "rows, or a StoreError; with a digest, exactly the rows that were written",
    check,
    (
        b"PAR1",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\x7f",
        b"\x15",
        b"\x19\x2c",
        b"\x80\x80\x80\x80\x08",
    ),
    max_bytes=40_000,
)
