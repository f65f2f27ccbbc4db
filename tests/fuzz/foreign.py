"""Result files of other tools: `bench.foreign`."""

from __future__ import annotations

from bench.errors import StoreError
from bench.foreign import READERS, aiperf_jsonl, reader_of
from bench.frame import tidy
from bench.model import COLUMNS
from tests.fuzz import place
from tests.fuzz.promises import sentence, told
from tests.fuzz.shape import Shape
from tests.fuzz.target import Target, Words


def check(data: bytes) -> None:
    """A run whose rows have every column, or a sentence."""
    shape = Shape(data)
    reader, framed = READERS[shape.one_of(list(READERS))], shape.byte() % 16 == 1
    file = place.file("own.json", shape.rest())
    place.file(aiperf_jsonl.BESIDE, shape.rest())
    reader_of(file)
    try:
        stored = reader.read(file)
    except StoreError as error:
        sentence(error, file)
        return
    told(stored.cautions, file)
    assert stored.rows
    assert all(set(row) == set(COLUMNS) for row in stored.rows)
    assert str(stored.run["run_id"]).isprintable()
    if framed:
        tidy(stored.rows, [stored.run])


_K6: Words = (
    b'{"type":"Point","metric":"http_reqs","data":{"time":"2026-03-14T09:00:00Z","value":1}}\n',
)
_K6 += (b'"tags":', b'"url":"https://a.test/v1"', b'"status":"200"', b'"http_req_duration"')
_CURL: Words = (
    b"time_total=1 ",
    b"exitcode=0 ",
    b"response_code=200 ",
    b"url_effective=https://a.test ",
)
_CURL += (b'"time_total":', b'"errormsg":', b'"num_connects":', b"started_at=2026-03-14T09:00:00Z ")
_AIPERF: Words = (
    b'{"metadata":{"request_start_ns":1,"request_end_ns":2},"metrics":{}}\n',
    b'"value":',
)
_AIPERF += (b'"unit":"ms"', b'"time_to_first_token":', b'"error":', b'"inter_chunk_latency":')
_PYTEST: Words = (b'{"machine_info":{},"benchmarks":[', b'"stats":{"data":[1]}', b'"extra_info":')
_PYTEST += (b'"regionbench":{"rows":[{"seq":0}]}', b'"datetime":', b'"name":', b'"fullname":')

TARGET = Target(
    "a run whose rows have every column, or a StoreError that names the file",
    check,
    (*_K6, *_CURL, *_AIPERF, *_PYTEST, b'"\\ud800"', b"NaN", b"1e999", b"9" * 30, b"[[[[", b"\xff")
    + (b"\x00", b"\xef\xbb\xbf", b"\n", b"null", b"-1", b"[]", b"{}", b"https://[", b"::1]"),
    max_bytes=8192,
)
