"""samples.parquet made after the run was finished: by another process, or never."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import StoreError
from bench.store import RunWriter, compact, parquet, read_run
from tests.store_kit import row, run, sample, written

ROWS = 8


def finished(results: Path, status: str = "complete") -> Path:
    """A run folder that nobody has compacted."""
    with RunWriter.create(results, run(ROWS)) as writer:
        for seq in range(ROWS):
            writer.append(sample(seq))
        writer.finish(status, compact=False)
    return writer.folder


def test_a_run_without_it_is_whole_and_read_from_its_lines(tmp_path: Path) -> None:
    """Nobody needs to know."""
    folder = finished(tmp_path)
    assert not (folder / parquet.NAME).exists()
    stored = read_run(folder)
    assert stored.rows == [row(sample(seq)) for seq in range(ROWS)]
    assert (stored.cautions, stored.run["status"]) == ((), "complete")


def test_compacted_later_it_is_as_if_it_had_been_at_once(tmp_path: Path) -> None:
    """The same files; and doing it again changes nothing."""
    late, at_once = finished(tmp_path / "a"), written(tmp_path / "b", ROWS)
    compact(late)
    assert read_run(late).rows == read_run(at_once).rows
    assert (late / parquet.NAME).read_bytes() == (at_once / parquet.NAME).read_bytes()
    assert read_run(late).cautions == ()
    before = (late / "run.json").read_bytes()
    compact(late)
    assert (late / "run.json").read_bytes() == before


def test_a_run_that_is_being_written_or_was_killed_is_left_alone(tmp_path: Path) -> None:
    """Its lines are the truth, and somebody may be writing them."""
    killed = written(tmp_path / "killed", ROWS, status=None)
    with pytest.raises(StoreError, match="not as it was finished"):
        compact(killed)
    writer = RunWriter.create(tmp_path, run(ROWS, run_id="live"))
    try:
        with pytest.raises(StoreError):
            compact(writer.folder)
    finally:
        writer.close()


def test_a_run_json_that_was_edited_is_not_vouched_for(tmp_path: Path) -> None:
    """A new checksum would make the edit look like ours."""
    folder = finished(tmp_path)
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"here"', '"there"'))
    with pytest.raises(StoreError, match="not as it was finished"):
        compact(folder)
    assert "run_json_changed" in {c.code for c in read_run(folder).cautions}


@pytest.mark.parametrize("step", ["parquet.write", "runfile.write"])
def test_a_kill_at_any_step_leaves_the_run_readable(step: str, tmp_path: Path) -> None:
    """And what it left is done by the next one."""
    folder = finished(tmp_path)
    code = (
        "import os, sys; from pathlib import Path; from bench.store import compact\n"
        "from bench.store import parquet, runfile\n"
        f"{step} = lambda *_: os._exit(9)\n"
        f"compact(Path({str(folder)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 9
    assert len(read_run(folder).rows) == ROWS
    compact(folder)
    assert read_run(folder).cautions == ()
    assert (folder / parquet.NAME).exists()
