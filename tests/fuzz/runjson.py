"""run.json and tags.json, damaged at will, and who reads them: the reader, the shelf, resuming."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import RegionbenchError, StoreError
from bench.history.batch import batches, find
from bench.resuming import read_rest
from bench.store import lines, read_heads, read_run, runfile, tags
from tests.fuzz.jsonl import run_folder
from tests.fuzz.promises import sentence, told
from tests.fuzz.shape import Shape
from tests.fuzz.target import Target
from tests.store_kit import run, sample


def check(data: bytes) -> None:
    """Raw, or a good document with what the bytes say laid over it, its checksum right."""
    shape = Shape(data)
    over = shape.flag()
    folder = run_folder(b"".join(lines.encode(n, sample(n)) for n in (1, 2)))
    (folder / runfile.NAME).write_bytes(_document(shape.rest()) if over else shape.rest())
    (folder / tags.NAME).write_bytes(shape.rest())
    _read(folder)
    _shelved(folder)
    _resumed(folder)


def _document(data: bytes) -> bytes:
    try:
        over = json.loads(data)
        content = {**_good(), **(over if isinstance(over, dict) else {"plan": over})}
        return json.dumps({"crc": runfile.crc(content), **content}).encode()
    except (ValueError, RecursionError):
        return data


@cache
def _good() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(runfile.document(run(10)), default=str))
    return found


def _read(folder: Path) -> None:
    try:
        stored = read_run(folder)
    except StoreError as error:
        sentence(error, folder)
        return
    assert len(stored.rows) == 2
    told(stored.cautions, folder)
    json.dumps(stored.run, allow_nan=False).encode()


def _shelved(folder: Path) -> None:
    heads, skipped = read_heads(folder.parent)
    assert len(heads) + len(skipped) == 1
    told((*skipped, *(one for head in heads for one in head.cautions)), folder)
    try:
        known = batches(folder.parent)
    except StoreError as error:
        sentence(error, folder.parent)
        return
    assert known[0].status
    assert find(known, str(folder)) == known[0].heads


def _resumed(folder: Path) -> None:
    try:
        rest = read_rest(folder)
    except RegionbenchError as error:
        sentence(error, folder)
        return
    assert set(rest.measured) <= {one["name"] for one in rest.run["endpoints"]}


TARGET = Target(
    "a run or a StoreError; its rows are read all the same, or the sentence says how",
    check,
    tuple(f'"{name}":'.encode() for name in run(1).__dataclass_fields__)
    + (b'"format":"regionbench run"', b'"stored":{"rows":3}', b'"parquet":{}', b'"\\ud800"', b"NaN")
    + (b"1e999", b"9" * 30, b"[[[[[[", b"null", b"{}", b"[]", b"true", b'"complete"', b'"running"')
    + (
        b'"before":[{"rows":1}]',
        b'"watch":{"gaps":[{"words":"w"}]}',
        b'{"format":"regionbench tags"',
    )
    + (b'"tags":["a"]', b"\xef\xbb\xbf", b"\x00", b'"plan":{"rounds":1}', b'"schema_version":9'),
)
