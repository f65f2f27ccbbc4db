"""Stored runs as a history: grouped, tagged, pruned; damaged ones are told, baselines stay."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import StoreError, UsageError
from bench.history import Pruning, StoredBatch, batches, find, pruning
from bench.model import Plan
from bench.store import Head, RunWriter, read_runs, remove_run, tags
from tests.store_kit import run, sample

DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)


def stored(results: Path, run_id: str, *, batch: str | None = None, age: float = 0) -> Path:
    """A finished run of four rows that began ``age`` days ago."""
    began = (NOW - age * DAY).isoformat(timespec="microseconds")
    about = run(4, run_id=run_id, plan=Plan(batch=batch), started_at=began)
    with RunWriter.create(results, about) as writer:
        for seq in range(4):
            writer.append(sample(seq, run_id=run_id))
        writer.finish("complete")
    return writer.folder


def test_runs_of_one_batch_are_one_oldest_first(tmp_path: Path) -> None:
    """Three sittings are one run to the gate; a run alone is a batch of its own name."""
    for run_id, batch, age in (
        ("c", "day2", 1),
        ("a", "day1", 2.5),
        ("b", "day1", 2),
        ("d", None, 5),
    ):
        stored(tmp_path, run_id, batch=batch, age=age)
    found = batches(tmp_path)
    assert [(b.name, b.run_ids) for b in found] == [
        ("d", ("d",)),
        ("day1", ("a", "b")),
        ("day2", ("c",)),
    ]
    assert found[1].started_at.startswith("2026-03-11T12")
    df = found[1].frame()
    assert set(df["run_id"]) == {"a", "b"}
    assert len(df.attrs["runs"]) == 2
    assert {b.status for b in found} == {"complete"}


def test_no_folder_and_no_run_are_an_empty_history(tmp_path: Path) -> None:
    """The first day of a CI job has none, and that is no error."""
    assert batches(tmp_path / "none") == batches(tmp_path) == []


def test_a_damaged_run_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    """Not fatal: one bad disk block must not stop the gate for good."""
    stored(tmp_path, "a", age=1)
    (stored(tmp_path, "b") / "run.json").write_text('{"for')
    (found,) = batches(tmp_path)
    assert found.run_ids == ("a",)
    assert [c.code for c in found.cautions] == ["unreadable_run"]
    (tmp_path / "a" / "run.json").write_text("")
    with pytest.raises(StoreError, match="No run in"):
        batches(tmp_path)


@pytest.mark.parametrize("plan", [None, [], {"batch": 7}, {"batch": ""}])
def test_a_plan_that_is_nonsense_names_no_batch(tmp_path: Path, plan: Any) -> None:
    """run.json was edited, or written by who knows what."""
    path = stored(tmp_path, "a") / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"plan": plan, "started_at": plan}))
    assert [b.name for b in batches(tmp_path)] == ["a"]


def test_rows_that_went_missing_are_told_by_the_frame(tmp_path: Path) -> None:
    """The batch is lazy: what is wrong with rows is known when they are read."""
    stored(tmp_path, "a", batch="x")
    folder = stored(tmp_path, "b", batch="x")
    for name in ("samples.parquet", "samples.jsonl"):
        (folder / name).unlink()
    df = batches(tmp_path)[0].frame()
    assert set(df["run_id"]) == {"a"}
    assert "unreadable_run" in {c["code"] for c in df.attrs["cautions"]}


def test_one_name_for_every_day_is_told(tmp_path: Path) -> None:
    """`--batch nightly` in a scheduled job would make one endless run of all nights."""
    for age in (9, 8, 7):
        stored(tmp_path, f"r{age}", batch="nightly", age=age)
    assert batches(tmp_path)[0].cautions == ()
    stored(tmp_path, "r1", batch="nightly", age=1)
    (caution,) = batches(tmp_path)[0].cautions
    assert caution.code == "long_batch"
    assert "4 runs over 8 days" in caution.text


def test_tags_come_and_go_and_leave_run_json_alone(tmp_path: Path) -> None:
    """run.json is checksummed: a tag must not make it look edited."""
    folder = stored(tmp_path, "a")
    before = (folder / "run.json").read_bytes()
    assert tags.change(folder, add=["baseline", "v1"]) == ("baseline", "v1")
    assert tags.change(folder, add=["v1"], drop=["baseline", "never"]) == ("v1",)
    assert batches(tmp_path)[0].tags == ("v1",)
    assert (folder / "run.json").read_bytes() == before
    assert read_runs(folder)[0].cautions == ()
    assert sorted(f.name for f in folder.iterdir()) == [
        "run.json",
        "samples.jsonl",
        "samples.parquet",
        "tags.json",
    ]


@pytest.mark.parametrize("word", ["", "-x", "a b", "a/b", "é", "x" * 65])
def test_a_word_that_is_no_tag_is_refused_and_nothing_changes(tmp_path: Path, word: str) -> None:
    """Tags are typed in shells and stand in file names of others."""
    folder = stored(tmp_path, "a")
    with pytest.raises(StoreError, match="cannot be a tag"):
        tags.change(folder, add=["fine", word])
    assert tags.read(folder) == ()


@given(st.binary(max_size=60))
def test_no_bytes_in_a_tags_file_crash_its_reader(tmp_path_factory: Any, data: bytes) -> None:
    """Tags or a StoreError that names the file."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "tags.json").write_bytes(data)
    with pytest.raises(StoreError, match=r"tags\.json is damaged"):
        tags.read(folder)


