"""Lines of k6, curl and AIPerf become rows: units and beginnings are ours, nothing is guessed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

import bench
from bench.catalogue import load_catalogue
from bench.errors import StoreError
from bench.foreign import READERS, curl_lines, reader_of
from bench.foreign.reading import MOST_BYTES
from bench.simulator import Fleet
from bench.stats import summarise
from bench.store import StoredRun
from tests.programs import require_program

DATA = Path(__file__).parent / "data" / "foreign"
FILES = {
    "k6": DATA / "k6.json",
    "curl": DATA / "curl.jsonl",
    "AIPerf": DATA / "aiperf" / "profile_export.jsonl",
}


def read(file: Path) -> StoredRun:
    found = reader_of(file)
    assert found is not None
    return found.read(file)


def rows(tool: str) -> list[dict[str, Any]]:
    return read(FILES[tool]).rows


def known(row: Mapping[str, Any], *names: str) -> list[Any]:
    return [row[name] for name in names]


def told(df: pd.DataFrame) -> list[str]:
    return [c["text"] for c in df.attrs["cautions"] if c["code"] == "skipped_lines"]


def altered(tool: str, change: Any, tmp_path: Path) -> Path:
    """The tool's file with its lines, as bytes, changed."""
    file = tmp_path / FILES[tool].name
    file.write_bytes(b"".join(change(FILES[tool].read_bytes().splitlines(keepends=True))))
    return file


@pytest.mark.parametrize("tool", FILES)
def test_each_tool_is_known_by_its_file_and_marked_in_what_comes_of_it(tool: str) -> None:
    """In the run, the rows, and a caution; summary, figure and comparison work as on any rows."""
    df = bench.load(FILES[tool])
    (run,) = df.attrs["runs"]
    assert run["provider"] == tool
    assert set(df["client"]) == {tool}
    assert [c["code"] for c in df.attrs["cautions"]] == ["foreign"]
    assert any("Rows of" in caution.text for caution in summarise(df).cautions)
    assert tool in summarise(df)._repr_html_()
    assert any(
        isinstance(text, Text) and tool in text.get_text()
        for text in bench.plots.ecdf(df).findobj(Text)
    )


def test_k6_milliseconds_become_phases_of_ours() -> None:
    """The first request of a connection has its set-up in the total, and begins that much
    earlier; k6's own duration leaves it out."""
    first = rows("k6")[0]
    assert known(first, "endpoint", "kind", "outcome", "connection") == [
        "us-east-1.fleet.test",
        "POST /v1/chat/completions",
        "ok",
        "cold",
    ]
    assert known(first, "tcp_ns", "tls_ns", "send_ns", "ttfb_ns", "total_ns") == [
        8_500_000,
        17_750_000,
        250_000,
        150_250_000,
        181_750_000,
    ]
    assert first["started_at"] == "2026-03-14T08:00:00.218373+00:00"
    assert known(first, "http_version", "tls_version", "status") == ["HTTP/2", "TLSv1.3", 200]
    assert known(first, "dns_ns", "ttft_ns", "server_e2e_ms", "late_ns") == [None] * 4


def test_k6_kept_connections_are_warm_and_waiting_for_one_is_no_latency() -> None:
    """As a row counts: from the first act on the wire."""
    warm = rows("k6")[2]
    assert known(warm, "connection", "reused", "tcp_ns", "tls_ns") == ["warm", True, None, None]
    assert warm["total_ns"] == 141_500_000


def test_k6_failures_are_rows_with_what_failed() -> None:
    """A status says more than a code; a time that k6 writes for an answer that never came is no
    time to first byte."""
    limited, late, lost, tagged = rows("k6")[3:]
    assert known(limited, "outcome", "status", "ttfb_ns") == ["rate_limited", 429, 60_000_000]
    assert known(late, "outcome", "status", "ttfb_ns") == ["timeout", None, None]
    assert "request timeout" in late["error"]
    assert known(lost, "outcome", "failed_phase", "connection") == ["dns_fail", "dns", "cold"]
    assert known(lost, "total_ns", "reused") == [None, False]
    assert known(tagged, "endpoint", "kind") == ["global", "GET chat"]


