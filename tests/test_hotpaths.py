"""How our own speed is watched: old against new, by turns."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks import hotpaths
from tests.benchmarks.hotpaths import Versions, judge, side, sit, slower
from tests.benchmarks.turns import ROOT

ASKED = argparse.Namespace(against=None, quick=True, keep=None)


def test_a_path_that_became_three_times_as_slow_is_found_and_its_neighbour_is_not(
    tmp_path: Path,
) -> None:
    """Judged by the product's own comparison, in CPU time, from two real processes' files."""
    shutil.copytree(ROOT / "bench", tmp_path / "now" / "bench")
    race = tmp_path / "now" / "bench" / "stats" / "race.py"
    text = race.read_text("utf-8")
    busy = "        sum(range(60_000))\n        if self.decided:\n            raise ValueError"
    slow = text.replace("        if self.decided:\n            raise ValueError", busy, 1)
    assert slow != text
    race.write_text(slow, "utf-8")
    df = sit(Versions(ROOT, tmp_path / "now"), tmp_path / "turns", 1, 24, "decide or append")
    assert df.groupby(["endpoint", "client"]).size().to_list() == [24] * 4
    found = {one.endpoint: one for one in judge(df)}
    assert slower(found["decide"])
    assert not slower(found["append"])


def test_a_path_that_one_side_lacks_is_run_by_the_other_alone(tmp_path: Path) -> None:
    """And is said to be missing, not passed over.

    Another product than was meant is refused: a path of Python's that finds the wrong `bench`
    first would compare a thing with itself.
    """
    then, turns = tmp_path / "then", tmp_path / "turns"
    shutil.copytree(ROOT / "bench", then / "bench")
    (then / "bench" / "stats" / "race.py").write_text(
        "class RaceRules:\n    def __init__(self, **_: object) -> None:\n        raise OSError\n"
        "Race = RaceRules\n"
    )
    df = sit(Versions(then, ROOT), turns, 1, 2, "decide or append")
    sizes = df.groupby(["endpoint", "client"]).size()
    assert sizes.to_dict() == {
        ("append", "new"): 2,
        ("append", "old"): 2,
        ("decide", "new"): 2,
    }
    missing = next(one for one in judge(df) if one.endpoint == "decide")
    assert missing.state == "inconclusive"
    assert "baseline has no rows" in missing.reason
    assert len(side(turns / "new" / "benchmarks.json", "new", ROOT)) == 4
    with pytest.raises(RuntimeError, match="was to be timed"):
        side(turns / "new" / "benchmarks.json", "new", then)


def test_without_history_it_says_so_and_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unpacked release is no repository, and a shallow clone has no older commit."""
    monkeypatch.setattr(hotpaths, "ROOT", tmp_path)
    assert "nothing was compared" in hotpaths.measure(ASKED).notes[0]
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True)
    assert "nothing was compared" in hotpaths.measure(ASKED).notes[0]
