"""Reading runs: what is there is shown, what is not is told, and no bytes can crash it."""

from __future__ import annotations

import json
import random
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.loading import load
from bench.model import COLUMNS, SCHEMA_VERSION, Sample
from bench.store import RunWriter, StoredRun, lines, parquet, read_run, read_runs, runfile
from tests.fuzz.jsonl import framed
from tests.store_kit import row, run, sample, written

DATA = Path(__file__).parent / "data"
WRITTEN = (1, 2)
"""The schema versions that ever wrote a run."""
ROWS = [row(sample(seq)) for seq in range(10)]

# tmp_path is shared by the examples of one test: each writes its file anew
fuzzed = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def codes(stored: StoredRun) -> set[str]:
    return {caution.code for caution in stored.cautions}


def test_rows_are_the_samples_again(tmp_path: Path) -> None:
    stored = read_run(written(tmp_path))
    assert [Sample(**row) for row in stored.rows] == [sample(seq) for seq in range(10)]
    assert stored.cautions == ()
    assert stored.run["plan"]["seed"] == 1


def test_both_files_hold_the_same_rows(tmp_path: Path) -> None:
    folder = written(tmp_path)
    from_parquet = read_runs(folder / "samples.parquet")[0].rows
    assert from_parquet == read_runs(folder / "samples.jsonl")[0].rows == ROWS


def test_a_column_without_a_value_keeps_its_type() -> None:
    types = {field.name: str(field.type) for field in parquet.schema()}
    assert tuple(types) == COLUMNS
    assert types["retransmits"] == "int64"
    assert types["server_ttft_ms"] == "double"
    assert types["reused"] == "bool"
    assert types["edge"] == "string"
    assert [types[name] for name in ("token_offsets_ns", "token_coalesced")] == [
        "list<item: int64>",
        "list<item: bool>",
    ]


def test_a_killed_run_is_told_with_what_is_missing(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, run(12)) as writer:
        for seq in range(10):
            writer.append(sample(seq))
    stored = read_run(writer.folder)
    assert stored.rows == ROWS
    assert [caution.text for caution in stored.cautions] == [
        "r1 was killed before it finished: 2 of 12 rows are missing."
    ]


def test_a_run_that_is_being_written_is_not_called_killed(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, run()) as writer:
        writer.append(sample(0))
        with (writer.folder / "samples.jsonl").open("ab") as file:
            file.write(b'{"line":2,"crc')
        stored = read_run(writer.folder)
    assert stored.rows == ROWS[:1]
    assert [caution.text for caution in stored.cautions] == ["r1 is still running: 1 of 10 rows."]


def test_a_cut_off_last_line_is_counted_and_reading_writes_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path, status=None)
    path = folder / "samples.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    stored = read_run(folder)
    assert stored.rows == ROWS[:9]
    size = len(lines.encode(10, sample(9))) - 7
    assert f"ends in a cut-off last line, {size} bytes." in stored.cautions[0].text
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_damage_between_rows_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = written(tmp_path, status=None)
    change_line(folder, 3, lambda line: line.replace(b'"status":200', b'"status":500'))
    stored = read_run(folder)
    assert stored.rows == ROWS[:3] + ROWS[4:]
    assert codes(stored) == {"damaged_lines", "missing_lines", "killed"}


def change_line(folder: Path, index: int, change: Any) -> None:
    path = folder / "samples.jsonl"
    held = path.read_bytes().splitlines(keepends=True)
    held[index] = change(held[index])
    path.write_bytes(b"".join(held))


def test_a_line_that_was_taken_out_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, status=None)
    change_line(folder, 3, lambda _: b"")
    assert "missing_lines" in codes(read_run(folder))


def test_lines_lost_from_the_end_of_a_finished_run_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "samples.parquet").unlink()
    change_line(folder, 9, lambda _: b"")
    assert codes(read_run(folder)) == {"parquet_damaged", "lost_rows", "incomplete"}


def test_a_row_that_stands_twice_is_counted_once(tmp_path: Path) -> None:
    folder = written(tmp_path, status=None)
    change_line(folder, 3, lambda line: line * 2)
    stored = read_run(folder)
    assert stored.rows == ROWS
    assert codes(stored) == {"doubled_rows", "killed"}


def test_a_damaged_parquet_costs_a_caution_and_no_row(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "samples.parquet").write_bytes(b"PAR1 and no more")
    stored = read_run(folder)
    assert stored.rows == ROWS
    assert codes(stored) == {"parquet_damaged"}


