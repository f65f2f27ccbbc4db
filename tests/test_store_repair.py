"""Repair: a folder fit for appending, with nothing thrown away and nothing invented."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.store import RunWriter, lines, read_run, repair
from tests.store_kit import row, run, sample, written

LINES = [lines.encode(seq + 1, sample(seq)) for seq in range(6)]
ROWS = [row(sample(seq)) for seq in range(6)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_torn_tail_is_moved_aside(tmp_path: Path) -> None:
    folder = written(tmp_path, 0, status=None)
    (folder / "samples.jsonl").write_bytes(b"".join(LINES[:2]) + LINES[2][:50])
    (caution,) = repair(folder)
    assert caution.code == "torn_tail"
    assert contents(folder)["samples.jsonl"] == b"".join(LINES[:2])
    assert contents(folder)["samples.jsonl.torn-1"] == LINES[2][:50]


def test_a_second_torn_tail_does_not_replace_the_first(tmp_path: Path) -> None:
    folder = written(tmp_path, 0, status=None)
    for torn in (b"one", b"two"):
        with (folder / "samples.jsonl").open("ab") as file:
            file.write(torn)
        repair(folder)
    held = contents(folder)
    assert (held["samples.jsonl.torn-1"], held["samples.jsonl.torn-2"]) == (b"one", b"two")


def test_damaged_lines_are_moved_aside_and_stay_told(tmp_path: Path) -> None:
    folder = written(tmp_path, 0, status=None)
    damaged = LINES[1].replace(b"200", b"201")
    (folder / "samples.jsonl").write_bytes(LINES[0] + damaged + b"noise\n" + LINES[2])
    assert [caution.code for caution in repair(folder)] == ["damaged_lines"]
    assert contents(folder)["samples.jsonl"] == LINES[0] + LINES[2]
    assert contents(folder)["samples.jsonl.damaged-1"] == damaged + b"noise\n"
    assert "missing_lines" in {caution.code for caution in read_run(folder).cautions}


def test_a_run_that_is_being_written_is_not_touched(tmp_path: Path) -> None:
    with (
        RunWriter.create(tmp_path, run()) as writer,
        pytest.raises(StoreError, match="another process is writing"),
    ):
        repair(writer.folder)


def test_what_a_killed_finish_left_behind_is_removed(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / ".samples.parquet.0123456789abcdef").write_bytes(b"half")
    assert repair(folder) == ()
    assert set(contents(folder)) == {"run.json", "samples.jsonl", "samples.parquet"}


@given(st.lists(st.sampled_from(LINES) | st.binary(max_size=30) | st.just(b"\n"), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_repair_invents_nothing_loses_nothing_and_is_idempotent(
    tmp_path: Path, pieces: list[bytes]
) -> None:
    folder = tmp_path / "r1"
    if not folder.exists():
        written(tmp_path, 0, status=None)
    for aside in folder.glob("samples.jsonl.*"):
        aside.unlink()
    content = b"".join(pieces)
    (folder / "samples.jsonl").write_bytes(content)
    before = read_run(folder).rows
    repair(folder)
    once = contents(folder)
    assert read_run(folder).rows == before
    assert all(found in ROWS for found in before)
    held = [data for name, data in once.items() if name.startswith("samples.jsonl")]
    assert sum(map(len, held)) == len(content)
    assert (repair(folder), contents(folder)) == ((), once)


@given(st.integers(0, sum(map(len, LINES))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_file_cut_anywhere_keeps_every_whole_row(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "r1"
    if not folder.exists():
        written(tmp_path, 0, status=None)
    kept = b"".join(LINES)[:size]
    (folder / "samples.jsonl").write_bytes(kept)
    repair(folder)
    assert read_run(folder).rows == ROWS[: kept.count(b"\n")]
