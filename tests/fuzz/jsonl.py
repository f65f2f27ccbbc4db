"""Rows on disk, damaged at will: `bench.store.lines`, `reader`, `repair`, `reopen`, `writer`."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

from bench.errors import StoreError
from bench.model import COLUMNS
from bench.store import lines, read_run, reopen, repair, runfile
from bench.store.writer import SAMPLES
from tests.fuzz import place
from tests.fuzz.promises import sentence, told
from tests.fuzz.shape import Shape
from tests.fuzz.target import Target
from tests.store_kit import row, run, sample

_FREE_SEQ = 987_654_321


def check(data: bytes) -> None:
    """What is whole is read, repaired and appended to; nothing is invented, thrown away or read
    twice."""
    shape = Shape(data)
    content = framed(shape.rest()) if shape.flag() else shape.rest()
    folder = run_folder(content)
    before = read_run(folder)
    told(before.cautions, folder)
    genuine = [
        found[1] for raw in content.splitlines(keepends=True) if (found := lines.decode(raw))
    ]
    assert all(one in genuine for one in before.rows), "a row that is in no line"
    assert all(one["seq"] in {kept["seq"] for kept in before.rows} for one in genuine), "a row lost"
    assert all(set(one) == set(COLUMNS) for one in before.rows)
    _repaired(folder, content, before.rows)
    _appended(folder, before.rows)


def framed(data: bytes) -> bytes:
    """Each line as the row of a line whose checksum is right; the number is the line's own."""
    rows = data.splitlines()
    return b"".join(_frame(number, one) for number, one in enumerate(rows, start=1))


def _frame(number: int, one: bytes) -> bytes:
    """``123 {…}`` is line 123."""
    named, blank, rest = one.partition(b" ")
    if blank and named.isdigit() and len(named) <= 18 and not named.startswith(b"0"):
        number, one = int(named), rest
    crc = zlib.crc32(one, zlib.crc32(b"%d:" % number))
    return b'{"line":%d,"crc":"%08x","row":%b}\n' % (number, crc, one)


def run_folder(content: bytes) -> Path:
    """A run that was killed, with these bytes for rows."""
    folder = place.folder() / "results" / "r1"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    runfile.write(folder, runfile.document(run(10)))
    (folder / SAMPLES).write_bytes(content)
    return folder


def _repaired(folder: Path, content: bytes, rows: list[lines.Row]) -> None:
    told(repair(folder), folder)
    assert repair(folder) == (), "a second repair found something to do"
    assert read_run(folder).rows == rows
    kept = (folder / SAMPLES).read_bytes()
    aside = b"".join(path.read_bytes() for path in folder.glob(f"{SAMPLES}.*"))
    assert sorted(kept + aside) == sorted(content), "bytes were thrown away"


def _appended(folder: Path, rows: list[lines.Row]) -> None:
    more = sample(_FREE_SEQ)
    if any(one["seq"] == _FREE_SEQ for one in rows):
        return
    with reopen(folder).writer(run(10)) as writer:
        try:
            writer.append(more)
        except StoreError as error:
            sentence(error, "line 1000000000000000000")
            return
    assert read_run(folder).rows == [*rows, row(more)], "what was acknowledged is not there"


TARGET = Target(
    "what is whole is read, repair is idempotent and loses no byte, an appended row is there",
    check,
    (b'{"seq":0}\n', b'"seq":', b'"line":', b'"crc":"', b'"row":{', b"}}\n", b'"outcome":"ok"')
    + (b'"\\ud800"', b"NaN", b"1e999", b"9" * 30, b"[[[[[[", b"\x00", b"\xef\xbb\xbf", b"\xff")
    + (b"999999999999999999 {", b"2 {", b'"token_offsets_ns":[1]', b"-Infinity", b"\r\n", b"null"),
)