def test_rounds_are_counted_where_endpoints_took_turns() -> None:
    """Two endpoints in turn are pairs; the same one again begins another round."""
    assert [row["round"] for row in rows("k6")][:6] == [0, 0, 1, 1, 2, 2]
    assert [row["round"] for row in rows("AIPerf")] == list(range(6))


def test_curl_seconds_become_phases_of_ours() -> None:
    """curl counts each from its start; ours are lengths, and TTFB begins when it was sent."""
    fresh, kept, *_ = rows("curl")
    assert known(fresh, "dns_ns", "tcp_ns", "tls_ns", "ttfb_ns", "total_ns") == [
        27_000,
        550_000,
        15_650_000,
        19_074_000,
        35_723_000,
    ]
    assert known(fresh, "connection", "reused", "kind") == ["cold", False, "GET /v1/models"]
    assert known(kept, "dns_ns", "tcp_ns", "tls_ns", "ttfb_ns") == [None, None, None, 19_939_000]
    assert known(kept, "connection", "reused", "http_version") == ["warm", True, "HTTP/1.1"]
    assert known(fresh, "started_at", "ttft_ns", "send_ns") == [None, None, None]


def test_curl_7_does_not_know_when_http2_began_to_answer() -> None:
    """It stamps that when it has sent; a later curl is believed."""
    line = json.loads(FILES["curl"].read_text().splitlines()[2])
    assert rows("curl")[2]["ttfb_ns"] is None
    assert from_line(line | {"curl_version": "libcurl/8.9.1 OpenSSL/3"})["ttfb_ns"] == 19_127_000


def test_curl_8_10_says_when_it_had_sent() -> None:
    """Then the sending is a phase of its own."""
    line = json.loads(FILES["curl"].read_text().splitlines()[0])
    row = from_line(line | {"time_posttransfer": 0.016914})
    assert known(row, "send_ns", "ttfb_ns") == [500_000, 18_574_000]


def test_curl_exit_codes_are_outcomes() -> None:
    """Nothing was kept by who never connected."""
    refused, nobody = rows("curl")[3:]
    assert known(refused, "outcome", "failed_phase", "connection") == [
        "connect_fail",
        "tcp",
        "cold",
    ]
    assert known(nobody, "outcome", "failed_phase", "status") == ["dns_fail", "dns", None]
    assert "curl exit 6" in nobody["error"]


def from_line(line: Mapping[str, Any]) -> dict[str, Any]:
    """The row that a line alone becomes."""
    return dict.fromkeys(("send_ns", "ttfb_ns")) | curl_lines._facts(json.dumps(line))


def test_curl_redirects_have_a_total_and_no_phases() -> None:
    """curl's times are of the last hop, its total of all."""
    line = json.loads(FILES["curl"].read_text().splitlines()[0])
    row = from_line(line | {"num_redirects": 1})
    assert known(row, "total_ns", "ttfb_ns") == [35_723_000, None]
    assert "tls_ns" not in row