def test_the_parquet_of_another_run_is_not_believed(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "samples.parquet").write_bytes(parquet.encode(ROWS[:9]))
    assert read_run(folder).rows == ROWS


def test_a_run_without_its_lines_is_read_from_its_parquet(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "samples.jsonl").unlink()
    assert read_run(folder).rows == ROWS


def test_a_run_killed_before_its_first_row_is_a_run_without_rows(tmp_path: Path) -> None:
    folder = written(tmp_path, 0, status=None)
    (folder / "samples.jsonl").unlink()
    stored = read_run(folder)
    assert (stored.rows, codes(stored)) == ([], {"killed"})


def test_a_run_json_that_was_edited_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path)
    edit(folder, vantage="elsewhere")
    assert codes(read_run(folder)) == {"run_json_changed"}


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_file_from_the_future_is_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = written(tmp_path)
    edit(folder, schema_version=99)
    for path in (folder, folder / "samples.jsonl", folder / "samples.parquet"):
        with pytest.raises(StoreError, match=r"newer.*99.*upgrade"):
            read_runs(path)


def test_every_version_has_its_frozen_run() -> None:
    """Or the test below would not know of the newest."""
    assert tuple(range(1, SCHEMA_VERSION + 1)) == WRITTEN


@pytest.mark.parametrize("version", WRITTEN)
def test_a_run_written_by_any_version_is_still_read(version: int) -> None:
    """Its files are never written again: what an old version made must stay readable."""
    old = DATA / f"run-v{version}"
    expected = json.loads((old / "expected.json").read_text())
    for path in (old, old / "samples.jsonl", old / "samples.parquet"):
        (stored,) = read_runs(path)
        assert stored.cautions == ()
        if path == old:
            assert stored.run["schema_version"] == version
        for found, wanted in zip(stored.rows, expected, strict=True):
            assert json.loads(json.dumps(found)) == dict.fromkeys(COLUMNS) | wanted


def test_a_column_that_an_old_file_lacks_is_unknown(tmp_path: Path) -> None:
    """In lines and in Parquet."""
    import pyarrow.parquet as pq

    old = b'{"run_id":"r1","seq":0}'
    line = b'{"line":1,"crc":"%08x","row":%b}\n' % (zlib.crc32(b"1:" + old), old)
    path = tmp_path / "samples.jsonl"
    path.write_bytes(line)
    table = pq.read_table(written(tmp_path) / "samples.parquet")
    pq.write_table(table.drop_columns(["edge"]), tmp_path / "old.parquet")
    assert read_runs(path)[0].rows == [dict.fromkeys(COLUMNS) | {"run_id": "r1", "seq": 0}]
    assert read_runs(tmp_path / "old.parquet")[0].rows == ROWS


def test_a_results_folder_gives_its_runs_and_tells_which_it_skipped(tmp_path: Path) -> None:
    written(tmp_path)
    shutil.copytree(tmp_path / "r1", tmp_path / "r0")
    (tmp_path / "r0" / "run.json").write_text("{")
    (tmp_path / "README.md").write_text("not a run")
    (stored,) = read_runs(tmp_path)
    assert stored.rows == ROWS
    assert "r0 was skipped" in stored.cautions[0].text
    assert "samples.jsonl" in stored.cautions[0].text


