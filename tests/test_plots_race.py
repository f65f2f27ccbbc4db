"""The race's figure: the verdict as title, every elimination with its reason, and odd frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bench.frame import tidy
from bench.plots import PLOTS, finding
from bench.plots.race import GLYPHS, race
from bench.plots.style import MOST_POINTS
from bench.plots.view import view
from bench.stats.race import RaceRules, replay
from bench.stats.race_verdict import RaceVerdict
from tests.synthetic import rows, run

FOUR = {"us-east-1": 200.0, "eu-west-1": 222.0, "us-west-2": 240.0, "ap-south-1": 300.0}


def _frame(medians: dict[str, float], rounds: int = 80, **changes: Any) -> pd.DataFrame:
    return tidy(rows(rounds, list(medians), medians_ms=medians, **changes), [run(list(medians))])


def _texts(figure: Figure) -> str:
    def inner(artist: Any) -> list[str]:
        own = [artist.get_text()] if hasattr(artist, "get_text") else []
        return own + [text for child in artist.get_children() for text in inner(child)]

    return "\n".join(inner(figure)).replace("\u00a0", " ")


def _verdict(df: pd.DataFrame, rules: RaceRules | None = None) -> RaceVerdict:
    seen = view(df)
    assert seen is not None
    return replay(seen.rows, rules)


def _markers(figure: Figure) -> list[str]:
    return [str(line.get_marker()) for ax in figure.axes[0].child_axes for line in ax.lines]


@pytest.fixture(scope="module")
def decided() -> pd.DataFrame:
    return _frame(FOUR, seed=3)


def test_a_decided_race_names_its_choice_and_every_elimination(decided: pd.DataFrame) -> None:
    """Who, after how many rounds; and for the others when, and why no more."""
    figure, verdict = race(decided), _verdict(decided)
    text = _texts(figure)
    assert verdict.best == "us-east-1"
    assert finding(figure).startswith(f"us-east-1 chosen after {verdict.rounds} rounds: ")
    assert len(verdict.eliminations) == 3
    for out in verdict.eliminations:
        assert f"{out.reason}: out after round {out.round}" in text
    assert _markers(figure).count(GLYPHS["no faster"][0]) == 3
    assert f"{verdict.requests} in all" in text
    assert "margin of 5 % or 5 ms" in text
    assert "(simulated)" in text
    for name, rate in verdict.failures.items():
        assert name in text
        assert f"n = {rate.n}, {rate.failed} failed" in text
    assert figure.axes[0].child_axes[0].get_ylim()[1] < 100


def test_failures_have_a_glyph_and_a_word_of_their_own() -> None:
    """The fastest endpoint is not chosen because it fails: the picture and its title say so."""
    df = _frame(FOUR | {"eu-west-1": 150.0}, 60, fail={"eu-west-1": 0.5}, seed=4)
    figure = race(df)
    assert "out for failures: eu-west-1" in finding(figure)
    assert "failures: out after round" in _texts(figure)
    assert "not compared: it fails" in _texts(figure)
    assert _markers(figure).count(GLYPHS["failures"][0]) == 1


def test_a_near_tie_names_nobody_and_says_that_the_leader_changed() -> None:
    """Undecided between those that are open; standings against different leaders are announced."""
    df = _frame(FOUR | {"eu-west-1": 199.0}, 100, sigma=0.5, seed=5)
    verdict, figure = _verdict(df), race(df)
    assert verdict.kind == "undecided"
    assert len({one.leader for one in verdict.history}) > 1
    assert finding(figure).startswith("Undecided between ")
    assert all(name in finding(figure) for name in verdict.endpoints)
    assert "chosen" not in _texts(figure)
    assert "the leader changed" in _texts(figure).replace("\n", " ")


def test_each_kind_of_verdict_has_its_title(decided: pd.DataFrame) -> None:
    """What was not established is not said."""
    verdict = _verdict(decided)
    pair = ("us-east-1", "eu-west-1")
    titles = {
        kind: finding(race(decided, verdict=replace(verdict, kind=kind, endpoints=pair)))
        for kind in ("winner", "choice", "equivalent")
    }
    assert titles["winner"].endswith("every other is slower")
    assert titles["choice"].endswith("no other is faster by more than 5 % or 5 ms")
    assert titles["equivalent"].startswith("Equivalent within 5 % or 5 ms after ")
    assert titles["equivalent"].endswith("us-east-1 and eu-west-1")
    nobody = replace(verdict, kind="undecided", best=None)
    assert finding(race(decided, verdict=replace(nobody, endpoints=()))).endswith("endpoint fails")
    alone = race(decided, verdict=replace(nobody, endpoints=pair[:1]))
    assert finding(alone).endswith("only us-east-1 is left")


def test_the_verdict_of_a_race_that_was_run_is_drawn_as_it_is(decided: pd.DataFrame) -> None:
    """Not replayed by other rules; and its own margin is the band."""
    rules = RaceRules(within=0.2, within_ms=0.0)
    verdict = _verdict(decided, rules)
    figure = race(decided, verdict=verdict, rules=rules)
    assert verdict.rounds != _verdict(decided).rounds
    assert f"after {verdict.rounds} rounds" in finding(figure)
    assert "margin of 20 %" in _texts(figure)


@pytest.mark.parametrize(
    ("df", "words"),
    [
        (tidy([], [run()]), "no requests to draw"),
        (tidy(rows(1)[4:5], [run()]), "After 1 round nothing can be said"),
        (tidy(rows(9), [run()]), "After 9 rounds nothing can be said"),
        (_frame(FOUR, 20, fail=dict.fromkeys(FOUR, 1.0)), "All 80 requests failed"),
        (_frame({"us-east-1": 200.0}, 40), "there was no other"),
    ],
    ids=["empty", "one row", "too early", "all failed", "one endpoint"],
)
def test_odd_frames_get_a_sentence(df: pd.DataFrame, words: str) -> None:
    """And no traceback, no NaN."""
    figure = PLOTS["race"](df)
    figure.draw_without_rendering()
    assert words in finding(figure)
    assert "nan" not in _texts(figure).lower()


def test_draws_into_axes_of_the_reader_and_thins_long_races() -> None:
    """At most 2,000 looks per series, the last among them."""
    mine = Figure(figsize=(7, 5))
    df = _frame({"us-east-1": 200.0, "eu-west-1": 201.0}, 40, sigma=0.1)
    short = _verdict(df)
    looks = [one for one in short.history if one.round == short.history[-1].round]
    long = tuple(replace(one, round=at) for at in range(12, 5001) for one in looks)
    figure = race(df, ax=mine.add_subplot(), verdict=replace(short, rounds=5000, history=long))
    assert figure is mine
    sizes = [
        len(np.atleast_1d(line.get_xdata()))
        for strip in figure.axes[0].child_axes
        for line in strip.lines
    ]
    assert MOST_POINTS <= max(sizes) <= MOST_POINTS + 2
