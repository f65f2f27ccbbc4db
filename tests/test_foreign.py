"""Files of other tools become runs, and what is wrong with one is a sentence."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench.errors import StoreError
from bench.foreign.pytest_json import knows
from bench.stats import summarise
from bench.stats.compare import compare_runs
from tests import store_kit, synthetic

PLAIN: dict[str, Any] = {
    "machine_info": {"node": "ci-7", "system": "Linux", "machine": "x86_64", "release": "6.1"},
    "commit_info": {"id": "c0ffee"},
    "benchmarks": [
        {"name": "test_a", "fullname": "tests/test_a.py::test_a", "extra_info": {},
         "stats": {"data": [0.25, 0.5, 1], "mean": 0.58}},
    ],
    "datetime": "2026-03-14T09:00:00.123456+00:00",
    "version": "5.3.1",
}  # fmt: skip


def ours(run_id: str = "r7", started_at: str = "2026-03-14T10:00:00+00:00", **of: Any) -> Any:
    """A file as the plugin leaves it, with synthetic rows."""
    rows = [row | {"run_id": run_id} for row in synthetic.rows(**of)]
    named = sorted({row["endpoint"] for row in rows})
    benchmarks = [
        {
            "fullname": f"::test_latency[{name}]",
            "extra_info": {"regionbench": {"rows": [r for r in rows if r["endpoint"] == name]}},
            "stats": {"mean": 1.0},
        }
        for name in named
    ]
    described = synthetic.run(named, run_id=run_id, started_at=started_at)
    return PLAIN | {"benchmarks": benchmarks, "regionbench": described}


def saved(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_rows_that_a_benchmark_carries_are_the_rows_that_are_loaded(tmp_path: Path) -> None:
    """With their run, so that a summary needs nothing else."""
    df = bench.load(saved(tmp_path / "a.json", ours(rounds=30)))
    assert len(df) == 31 * 4
    assert df.attrs["runs"][0]["run_id"] == "r7"
    assert df.attrs["cautions"] == []
    assert {cell.n for cell in summarise(df).cells} == {30}


def test_any_other_benchmark_becomes_rows_of_its_timings(tmp_path: Path) -> None:
    """So that any project's files can be gated by the same rules."""
    df = bench.load(saved(tmp_path / "a.json", PLAIN))
    assert list(df["total_ns"]) == [250_000_000, 500_000_000, 1_000_000_000]
    assert list(df["round"]) == [0, 1, 2]
    assert set(df["endpoint"]) == {"tests/test_a.py::test_a"}
    run = df.attrs["runs"][0]
    assert run["run_id"].startswith("20260314T090000-")
    assert (run["vantage"], run["commit"], run["scheduled"]) == ("ci-7", "c0ffee", 3)
    assert summarise(df).cells[0].n == 3


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (json.dumps(PLAIN, indent=4)[:-40], "is damaged: it is not whole JSON"),
        (PLAIN | {"benchmarks": {}}, "no list of benchmarks"),
        (PLAIN | {"benchmarks": [3]}, "no list of benchmarks"),
        (PLAIN | {"benchmarks": []}, "--benchmark-save-data"),
        (PLAIN | {"benchmarks": [{"name": "x", "stats": {"mean": 1.0}}]}, "--benchmark-save-data"),
        (PLAIN | {"regionbench": {"schema_version": 99}}, "upgrade regionbench"),
        ({"testsuites": []}, "give a file of pytest-benchmark, k6, AIPerf, curl, or a run"),
        ("", "give a file of pytest-benchmark, k6, AIPerf, curl, or a run"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_place_and_remedy(
    document: Any, sentence: str, tmp_path: Path
) -> None:
    """Cut off, foreign, empty, from the future."""
    file = saved(tmp_path / "a.json", document)
    with pytest.raises(StoreError) as refused:
        bench.load(file)
    assert sentence in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_said_as_of_any_run(tmp_path: Path) -> None:
    """Nobody looks into it first."""
    with pytest.raises(StoreError, match="nowhere"):
        bench.load(tmp_path / "nowhere.json")


def test_unreadable_parts_are_left_out_and_told(tmp_path: Path) -> None:
    """A timing that is none and a row that is none cost only themselves."""
    document = ours(rounds=5)
    document["benchmarks"][0]["extra_info"]["regionbench"]["rows"] += [3, {"endpoint": "x"}]
    timings = [0.5, "fast", -1, float("nan"), float("inf"), True, None, 1e300]
    document["benchmarks"].append({"fullname": "plain", "stats": {"data": timings}})
    df = bench.load(saved(tmp_path / "a.json", document))
    assert list(df[df["endpoint"] == "plain"]["total_ns"]) == [500_000_000]
    told = [caution["text"] for caution in df.attrs["cautions"]]
    assert any("has 2 unreadable rows" in text for text in told)
    assert any("plain has 7 unreadable rows" in text for text in told)


def test_a_damaged_description_of_the_run_is_left_out_and_told(tmp_path: Path) -> None:
    """The rows do not depend on it."""
    document = ours(rounds=5)
    document["regionbench"]["preflight"] = [None]
    df = bench.load(saved(tmp_path / "a.json", document))
    assert len(df) == 24
    assert [caution["code"] for caution in df.attrs["cautions"]] == ["run_json_unreadable"]


def test_a_folder_gives_its_runs_and_files_in_the_order_of_their_beginning(
    tmp_path: Path,
) -> None:
    """Storage folders of pytest-benchmark lie deeper; other JSON is left alone."""
    store_kit.written(tmp_path)  # began in 2025
    saved(tmp_path / "Linux-CPython-3.11-64bit" / "0002_b.json", ours("later"))
    saved(tmp_path / "a.json", ours("sooner", "2026-03-14T09:30:00+00:00"))
    saved(tmp_path / "verdict.json", {"state": "ok"})
    df = bench.load(tmp_path)
    assert [run["run_id"] for run in df.attrs["runs"]] == ["r1", "sooner", "later"]


def test_a_folder_tells_what_it_skipped(tmp_path: Path) -> None:
    """A damaged file costs only itself; a run in two files is read once."""
    saved(tmp_path / "a.json", ours())
    saved(tmp_path / "b.json", ours())
    saved(tmp_path / "c.json", json.dumps(PLAIN)[:-9])
    df = bench.load(tmp_path)
    assert {caution["code"] for caution in df.attrs["cautions"]} == {
        "doubled_run",
        "unreadable_run",
    }
    assert df["run_id"].nunique() == 1


def test_a_folder_of_damaged_files_alone_says_so(tmp_path: Path) -> None:
    """Not that there is nothing."""
    saved(tmp_path / "c.json", json.dumps(PLAIN)[:-9])
    with pytest.raises(StoreError, match=r"c\.json was skipped: .* damaged"):
        bench.load(tmp_path)


def test_who_fails_every_time_has_regressed_and_is_never_faster(tmp_path: Path) -> None:
    """The rows say it, whatever pytest-benchmark's own numbers are."""
    names = ("us-east-1",)
    before = bench.load(saved(tmp_path / "a.json", ours("a", endpoints=names)))
    after = ours("b", endpoints=names, fail={"us-east-1": 1.0})
    for row in after["benchmarks"][0]["extra_info"]["regionbench"]["rows"]:
        row["total_ns"] = 1_000
    verdict = compare_runs(before, bench.load(saved(tmp_path / "b.json", after)), "a", "b")
    assert verdict.state == "regressed"
    failing = next(one for one in verdict.judged if one.measure == "failure_rate")
    assert (failing.state, failing.observed) == ("regressed", 1.0)
    assert all((one.change or 0) >= 0 for one in verdict.judged)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=10)  # a summary each
@given(data=st.data())
def test_a_lying_file_is_read_or_refused_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any value in any place of a file."""
    document = copy.deepcopy(_SMALL)
    place: Any = document
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(_JSON)
            break
        place = place[key]
    file = saved(tmp_path_factory.mktemp("lying") / "a.json", document)
    try:
        df = bench.load(file)
    except StoreError:
        return
    summarise(df)


_SMALL = ours(rounds=2, endpoints=("us-east-1",))
_SMALL["benchmarks"].append(PLAIN["benchmarks"][0])


@given(st.binary(max_size=64))
def test_nothing_is_taken_for_a_file_of_pytest_benchmark_by_chance(head: bytes) -> None:
    """It begins as an object and names the machine."""
    assert not knows(head) or b"machine_info" in head
