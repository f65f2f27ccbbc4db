"""The examples are what they say they are: recorded, small, at hand without a network."""

from __future__ import annotations

import socket
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.errors import NotEnoughData, UsageError
from bench.examples import EXAMPLES
from bench.frame import DERIVED
from bench.model import COLUMNS, GLOBAL, SCHEMA_VERSION
from bench.stats import answer
from tests.record_examples import HERE, PLACES, sittings

FOLDER = Path(str(files("bench.examples")))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_tidy_frame_that_says_what_it_is(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documented columns, UTC, ordered endpoints; recorded, simulated, and without a network."""
    monkeypatch.setattr(socket, "socket", None)
    df = bench.load_example(name)
    assert tuple(df.columns) == COLUMNS + DERIVED
    assert str(df["started_at"].dt.tz) == "UTC"
    assert df["endpoint"].cat.ordered
    assert df["endpoint"].cat.categories[0] == GLOBAL
    assert "recorded on a local fleet (simulated)" in df.attrs["example"]
    assert df.attrs["cautions"] == []
    for run in df.attrs["runs"]:
        assert run["schema_version"] == SCHEMA_VERSION
        assert (run["simulated"], run["status"]) == (True, "complete")
        assert run["vantage"] in (HERE, *PLACES)


def test_a_wrong_name_is_told_the_right_ones() -> None:
    """All of them: there are few."""
    with pytest.raises(UsageError) as refused:
        bench.load_example("spilover")
    assert all(name in str(refused.value) for name in ("'spilover'", *EXAMPLES))


def test_they_are_small_and_name_nothing_of_who_recorded_them() -> None:
    """400 kB together; no path of that machine."""
    shipped = list(FOLDER.glob("*.parquet"))
    assert {file.stem for file in shipped} == {one.file for one in EXAMPLES.values()}
    assert sum(file.stat().st_size for file in shipped) <= 400_000
    for file in shipped:
        content = file.read_bytes()
        assert not any(path in content for path in (b"/home/", b"/root", b"/work", b"/Users/"))


def test_every_file_can_be_recorded_again(tmp_path: Path) -> None:
    """The command knows each, and its plans are those of the recorded runs."""
    for name, planned in sittings(tmp_path).items():
        recorded = [
            run
            for example, about in EXAMPLES.items()
            if about.file == name
            for run in bench.load_example(example).attrs["runs"]
        ]
        assert [run["plan"]["seed"] for run in recorded] == [plan.seed for plan, *_ in planned]
        assert [run["plan"]["rounds"] for run in recorded] == [plan.rounds for plan, *_ in planned]


def test_regions_has_warm_and_cold_and_a_tie() -> None:
    """As the notebooks tell of it."""
    df = bench.load_example("regions")
    assert set(df["connection"]) == {"warm", "cold"}
    found = answer(bench.summarise(df))
    assert found.state == "no clear difference"
    assert set(found.endpoints) == {"global", "us-east-1"}


def test_routing_can_be_told_from_spillover_and_not_from_streams() -> None:
    """Answers in one piece carry the server's own word."""
    found = bench.route(bench.load_example("spillover"))
    assert found.identifiable
    assert found.shares[0].name == "us-east-1"
    assert not bench.route(bench.load_example("regions")).identifiable


def test_history_ends_in_a_suspect_that_its_confirmation_confirms() -> None:
    """Never red at the first look."""
    df = bench.load_example("history")
    assert df["run_id"].nunique() == 11
    assert bench.judge_newest(df).state == "inconclusive"
    verdict = bench.judge_newest(df, bench.load_example("confirmation"))
    assert verdict.state == "regressed"
    assert {one.endpoint for one in verdict.having("regressed")} == {"global", "us-east-1"}


def test_without_a_run_there_is_nothing_to_judge() -> None:
    """And that is said."""
    df = bench.load_example("history")
    with pytest.raises(NotEnoughData, match="measure one"):
        bench.judge_newest(df[:0])


def test_the_default_is_the_first() -> None:
    """So that the shortest call shows something."""
    pd.testing.assert_frame_equal(bench.load_example(), bench.load_example("regions"))