def test_real_curl_in_both_documented_forms(fleet: Fleet, tmp_path: Path) -> None:
    """What this machine's curl writes, with its certificates in front; by the shell, which fills in
    the time."""
    require_program("curl")
    endpoint = fleet.endpoints[0]
    host, ca = urlsplit(endpoint.url).hostname, load_catalogue(str(fleet.catalogue)).provider.ca
    curl = (
        f"curl -q -sS -o /dev/null --http1.1 --cacert {ca}"
        f" --connect-to {host}:443:{endpoint.connect} -H 'authorization: Bearer {fleet.key}'"
        f" {endpoint.url}/v1/models"
    )
    stamped = curl_lines.STAMPED.replace("NAME", "global")
    forms = {"a.jsonl": "%{json}\\n", "b.jsonl": stamped, "c.txt": curl_lines.FORMAT}
    for name, form in forms.items():
        script = f'for i in 1 2; do {curl} -w "{form}" >> {tmp_path / name}; done'
        subprocess.run(["bash", "-c", script], check=True, env={"PATH": os.environ["PATH"]})
    for name in forms:
        df = bench.load(tmp_path / name)
        assert told(df) == []
        assert set(df["outcome"]) == {"ok"}
        assert set(df["connection"]) == {"cold"}
        ends = df["dns_ns"] + df["tcp_ns"] + df["tls_ns"] + df["ttfb_ns"]
        assert (ends <= df["total_ns"]).all()
        assert (df["ttfb_ns"] > 0).all()
        assert df["started_at"].isna().all() == (name == "a.jsonl")
    assert set(bench.load(tmp_path / "b.jsonl")["endpoint"]) == {"global"}
    assert set(bench.load(tmp_path)["client"]) == {"curl"}


def test_aiperf_units_are_read_and_its_words_not_mistaken_for_ours() -> None:
    """Its latency ends with the last content, its TTFB with the first byte of the body, and its
    connecting holds TLS: only the first has a column."""
    warmup, first, whole, *_ = rows("AIPerf")
    assert known(first, "endpoint", "kind", "streamed", "warmup") == [
        "eu-west-1.fleet.test",
        "chat",
        True,
        False,
    ]
    assert known(first, "ttft_ns", "last_token_ns", "total_ns", "dns_ns", "send_ns") == [
        255_886_568,
        297_525_228,
        305_864_241,
        1_500_000,
        667_181,
    ]
    assert first["token_offsets_ns"] == (255_886_568, 260_785_005, 266_101_011)
    assert first["started_at"] == "2025-10-07T05:00:08.532900+00:00"
    assert known(first, "ttfb_ns", "tcp_ns", "tls_ns") == [None, None, None]
    assert known(first, "prompt_tokens", "completion_tokens") == [550, 9]
    assert warmup["warmup"]
    assert known(whole, "streamed", "ttft_ns", "last_token_ns") == [False, None, None]
    assert known(whole, "total_ns", "send_ns", "reused") == [255_000_000, 500_000, True]


def test_aiperf_failures_stand_beside_their_peers() -> None:
    """A cancelled request is nobody's fault; a name that was not found is a lookup."""
    outcomes = [row["outcome"] for row in rows("AIPerf")[3:]]
    assert outcomes == ["cancelled", "rate_limited", "dns_fail"]
    assert {row["connection"] for row in rows("AIPerf")} == {"either"}
    assert read(FILES["AIPerf"]).run["model"] == "grok-4.3"


def test_aiperf_without_its_summary_is_named_for_its_folder(tmp_path: Path) -> None:
    """The records name no URL."""
    folder = tmp_path / "us-east-1"
    folder.mkdir()
    file = altered("AIPerf", lambda lines: lines, folder)
    assert {row["endpoint"] for row in read(file).rows} == {"us-east-1"}


BROKEN: Sequence[tuple[bytes, str]] = (
    (b'{"metadata": \n', "is not whole JSON"),
    (b"[1, 2]\n", "is no JSON object"),
    (b'{"a": "\xff\xfe"}\n', "is not UTF-8"),
    (b'{"a": "' + b"x" * MOST_BYTES + b'"}\n', "is longer than 1,000,000 bytes"),
    (b"[" * 50_000 + b"\n", "is not whole JSON"),
)


