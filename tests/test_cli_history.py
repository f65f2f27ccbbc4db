"""`regionbench history`, as a person and a CI job meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli import main
from tests.test_history import stored

Said = pytest.CaptureFixture[str]


def call(results: Path, *words: str) -> int:
    return main(["history", *words, "--results", str(results)])


def test_a_line_per_batch_and_the_same_as_json(tmp_path: Path, capsys: Said) -> None:
    """Oldest first; without a command it lists."""
    stored(tmp_path, "b", age=1)
    stored(tmp_path, "a", batch="monday", age=9)
    assert call(tmp_path) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "batch"
    assert first.startswith("monday  2026-03-05 00:00")
    assert second.startswith("b ")
    assert call(tmp_path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["run_ids"]) for one in document["shown"]] == [
        ("monday", ["a"]),
        ("b", ["b"]),
    ]


def test_an_empty_history_says_how_to_start_one(tmp_path: Path, capsys: Said) -> None:
    """No error: the first day is like that."""
    assert call(tmp_path / "none") == 0
    assert "`regionbench run` makes one" in capsys.readouterr().out
    assert call(tmp_path / "none", "--json") == 0
    assert json.loads(capsys.readouterr().out)["shown"] == []


def test_only_the_newest_are_listed_until_all_are_asked_for(tmp_path: Path, capsys: Said) -> None:
    """A year of them is a wall."""
    for age in range(23):
        stored(tmp_path, f"r{age}", age=age)
    assert call(tmp_path) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 21
    assert "3 older: --all" in told.err
    assert call(tmp_path, "--all") == 0
    assert len(capsys.readouterr().out.splitlines()) == 24


def test_rows_that_cannot_be_read_are_a_line_and_a_warning(tmp_path: Path, capsys: Said) -> None:
    """The list is of what there is, damaged or not."""
    folder = stored(tmp_path, "a")
    for name in ("samples.parquet", "samples.jsonl"):
        (folder / name).unlink()
    assert call(tmp_path) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[1].split()[:3] == ["a", "2026-03-14", "00:00"]
    assert "samples" in told.err


def test_tag_untag_prune_export_import(tmp_path: Path, capsys: Said) -> None:
    """A baseline's life: tagged, spared, exported, all lost, imported."""
    results, file = tmp_path / "results", tmp_path / "baseline.parquet"
    stored(results, "a", batch="old", age=300)
    stored(results, "b", batch="old", age=299.5)
    stored(results, "c", age=200)
    assert call(results, "tag", "old", "baseline") == 0
    assert capsys.readouterr().out == "a: baseline\nb: baseline\n"
    assert call(results, "prune", "--older-than", "90d", "--dry-run") == 0
    assert "to go    c" in capsys.readouterr().out
    assert (results / "c").is_dir()
    assert call(results, "prune", "--older-than", "90d") == 0
    said = capsys.readouterr().out
    assert "kept     old: tagged baseline" in said
    assert "gone     c (2025-08-26)" in said
    assert sorted(path.name for path in results.iterdir()) == ["a", "b"]
    assert call(results, "export", "--tag", "baseline", "-o", str(file)) == 0
    fresh = tmp_path / "fresh"
    assert call(fresh, "import", str(file)) == 0
    assert call(fresh, "untag", "old", "baseline") == 0
    assert call(fresh, "prune", "--older-than", "1d") == 0
    assert list(fresh.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("tag", "b", "baseline"), 2, "there is no run 'b'"),
        (("tag", "a", "two words"), 2, "cannot be a tag"),
        (("untag", "a", "nothing"), 2, "is tagged v1"),
        (("prune", "--older-than", "0d"), 2, "more than 0"),
        (("prune", "--older-than", "1d", "--keep-last", "-1"), 2, "keep 0 or more"),
        (("prune", "--older-than", "soon"), 2, "is not a duration"),
        (("prune",), 2, "--older-than"),
        (("export", "-o", "x.parquet"), 3, "name a run"),
        (("export", "a", "-o", "x.csv"), 2, "name a .parquet file"),
        (("export", "a", "-o", "none/x.parquet"), 2, "is not there"),
        (("import", "x.parquet"), 2, "history export"),
        (("prun",), 2, "prun"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_changes(
    words: tuple[str, ...], code: int, sentence: str, tmp_path: Path, capsys: Said
) -> None:
    """What, where and the remedy."""
    stored(tmp_path, "a", age=100)
    assert call(tmp_path, "tag", "a", "v1") == 0
    capsys.readouterr()
    assert call(tmp_path, *words) == code
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.startswith("regionbench: ")
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_run_that_cannot_be_removed_is_told_and_the_others_go(
    tmp_path: Path, capsys: Said
) -> None:
    """Exit 2, as the disk is not as it was meant to be."""
    stored(tmp_path / "elsewhere", "a", age=100)
    stored(tmp_path / "results", "b", age=50)
    (tmp_path / "results" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    assert call(tmp_path / "results", "prune", "--older-than", "1d") == 2
    told = capsys.readouterr()
    assert "remove it by hand" in told.err
    assert "gone     b" in told.out
    assert (tmp_path / "elsewhere" / "a" / "run.json").is_file()
