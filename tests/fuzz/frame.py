"""Rows and runs as they may stand in files → DataFrame and Parquet: `bench.frame`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from bench.errors import StoreError
from bench.frame import DERIVED, tidy
from bench.model import COLUMNS
from bench.store import lines, parquet, strict
from tests.fuzz.jsonl import framed
from tests.fuzz.promises import sentence
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """The first line is laid over a run, each other one is a row with a right checksum."""
    first, _, rest = data.partition(b"\n")
    rows = lines.scan_lines(framed(rest).splitlines(keepends=True)).rows
    frame = tidy(rows, [_run(first)])
    assert list(frame.columns) == [*COLUMNS, *DERIVED]
    assert len(frame) == len(rows)
    for name in ("server_e2e_ms", "retry_after_s", "cost_usd"):
        known = frame[name].dropna().to_numpy(dtype=float)
        assert np.isfinite(known).all(), name
    frame["error"].str.len()
    _written(rows)


def _run(text: bytes) -> dict[str, Any]:
    try:
        found = strict.parse(text.decode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {"endpoints": found}


def _written(rows: list[lines.Row]) -> None:
    try:
        parquet.encode(rows)
    except StoreError as error:
        sentence(error, "samples.parquet")


TARGET = Target(
    "a frame of all rows in their types; Parquet of them, or a StoreError",
    check,
    tuple(f'"{name}":'.encode() for name in COLUMNS)
    + (b'{"seq":0}\n', b'"\\ud800"', b"NaN", b"1e999", b"9" * 30, b"-1", b"null", b"{}", b"[1]")
    + (b'"2026-03-14T09:00:00.000000+00:00"', b"true", b'"ok"', b'{"endpoints":[{"name":"a"}]}\n')
    + (
        b'"9999999-01-01"',
        b"1e300",
        b"0.5",
        b'[1,"a"]',
        b'{"name":null}',
        json.dumps("é").encode(),
    ),
)