@pytest.mark.parametrize("there", [False, True])
def test_nothing_at_all_is_an_error_that_names_path_and_remedy(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "results"
    if there:
        path.mkdir()
    with pytest.raises(StoreError, match=r"results.*(check the path|Give a run folder)"):
        read_runs(path)


def test_a_file_that_holds_no_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(StoreError, match=r"notes\.txt"):
        read_runs(path)


def test_a_single_bit_anywhere_is_harmless_or_told(tmp_path: Path) -> None:
    """In each file of a finished run, and in the lines of a killed one."""
    picked = random.Random(1)
    for case, status in (("finished", "complete"), ("killed", None)):
        folder = written(tmp_path / case, status=status)
        whole = read_run(folder)
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            for _ in range(150):
                at = picked.randrange(len(content) * 8)
                path.write_bytes(flipped(content, at))
                assert_harmless_or_told(folder, whole)
            path.write_bytes(content)


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def assert_harmless_or_told(folder: Path, whole: StoredRun) -> None:
    try:
        stored = read_run(folder)
    except StoreError:
        return
    told = codes(stored) - codes(whole)
    assert told or (stored.rows == whole.rows and stored.run == whole.run)
    assert all(found in whole.rows for found in stored.rows)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(content=st.binary(max_size=400))
@fuzzed
def test_no_bytes_as_lines_crash_the_reader(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "r1"
    if not folder.exists():
        written(tmp_path, 0, status=None)
    (folder / "samples.jsonl").write_bytes(content)
    assert read_run(folder).rows == []


@given(rows=st.lists(st.dictionaries(st.sampled_from(COLUMNS), JSONISH, max_size=5), max_size=4))
@fuzzed
def test_no_row_with_a_right_checksum_crashes_the_reader(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path / "r1"
    if not folder.exists():
        written(tmp_path, 0, status=None)
    with (folder / "samples.jsonl").open("wb") as file:
        for number, values in enumerate(rows, 1):
            text = json.dumps(values).encode()
            crc = zlib.crc32(b"%d:" % number + text)
            file.write(b'{"line":%d,"crc":"%08x","row":%b}\n' % (number, crc, text))
    assert len(read_run(folder).rows) <= len(rows)


@given(content=st.binary(max_size=200) | JSONISH.map(lambda value: json.dumps(value).encode()))
@fuzzed
def test_no_bytes_as_run_json_crash_the_reader(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "r1"
    if not folder.exists():
        written(tmp_path)
    (folder / "run.json").write_bytes(content)
    with pytest.raises(StoreError):
        read_run(folder)


@given(
    changes=st.dictionaries(
        st.sampled_from(["status", "scheduled", "stored", "schema_version", "run_id", "crc"]),
        JSONISH | st.fixed_dictionaries({"parquet": JSONISH, "rows": JSONISH}),
    )
)
@fuzzed
def test_no_value_in_run_json_crashes_the_reader(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = tmp_path / "r1"
    if not folder.exists():
        written(tmp_path)
    content = (folder / "run.json").read_bytes()
    edit(folder, **changes)
    try:
        assert read_run(folder).rows == ROWS
    except StoreError:
        pass
    finally:
        (folder / "run.json").write_bytes(content)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"9" * 10_000, b"\xff\xfe{\x00}\x00", b""])
def test_nesting_and_numbers_without_end_do_not_crash_the_reader(
    tmp_path: Path, content: bytes
) -> None:
    folder = written(tmp_path, 0, status=None)
    crc = zlib.crc32(b'1:{"seq":' + content + b"}")
    line = b'{"line":1,"crc":"%08x","row":{"seq":%b}}\n' % (crc, content)
    (folder / "samples.jsonl").write_bytes(line)
    assert read_run(folder).rows == []
    (folder / "run.json").write_bytes(content)
    with pytest.raises(StoreError):
        read_run(folder)


@given(content=st.binary(max_size=300).map(lambda middle: b"PAR1" + middle + b"PAR1"))
@fuzzed
def test_no_bytes_as_parquet_crash_the_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "samples.parquet"
    path.write_bytes(content)
    with pytest.raises(StoreError):
        read_runs(path)


def test_a_hostile_run_loads(tmp_path: Path) -> None:
    """Half letters, numbers that are none or beyond 64 bits, keys twice, too deep a nesting, all
    with checksums that are right: a frame of what can be read, and the rest is told."""
    folder = written(tmp_path, 2, status=None)
    content = json.loads((folder / "run.json").read_text())
    del content["crc"]
    content |= {
        "vantage": "\ud800",
        "endpoints": [{"name": "\udfff"}],
        "clock": {"a": float("nan")},
    }
    (folder / "run.json").write_text(json.dumps({"crc": runfile.crc(content), **content}))
    rows = [
        b'{"seq":0,"error":"\\ud800","endpoint":"\\udfff","client":"\\ud800"}',
        b'{"seq":1,"total_ns":NaN,"cost_usd":1e999,"started_at":"0001-01-01T00:00:00Z"}',
        b'{"seq":2,"total_ns":1%s}' % (b"0" * 30),
        b'{"seq":3,"seq":4}',
        b'{"seq":5,"error":%s}' % (b"[" * 2000 + b"]" * 2000),
    ]
    (folder / "samples.jsonl").write_bytes(framed(b"\n".join(rows)) + b"\xef\xbb\xbf\x00")
    frame = load(folder)
    assert frame["seq"].tolist() == [0, 1, 2, 4]
    assert frame[["total_ns", "cost_usd", "started_at"]].isna().all(axis=None)
    assert "torn_tail" in {caution["code"] for caution in frame.attrs["cautions"]}
    json.dumps([frame["error"].tolist()[0], frame.attrs["runs"]], allow_nan=False).encode()
    assert not any("\ud800" <= sign <= "\udfff" for sign in repr(frame.attrs["runs"]))