@pytest.mark.parametrize(
    "content", ['{"format":"regionbench tags"}', "[]", '{"tags":["baseline"]}']
)
def test_damaged_tags_are_told_never_overwritten_and_protect_the_run(
    tmp_path: Path, content: str
) -> None:
    """They may have said baseline."""
    folder = stored(tmp_path, "a", age=100)
    (folder / "tags.json").write_text(content)
    (found,) = batches(tmp_path)
    assert [c.code for c in found.cautions] == ["tags_damaged"]
    with pytest.raises(StoreError, match="remove it and tag"):
        tags.change(folder, add=["x"])
    assert (folder / "tags.json").read_text() == content
    assert pruned([found], 1) == Pruning((), {"a": "its tags cannot be read"})


def test_of_two_who_tag_at_once_none_is_lost(tmp_path: Path) -> None:
    """Read and replace are one step."""
    folder = stored(tmp_path, "a")
    threads = [
        threading.Thread(target=tags.change, args=(folder,), kwargs={"add": [f"t{n}"]})
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tags.read(folder)) == 12


def pruned(known: list[StoredBatch], days: float, keep_last: int = 0) -> Pruning:
    return pruning(known, now=NOW, older_than=days * DAY, keep_last=keep_last)


def head(run_id: str, age: float, tagged: tuple[str, ...] | None, live: bool) -> Head:
    began = (NOW - age * DAY).isoformat()
    status = "running" if live else "complete"
    about = {"run_id": run_id, "status": status, "started_at": began}
    return Head(Path(run_id), about, live, tagged)


heads = st.builds(
    head,
    st.uuids().map(str),
    st.floats(0, 400),
    st.none() | st.lists(st.sampled_from(["baseline", "v1"]), unique=True).map(tuple),
    st.booleans(),
)
known_batches = st.lists(
    st.builds(StoredBatch, st.uuids().map(str), st.lists(heads, min_size=1).map(tuple)), max_size=8
)


@given(known_batches, st.floats(0.1, 500), st.integers(0, 9))
def test_pruning_takes_only_what_is_old_and_unprotected(
    known: list[StoredBatch], days: float, keep_last: int
) -> None:
    """Never a baseline, a live run, a young sitting, an unknown tag, or one of the newest."""
    found = pruned(known, days, keep_last)
    for batch in found.remove:
        assert batch not in known[len(known) - keep_last :]
        for one in batch.heads:
            assert one.tags is not None
            assert "baseline" not in one.tags
            assert not one.live
            assert NOW - dt.datetime.fromisoformat(one.run["started_at"]) > days * DAY
    assert not {batch.name for batch in found.remove} & set(found.kept)


@pytest.mark.parametrize(("days", "keep_last"), [(0, 0), (-1, 0), (1, -1)])
def test_pruning_refuses_what_means_nothing(days: float, keep_last: int) -> None:
    """Zero days would be everything."""
    with pytest.raises(UsageError):
        pruned([], days, keep_last)


def test_a_run_of_unknown_age_is_not_old(tmp_path: Path) -> None:
    """No time, or one from the future."""
    odd = Head(Path("a"), {"run_id": "a", "status": "complete", "started_at": "?"}, False, ())
    assert pruned([StoredBatch("a", (odd,))], 1) == Pruning((), {})
    assert pruned([StoredBatch("b", (head("b", -400, (), False),))], 1) == Pruning((), {})


def test_a_run_that_is_removed_is_gone_and_a_live_one_stays(tmp_path: Path) -> None:
    """The lock is asked once more at the last moment."""
    folder = stored(tmp_path, "a")
    with (folder / "samples.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="is being written"):
            remove_run(folder)
    remove_run(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_run_folder_is_never_removed(tmp_path: Path) -> None:
    """Nor a link to one: what it points to may be somebody's only copy."""
    real = stored(tmp_path / "elsewhere", "a")
    (tmp_path / "results").mkdir()
    link = tmp_path / "results" / "a"
    link.symlink_to(real)
    for path in (link, tmp_path / "results", tmp_path / "none"):
        with pytest.raises(StoreError, match="not a run folder of its own"):
            remove_run(path)
    assert real.is_dir()


def test_a_name_means_a_batch_a_run_or_a_folder(tmp_path: Path) -> None:
    """And a slip is told with what was meant."""
    folder = stored(tmp_path, "20260314T090000-abcdef", batch="monday")
    other = stored(tmp_path, "20260315T090000-abcdef", batch="monday", age=-1)
    known = batches(tmp_path)
    assert [h.folder for h in find(known, "monday")] == [folder, other]
    assert [h.folder for h in find(known, folder.name)] == [folder]
    assert [h.folder for h in find(known, str(other))] == [other]
    with pytest.raises(UsageError, match="did you mean monday"):
        find(known, "mondya")
    with pytest.raises(UsageError, match="regionbench history"):
        find(known, "zzz")
