"""Runs as one Parquet file: nothing is lost on the way, and nothing false comes in."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.store import (
    RunWriter,
    archive,
    change_tags,
    export_runs,
    import_runs,
    parquet,
    read_run,
    read_runs,
    runfile,
)
from tests.store_kit import run, sample, samples, written

OLD = Path(__file__).parent / "data" / "run-v1"


def exported(tmp_path: Path, *folders: Path) -> Path:
    file = tmp_path / "runs.parquet"
    export_runs(folders or (written(tmp_path / "results"),), file)
    return file


def test_a_run_that_was_moved_is_the_same_run(tmp_path: Path) -> None:
    """Rows, run.json, tags and status; the files of the copy vouch for each other as ever."""
    whole = written(tmp_path / "results")
    change_tags(whole, add=("baseline", "v1"))
    file = exported(tmp_path, whole, OLD)
    made, told = import_runs(file, tmp_path / "new")
    assert told == ()
    for before, after in zip((whole, OLD), made, strict=True):
        one, other = read_run(before), read_run(after)
        assert other.cautions == ()
        assert other.rows == one.rows
        assert {**other.run, "stored": 0} == {**one.run, "stored": 0}
        assert read_runs(after / "samples.jsonl")[0].rows == one.rows
    assert (made[0] / "tags.json").read_bytes() == (whole / "tags.json").read_bytes()
    assert not (made[1] / "tags.json").exists()
    assert (made[0].stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_killed_run_stays_a_killed_run(tmp_path: Path) -> None:
    """Moving it does not make it whole."""
    file = exported(tmp_path, written(tmp_path / "results", 6, status=None))
    (made,), _ = import_runs(file, tmp_path / "new")
    assert [c.code for c in read_run(made).cautions] == ["killed"]
    assert len(read_run(made).rows) == 6


@settings(max_examples=15)
@given(st.lists(samples(), max_size=4, unique_by=lambda one: one.seq))
def test_every_row_that_can_be_stored_can_be_moved(tmp_path_factory: Any, rows: list[Any]) -> None:
    """Lone surrogates, the widest integers, every column unknown."""
    there = tmp_path_factory.mktemp("there")
    with RunWriter.create(there / "results", run(len(rows))) as writer:
        for one in rows:
            writer.append(one)
        writer.finish("complete")
    (made,), _ = import_runs(exported(there, writer.folder), there / "new")
    assert read_run(made).rows == read_run(writer.folder).rows


def test_a_run_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    """Not even by another of its name."""
    results = tmp_path / "results"
    file = exported(tmp_path)
    before = {path.name: path.read_bytes() for path in (results / "r1").iterdir()}
    made, told = import_runs(file, results)
    assert made == []
    assert [caution.code for caution in told] == ["there_already"]
    assert {path.name: path.read_bytes() for path in (results / "r1").iterdir()} == before


@settings(max_examples=40)
@given(st.data())
def test_no_flipped_bit_comes_in_unseen(tmp_path_factory: Any, data: st.DataObject) -> None:
    """The file is refused, or what it gives is what was written."""
    there = tmp_path_factory.mktemp("there")
    file = exported(there)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    whole = archive.read_archive(file)
    file.write_bytes(content)
    try:
        found = archive.read_archive(file)
    except StoreError:
        return
    assert found == whole


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_a_file_cut_short_is_refused_and_nothing_is_imported(tmp_path: Path, cut: int) -> None:
    """Half a download."""
    file = exported(tmp_path)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(StoreError, match="damaged"):
        import_runs(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def forged(tmp_path: Path, **changes: Any) -> Path:
    """An archive whose footer was made by somebody who can compute checksums."""
    (one,) = archive.read_archive(exported(tmp_path))
    entry = {"run": one.run, "tags": [], "rows": len(one.rows), "sha256": "?"} | changes
    footer = json.dumps({"crc": runfile.crc([entry]), "runs": [entry]}).encode()
    file = tmp_path / "forged.parquet"
    file.write_bytes(parquet.encode(one.rows, {archive.KEY: footer}))
    return file


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"format": "regionbench run", "schema_version": 1, "run_id": "../../evil"}},
        {"run": {"format": "regionbench run", "schema_version": 1, "run_id": ".hidden"}},
        {"run": {"run_id": "x"}},
        {"run": None},
        {"tags": ["../x"]},
        {"rows": -1},
        {"rows": 10**9},
        {"rows": "all"},
        {},
    ],
)
def test_a_forged_footer_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A name must not lead out of the results folder, and rows must be those written."""
    with pytest.raises(StoreError, match="damaged"):
        import_runs(forged(tmp_path, **changes), tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {
        "results",
        "runs.parquet",
        "forged.parquet",
    }


def test_an_archive_from_the_future_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """As a run is."""
    about = {"format": "regionbench run", "schema_version": 99, "run_id": "x"}
    with pytest.raises(StoreError, match=r"newer.*99.*upgrade"):
        import_runs(forged(tmp_path, run=about), tmp_path / "new")


def test_what_is_no_archive_says_what_would_be(tmp_path: Path) -> None:
    """The rows of a run are not the run."""
    rows = written(tmp_path) / "samples.parquet"
    for file in (rows, tmp_path / "none.parquet"):
        with pytest.raises(StoreError, match="history export"):
            import_runs(file, tmp_path / "new")


def test_a_live_run_is_not_exported(tmp_path: Path) -> None:
    """Its copy would look like one that was killed."""
    folder = written(tmp_path)
    with (folder / "samples.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="is being written"):
            export_runs([folder], tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


def test_an_import_that_is_cut_off_leaves_nothing_that_looks_like_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it fails, nor when it is killed before its last step."""
    file = exported(tmp_path)
    new = tmp_path / "new"

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(StoreError, match="the disk is full"):
        import_runs(file, new)
    assert list(new.iterdir()) == []
    killed = new / ".import-r1-00"
    killed.mkdir()
    (killed / "run.json").write_text("{}")
    with pytest.raises(StoreError, match="no run in it"):
        read_runs(new)


def test_no_run_is_an_archive_too(tmp_path: Path) -> None:
    """Of nothing."""
    assert import_runs(exported_nothing(tmp_path), tmp_path / "new") == ([], ())


def exported_nothing(tmp_path: Path) -> Path:
    export_runs([], tmp_path / "none.parquet")
    return tmp_path / "none.parquet"


def test_rows_keep_their_run_whatever_they_say(tmp_path: Path) -> None:
    """They are cut by count: two runs may have rows of one name."""
    folders = []
    for name in ("a", "b"):
        with RunWriter.create(tmp_path / "results", run(2, run_id=name)) as writer:
            for seq in range(2):
                writer.append(sample(seq, run_id="same", endpoint=name))
            writer.finish("complete")
        folders.append(writer.folder)
    made, _ = import_runs(exported(tmp_path, *folders), tmp_path / "new")
    assert [{row["endpoint"] for row in read_run(f).rows} for f in made] == [{"a"}, {"b"}]
