"""RUN means the same to every command: a folder, a file, a run's id, or a batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli.stored import stored
from bench.errors import StoreError, UsageError
from bench.model import Endpoint, Plan
from bench.report import COLUMNS
from bench.store import RunWriter
from tests.door import call
from tests.store_kit import run, sample

MS = {"fra": {"a": 100, "b": 300}, "iad": {"a": 320, "b": 110}}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch of two runs, one from each of two vantages."""
    made = tmp_path_factory.mktemp("results")
    ends = tuple(Endpoint(name=name, url=f"https://{name}.example/v1") for name in "ab")
    for vantage, ms in MS.items():
        about = {"run_id": f"run-{vantage}", "vantage": vantage, "endpoints": ends}
        with RunWriter.create(made, run(80, plan=Plan(batch="tour"), **about)) as writer:
            for seq in range(80):
                name = "ab"[seq % 2]
                took = (ms[name] + seq * 7 % 13) * 1_000_000
                mine = {"run_id": f"run-{vantage}", "vantage": vantage, "endpoint": name}
                more = {"round": seq // 2, "warmup": False, "ttft_ns": took, "total_ns": took}
                writer.append(sample(seq, **mine, **more))
            writer.finish("complete")
    return made


def test_every_name_of_a_run_means_it(results: Path) -> None:
    """By folder, id and batch; a batch's outputs get a folder of their own, beside its runs."""
    alone = stored(str(results / "run-fra"), results, COLUMNS)
    assert stored("run-fra", results, COLUMNS).df.equals(alone.df)
    assert stored("run-fra", results, COLUMNS).folder == results / "run-fra"
    batch = stored("tour", results, COLUMNS)
    assert (len(batch.df), batch.folder) == (160, results / "tour")
    assert len(stored(str(results), results, COLUMNS).df) == 160


def test_a_name_that_nothing_has_is_answered_with_the_nearest(results: Path) -> None:
    """And a results folder that is not there is named."""
    with pytest.raises(UsageError, match="did you mean tour"):
        stored("toor", results, COLUMNS)
    with pytest.raises(StoreError, match="no results folder"):
        stored("tour", results / "missing", COLUMNS)


@pytest.mark.parametrize("command", ["choose", "routing", "report", "plot"])
def test_every_command_says_what_comes_nearest(results: Path, command: str) -> None:
    """A typo is one sentence, and exit code 2."""
    told = call(command, "toor", "--results", str(results))
    assert (told.returncode, told.stdout) == (2, "")
    assert "there is no run 'toor'; did you mean tour?" in told.stderr


def test_choose_of_a_batch_answers_per_vantage(results: Path) -> None:
    """Text ends with the compromise; JSON has every vantage and no answer that mixes them."""
    told = call("choose", "tour", "--results", str(results))
    assert "fra: a," in told.stdout
    assert "iad: b," in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    document = json.loads(call("choose", "tour", "--results", str(results), "--json").stdout)
    assert (document["answer"], document["race"]) == (None, None)
    best = {race["vantage"]: race["best"] for race in document["places"]["races"]}
    assert best == {"fra": "a", "iad": "b"}


def test_choose_takes_weights_and_only_some_endpoints(results: Path) -> None:
    """Both are said plainly when they are wrong."""
    where = ("--results", str(results))
    heavy = call("choose", "tour", "--weights", "fra=99,iad=1", "--json", *where)
    assert json.loads(heavy.stdout)["places"]["mean"]["candidates"] == ["a"]
    only = call("choose", "tour", "--endpoints", "b", "--json", *where)
    assert json.loads(only.stdout)["places"]["kind"] == "one"
    for words, said in (
        (("--weights", "fra"), "write NAME=WEIGHT"),
        (("--weights", "fro=1,iad=1"), "did you mean fra?"),
        (("--endpoints", "c"), "there are a, b"),
    ):
        told = call("choose", "tour", *words, *where)
        assert (told.returncode, said in told.stderr) == (2, True), told.stderr
    assert "name a RUN" in call("choose", "--weights", "fra=1", *where).stderr


def test_routing_of_a_batch_answers_per_vantage(results: Path) -> None:
    """There is no one answer on top."""
    told = call("routing", "tour", "--results", str(results), "--json")
    document = json.loads(told.stdout)
    assert (told.returncode, document["routing"]) == (3, None)
    assert set(document["vantages"]) == {"fra", "iad"}


def test_plot_draws_each_vantage_and_all_of_them(results: Path, tmp_path: Path) -> None:
    """A file a vantage; the heat map is one."""
    for name, files in (("ecdf", ["x-fra.png", "x-iad.png"]), ("vantages", ["x.png"])):
        folder = tmp_path / name
        call("plot", "tour", name, "-o", str(folder / "x.png"), "--results", str(results))
        assert sorted(file.name for file in folder.iterdir()) == files


def test_compare_within_a_batch_never_pairs_two_vantages(results: Path) -> None:
    """a is slower from iad and faster from fra: each cell is of one place, and says so."""
    told = call("compare", "a", "b", "--run", "tour", "--json", "--results", str(results))
    document = json.loads(told.stdout)
    seen = {
        (one["stratum"]["vantage"], one["state"])
        for one in document["verdict"]["judged"]
        if one["measure"] == "p50"
    }
    assert seen == {("fra", "regressed"), ("iad", "ok")}
    assert "from fra" in document["sentence"]
