"""The gate of a batch from several vantages: each by its own history, all of them one family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.errors import UsageError
from bench.gate import find_candidate, find_candidates, judge_all
from bench.model import Plan
from bench.stats.baseline import Trial, against, against_each
from tests.test_gate import ROUNDS, write_day

HERE, THERE = "here", "there"


def write_tour(
    results: Path, number: int, places: tuple[str, ...] = (HERE, THERE), **slow: float
) -> None:
    """A day's batch from each of ``places``; ``slow``: vantage → factor of near's times.

    Elsewhere everything takes another time, so that one history would be no baseline for another.
    """
    plan = Plan(catalogue="nowhere.toml", rounds=ROUNDS, batch=f"tour-{number:02}")
    for place in places:
        name = f"tour-{number:02}-{place}"
        write_day(results, number, run_id=name, plan=plan, vantage=place, slow=slow.get(place, 1.0))


@pytest.fixture(scope="module")
def eleven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("tours")
    for number in range(1, 12):
        write_tour(results, number)
    return results


def gate(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any], str]:
    """Exit code, document, what was told."""
    code = main(["gate", "--json", "--no-confirm", *map(str, words)])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_each_vantage_is_judged_by_its_own_history(eleven: Path) -> None:
    """Ten batches each; the verdict and its cells name the vantage."""
    candidates = find_candidates(eleven)
    assert [(one.vantage, len(one.past)) for one in candidates] == [(HERE, 10), (THERE, 10)]
    verdicts = judge_all(candidates)
    assert [verdict.b for verdict in verdicts] == ["tour-11 from here", "tour-11 from there"]
    for verdict, place in zip(verdicts, (HERE, THERE), strict=True):
        assert {one.stratum.vantage for one in verdict.judged} == {place}


def test_what_is_slow_from_one_vantage_is_found_there_alone(
    eleven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Suspect from there, and fine from here; the worst state is the gate's."""
    results = linked(eleven, tmp_path)
    write_tour(results, 12, there=1.6)
    fresh = tmp_path / "fresh"
    write_tour(fresh, 13, there=1.6)
    code, document, _ = gate(capsys, "--history", results)
    here, there = document["verdicts"]
    assert (code, here["state"], there["state"]) == (3, "ok", "inconclusive")
    code, document, _ = gate(capsys, "--history", results, "--confirmation", fresh)
    assert [verdict["state"] for verdict in document["verdicts"]] == ["ok", "regressed"]
    assert code == 1
    assert "from there" in document["sentence"]


def linked(results: Path, tmp_path: Path) -> Path:
    """The same runs in a folder of the test's own."""
    made = tmp_path / "results"
    made.mkdir()
    for folder in results.iterdir():
        (made / folder.name).symlink_to(folder)
    return made


def test_a_vantage_that_is_missing_is_told(
    eleven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody may take its silence for a pass."""
    results = linked(eleven, tmp_path)
    write_tour(results, 12, (HERE,))
    _, document, _ = gate(capsys, "--history", results)
    (verdict,) = document["verdicts"]
    told = [caution["text"] for caution in verdict["cautions"]]
    assert any("Not measured from there" in text for text in told)


def test_a_new_vantage_has_no_history_and_is_undecided(
    eleven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a silent pass, and the others are judged as ever."""
    results = linked(eleven, tmp_path)
    write_tour(results, 12, (HERE, THERE, "new"))
    code, document, _ = gate(capsys, "--history", results)
    states = {verdict["b"]: verdict["state"] for verdict in document["verdicts"]}
    assert states["tour-12 from new"] == "inconclusive"
    assert states["tour-12 from here"] == states["tour-12 from there"] == "ok"
    assert code == 3
    new = next(v for v in document["verdicts"] if v["b"].endswith("new"))
    assert any("no baseline yet (0 of 10 runs)" in one["reason"] for one in new["judged"])


def test_one_candidate_is_not_several(eleven: Path) -> None:
    """Who asks for one of two is told."""
    with pytest.raises(UsageError, match="several vantages"):
        find_candidate(eleven)


def test_all_vantages_are_one_family_of_cells(eleven: Path) -> None:
    """A cell's corrected p counts the cells of every vantage; alone it is as it was."""
    first, second = (Trial(one.past, one_batch(one)) for one in find_candidates(eleven))
    alone, together = against(first.past, first.new), against_each([first, second])
    assert [one.p for one in alone.judged] == [one.p for one in together[0].judged]
    family = [one for verdict in together for one in verdict.judged if one.p is not None]
    smallest = min(family, key=lambda one: one.p or 0.0)
    assert smallest.p is not None
    assert smallest.p_adjusted is not None
    assert smallest.p_adjusted <= len(family) * smallest.p + 1e-12
    assert against_each([first])[0].judged == alone.judged


def one_batch(candidate: Any) -> Any:
    from bench.stats.baseline import batch

    return batch(candidate.df, candidate.name, by_vantage=False)