@pytest.mark.parametrize("tool", FILES)
@pytest.mark.parametrize(("line", "why"), BROKEN, ids=[why for _, why in BROKEN])
def test_a_line_that_cannot_be_used_costs_only_itself_and_is_told(
    tool: str, line: bytes, why: str, tmp_path: Path
) -> None:
    """With its number; nothing is dropped in silence."""
    file = altered(tool, lambda lines: [lines[0], line, *lines[1:], line], tmp_path)
    df = bench.load(file)
    if tool == "curl" and line.startswith(b"["):
        why = "has no time_total"
    (text,) = told(df)
    assert text.startswith(f"{file}: line 2 {why}")
    assert "and 1 more lines like it" in text
    assert len(df) == len(rows(tool))


@pytest.mark.parametrize("tool", FILES)
def test_a_half_written_last_line_is_told(tool: str, tmp_path: Path) -> None:
    """As a kill leaves it."""
    file = altered(tool, lambda lines: [*lines[:-1], lines[-1][:-40]], tmp_path)
    assert any("is not whole JSON" in text for text in told(bench.load(file)))


@pytest.mark.parametrize("value", ["NaN", "-1", "1e300", '"fast"', "true", "Infinity", "[1]"])
@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ("k6", b'"value":150.25'),
        ("curl", b'"time_total":0.035723'),
        ("AIPerf", b'"value":297.525228'),
    ],
)
def test_a_time_that_is_none_is_told_with_its_line(
    tool: str, field: bytes, value: str, tmp_path: Path
) -> None:
    """Not clipped, not taken for unknown, not taken for a failure of the service."""
    name = field.partition(b":")[0]
    file = altered(
        tool,
        lambda lines: [x.replace(field, name + b":" + value.encode()) for x in lines],
        tmp_path,
    )
    df = bench.load(file)
    assert len(df) < len(rows(tool))
    assert any("no time or count" in text for text in told(df))


@pytest.mark.parametrize("tool", FILES)
def test_a_file_without_a_single_request_is_one_sentence(tool: str, tmp_path: Path) -> None:
    """Place, why, and what was looked for."""
    file = altered(tool, lambda lines: [lines[0][: len(lines[0]) // 2]], tmp_path)
    with pytest.raises(StoreError) as refused:
        bench.load(file)
    assert str(refused.value).startswith(f"{file} ")
    assert "\n" not in str(refused.value)


def test_points_of_k6_without_their_request_are_told(tmp_path: Path) -> None:
    """A file that was cut at its beginning, and one that lost a point."""
    cut = altered("k6", lambda lines: [lines[0], *lines[5:]], tmp_path)
    assert any("is a point of no request" in text for text in told(bench.load(cut)))
    holed = altered("k6", lambda lines: [*lines[:7], *lines[8:]], tmp_path)
    assert any("without http_req_waiting" in text for text in told(bench.load(holed)))


@pytest.mark.parametrize("tool", FILES)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_is_a_row_or_a_caution(
    tool: str, data: st.DataObject, tmp_path: Path
) -> None:
    """Never a traceback; the rows still make a summary."""
    lines = FILES[tool].read_bytes().splitlines(keepends=True)
    which = data.draw(st.integers(1, len(lines) - 1))
    document = json.loads(lines[which])
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    lines[which] = json.dumps(document).encode() + b"\n"
    file = tmp_path / FILES[tool].name
    file.write_bytes(b"".join(lines))
    summarise(bench.load(file))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("tool", FILES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 3000), junk=st.binary(max_size=60))
def test_no_bytes_crash_a_reader(tool: str, cut: int, junk: bytes, tmp_path: Path) -> None:
    """Cut anywhere, with anything in between."""
    content = FILES[tool].read_bytes()
    file = tmp_path / "x.jsonl"
    file.write_bytes(content[:cut] + junk + content[cut:])
    found = reader_of(file)
    if found is None:
        return
    with suppress(StoreError):
        assert found.read(file).rows


def test_our_own_lines_are_nobody_elses() -> None:
    """Not even one that quotes another tool's."""
    row = b'{"line":1,"crc":"00000000","row":{"error":"\\"time_starttransfer\\" \\"certs\\":"}}\n'
    assert not any(reader.knows(row) for reader in READERS.values())
