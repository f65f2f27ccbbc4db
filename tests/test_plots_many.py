"""Figures of more rows than anybody could look at: fewer points, the same numbers, and said so."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.frame import tidy
from bench.plots import COLUMNS, PLOTS, is_empty, sparse, style, view
from bench.plots.phases import middle_fifth
from tests.plots_kit import tokens, words
from tests.synthetic import rows, run

SAID = {
    "ecdf": "drawn from 2,000 answers of each curve",
    "tail": "drawn from 2,000 answers of each curve",
    "ridgeline": "drawn from 2,000 answers of each curve",
    "difference": "drawn from 2,000 rounds of each region",
    "timeline": "drawn from 2,000 answers of each endpoint, shades from every 10th round",
    "layers": "drawn from 2,000 answers of each endpoint",
    "cadence": "drawn from 700 gaps of each endpoint",
    "routing": "drawn from every 10th round",
    "spillover": "drawn from every 10th round",
}
"""What is drawn of fewer points, and its words; the others draw numbers of all rows."""

DRAWN = re.compile(r" · drawn from .*?(every \d+th round|them|region|endpoint)(?= |$)")

SAMPLED = ("routing", "spillover")
"""Their numbers are of the rounds that are drawn."""


@pytest.fixture(scope="module")
def large() -> pd.DataFrame:
    """Just above a threshold of 500 rows: two runs of 150 rounds of four endpoints."""
    made = rows(150, fail={"eu-west-1": 0.05}, outcome="capacity")
    for row in made:
        if row["outcome"] == "ok":
            row |= tokens(row)
        at = pd.Timestamp(row["started_at"]) + pd.Timedelta(seconds=40 * row["round"])
        row["started_at"] = at.isoformat()
    return tidy([*made, *({**row, "run_id": "second"} for row in made)], _runs())


def _runs() -> list[dict[str, Any]]:
    return [run(), {**run(), "run_id": "second"}]


@pytest.mark.parametrize("name", PLOTS)
def test_a_large_figure_states_the_numbers_of_all_rows(
    name: str, large: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written is what the exact figure has, and from how many points it is drawn. The
    frame is then as it was: nothing that was taken from it in place is worked on in place."""
    before = large.copy(deep=True)
    exact = words(PLOTS[name](large))
    monkeypatch.setattr(view, "MANY", 500)
    monkeypatch.setattr(sparse, "MANY", 500)
    figure = PLOTS[name](large)
    told = " ".join(words(figure).split())
    assert not is_empty(figure) or name == "race"
    assert "drawn from" not in exact
    assert ("drawn from" in told) == (name in SAID)
    assert SAID.get(name, "") in told
    if name not in SAMPLED:
        assert DRAWN.sub("", told) == " ".join(exact.split())
    assert large.equals(before)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_reads_only_the_columns_that_it_names(name: str, large: pd.DataFrame) -> None:
    """So that a frame of those, and of no other, gives the same figure."""
    from bench.frame import KEYS

    some = large[[one for one in large if one in (*KEYS, *COLUMNS[name])]].copy()
    some.attrs = large.attrs
    assert words(PLOTS[name](some)) == words(PLOTS[name](large))


@given(st.integers(2001, 60_000), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_thinned_distribution_is_within_a_thousandth_of_the_exact_one(n: int, seed: int) -> None:
    """And holds its extremes."""
    values = np.sort(np.random.default_rng(seed).lognormal(5, 0.4, n))
    few = style.thin(values)
    drawn = np.searchsorted(values, few, side="right") / n
    at = np.searchsorted(few, values, side="right") - 1
    exact = np.searchsorted(values, values, side="right") / n
    assert np.abs(drawn[at] - exact).max() <= 0.001
    assert (few[0], few[-1]) == (values[0], values[-1])


@given(st.lists(st.integers(0, 9) | st.floats(0, 10), min_size=1, max_size=60))
def test_the_middle_fifth_is_that_of_the_ranks(values: list[float]) -> None:
    """Where many are equal too: the earlier has the lower rank."""
    ranks = pd.Series(values, dtype=float).rank(method="first", pct=True)
    assert middle_fifth(np.array(values, dtype=float)).tolist() == [
        at for at, rank in enumerate(ranks) if 0.4 < rank <= 0.6
    ]


def test_rounds_are_kept_whole(large: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth of those of all runs, with all that was asked in it; attrs stay."""
    monkeypatch.setattr(sparse, "MANY", 500)
    few = sparse.sparse(large, 1000)
    assert few.every == 10
    rounds = few.df.groupby(["run_id", "round"], observed=True).size()
    whole = large.groupby(["run_id", "round"], observed=True).size()
    assert (rounds == whole[rounds.index]).all()
    assert len(rounds) == -(-len(whole) // 10)
    assert set(few.df["run_id"]) == set(large["run_id"])
    assert few.df.attrs == large.attrs


def test_a_small_frame_is_left_as_it_is(large: pd.DataFrame) -> None:
    """Below the threshold nothing is thinned and nothing is said."""
    assert sparse.sparse(large, sparse.largest(large)).df is large
