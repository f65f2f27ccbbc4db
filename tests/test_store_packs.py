"""Packed runs are the same runs: whatever instant a kill comes at, and to every other command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.cli import main
from bench.errors import StoreError
from bench.store import (
    RunWriter,
    change_tags,
    disk,
    pack,
    packings,
    read_heads,
    read_run,
    reopen,
    sweep,
)
from tests.store_kit import run, sample
from tests.test_store_columns import plain

IDS = ("a", "b", "c")


def runs(results: Path, ids: tuple[str, ...] = IDS) -> Path:
    """Short runs of one month."""
    for name in ids:
        with RunWriter.create(results, run(6, run_id=name)) as writer:
            for seq in range(6):
                writer.append(sample(seq, run_id=name))
            writer.finish("complete")
    return results


def compact(results: Path) -> None:
    heads, _ = read_heads(results)
    sweep(results, heads)
    for one in packings(heads)[0]:
        pack(one, results)


def rows(results: Path) -> list[dict[str, Any]]:
    return plain(bench.load(results))


class Killed(BaseException):
    """Nothing is done after it, no clearing up either."""


OPERATIONS = ("make_folder", "create", "write", "sync", "rename", "sync_folder", "remove")


def kill_at(patch: pytest.MonkeyPatch, instant: int) -> None:
    """The process ends before its n-th operation on the disk."""
    left = [instant]

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*arguments)

        return call

    for name in OPERATIONS:
        patch.setattr(disk, name, around(getattr(disk, name)))


def test_a_kill_at_any_instant_leaves_each_run_once_and_the_next_finishes(tmp_path: Path) -> None:
    """Before each single operation on the disk. One that is then alone in its month stays as it
    is."""
    before = runs(tmp_path / "before", ("a", "b"))
    right = plain(bench.load(before, ["seq"]))
    for instant in range(100):
        results = shutil.copytree(before, tmp_path / str(instant))
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, instant)
            try:
                compact(results)
                break
            except Killed:
                pass
        df = bench.load(results, ["seq"])
        assert plain(df) == right, instant
        assert df.attrs["cautions"] == [], instant
        compact(results)
        compact(results)
        assert plain(bench.load(results, ["seq"])) == right, instant
        assert list((results / "packs").glob(".*")) == [], instant
    assert 15 < instant < 99


def test_what_is_packed_is_read_by_row_too_and_keeps_its_head(tmp_path: Path) -> None:
    """Its folder has run.json alone."""
    before = [read_run(folder).rows for folder in sorted(runs(tmp_path).glob("?"))]
    compact(tmp_path)
    assert [read_run(folder).rows for folder in sorted(tmp_path.glob("?"))] == before
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run.json"]
    assert [head.run["status"] for head in read_heads(tmp_path)[0]] == ["complete"] * 3


def test_tags_export_import_and_prune_work_on_packed_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command, as a user would; the pack goes with the last of its runs."""
    right = rows(runs(tmp_path / "results"))
    at = ["--results", str(tmp_path / "results")]
    change_tags(tmp_path / "results" / "c", add=("baseline",))

    def asked(*words: str) -> str:
        code = main(["history", *words, *at])
        told = capsys.readouterr()
        assert code == 0, told.err
        return told.out

    assert "kept     c: tagged baseline" in asked("compact", "--dry-run")
    assert not (tmp_path / "results" / "packs").exists()
    assert "3 runs, 0 kept" in asked("compact", "--baselines")
    assert "baseline" in asked("list")
    file = str(tmp_path / "all.parquet")
    asked("export", "a", "b", "c", "-o", file)
    asked("prune", "--older-than", "1d")
    assert [path.name for path in sorted((tmp_path / "results").glob("?"))] == ["c"]
    assert len(list((tmp_path / "results" / "packs").iterdir())) == 1
    asked("untag", "c", "baseline")
    asked("prune", "--older-than", "1d")
    assert list((tmp_path / "results" / "packs").iterdir()) == []
    asked("import", file)
    assert rows(tmp_path / "results") == right


def test_a_damaged_or_missing_pack_is_told_and_invents_nothing(tmp_path: Path) -> None:
    """There are no lines to fall back to: the message says where the rows should be."""
    compact(runs(tmp_path))
    (file,) = (tmp_path / "packs").iterdir()
    data = bytearray(file.read_bytes())
    data[100:400] = bytes(300)  # of the first run's first columns
    file.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        bench.load(tmp_path / "a", columns=None)
    file.unlink()
    with pytest.raises(StoreError, match="not there"):
        bench.load(tmp_path)


def test_a_run_that_is_live_or_was_killed_is_left_alone(tmp_path: Path) -> None:
    """So is one that is alone in its month, and one whose file is damaged by now."""
    runs(tmp_path)
    with RunWriter.create(tmp_path, run(6, run_id="live")) as writer:
        writer.append(sample(0, run_id="live"))
        heads, _ = read_heads(tmp_path)
        assert packings(heads)[1] == {"live": "running, or killed"}
    (tmp_path / "b" / "samples.parquet").write_bytes(b"PAR1")
    (packing,), _ = packings(heads)
    _, told = pack(packing, tmp_path)
    assert [caution.text[:22] for caution in told] == ["b was left as it is: /"]
    assert (tmp_path / "b" / "samples.jsonl").exists()


def test_a_packed_run_cannot_be_written_to_again(tmp_path: Path) -> None:
    """An empty samples.jsonl beside it would take the place of its rows."""
    compact(runs(tmp_path))
    with pytest.raises(StoreError, match="was packed"):
        reopen(tmp_path / "a")
