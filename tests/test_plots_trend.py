"""Trend: batches over weeks in a picture that says when a level changed, and decides nothing."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.frame import tidy
from bench.model import GLOBAL
from bench.plots import finding, to_png, to_svg, trend
from bench.stats import changes, stratify
from bench.stats.changes import change_points
from bench.stats.metrics import countable
from bench.stats.trend import trend as points_of
from tests import synthetic
from tests.plots_kit import words

ENDPOINTS = (GLOBAL, "us-east-1")


def history(
    batches: int,
    step: int | None = None,
    *,
    rounds: int = 12,
    endpoints: Sequence[str] = ENDPOINTS,
    **more: Any,
) -> pd.DataFrame:
    """Batches a day apart in two sittings each; from ``step`` on us-east-1 takes 40 % longer."""
    rows, runs, rng = [], [], random.Random(3)
    for day in range(batches):
        factor = 1.4 if step is not None and day >= step else 1.0
        level = rng.lognormvariate(0, 0.02)
        medians = {"us-east-1": 240.0 * factor * level, "eu-west-1": 160.0 * level}
        for sitting in range(2):
            run_id = f"{day}-{sitting}"
            began = synthetic.START + dt.timedelta(days=day, hours=8 * sitting)
            made = synthetic.rows(
                rounds, endpoints, seed=2 * day + sitting, medians_ms=medians, run_id=run_id, **more
            )
            for row in made:
                at = began + dt.timedelta(seconds=row["seq"])
                rows.append(row | {"started_at": at.isoformat()})
            plan = {"batch": f"day-{day}"}
            runs.append(synthetic.run(endpoints, run_id=run_id, plan=plan))
    return tidy(rows, runs)


def test_a_point_is_a_batch_not_a_run() -> None:
    """Sittings of one batch stand in one number."""
    df = history(3)
    ((stratum, rows),) = stratify(countable(df))
    points = points_of(df, rows, stratum)
    assert sorted((p.batch, p.endpoint) for p in points) == [
        (f"day-{day}", name) for day in range(3) for name in ENDPOINTS
    ]
    assert [p.batch for p in points] == sorted(p.batch for p in points)
    assert {p.failures.n for p in points} == {24}


def test_the_title_says_since_when_the_level_changed() -> None:
    """A finding: who, by how much, since when."""
    said = finding(trend(history(24, 15)))
    assert said.startswith("us-east-1: the median is +")
    assert "since 2026-03-29" in said


def test_without_a_change_the_title_says_so() -> None:
    """And without the library that it was not looked at."""
    df = history(24, rounds=40, endpoints=("us-east-1",), sigma=0.1, tail=0.0)
    assert finding(trend(df)) == "No lasting change of level in 24 batches"


def test_without_the_library_there_is_a_picture_that_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An extra is optional: the plot is drawn without its second line."""
    monkeypatch.setattr(changes, "find_spec", lambda _: None)
    figure = trend(history(24, 15))
    assert "was not looked at" in finding(figure)
    assert "regionbench[history]" in words(figure).replace("\n", " ")


@pytest.mark.parametrize(
    ("df", "sentence"),
    [
        (history(0), "There are no requests to draw"),
        (history(1), "One batch (day-0) is no trend"),
        (history(2, fail=dict.fromkeys(ENDPOINTS, 1.0)), "No median in any of 2 batches"),
        (history(3, rounds=1), "No median in any of 3 batches"),
    ],
    ids=["none", "one", "all failed", "too few"],
)
def test_what_cannot_be_drawn_is_a_sentence(df: pd.DataFrame, sentence: str) -> None:
    """Never an empty picture."""
    assert sentence in finding(trend(df))
    assert to_svg(trend(df)).startswith("<?xml")


def test_half_failed_batches_and_missing_endpoints_are_drawn(tmp_path: Any) -> None:
    """A gap is a gap, a failure a cross; small in bytes, the same every time."""
    df = history(12, fail={"us-east-1": 0.3})
    gone = (df["endpoint"] == GLOBAL) & (df["run_id"].isin(["4-0", "4-1"]))
    figure = trend(df[~gone.to_numpy()])
    png = to_png(figure)
    assert len(png) < 500_000
    assert png == to_png(trend(df[~gone.to_numpy()]))


def test_months_of_batches_stay_small() -> None:
    """One figure is at most 500 KB."""
    df = history(60, rounds=4, warmup_rounds=0)
    assert len(to_svg(trend(df)).encode()) < 500_000


def levels(n: int, seed: int, sigma: float, step: int | None = None) -> Any:
    made = np.random.default_rng(seed).normal(6, sigma, n)
    if step is not None:
        made[step:] += math.log(1.25)
    return made


def test_a_step_is_found_where_it_is_and_noise_seldom_looks_like_one() -> None:
    """40 series of 30 batches with 5 % between them: +25 % is found in 38 or more, to a batch;
    of 100 without a step at most 5 show one (of 600, 1.8 % did)."""
    found = [change_points(levels(30, seed, 0.05, step=20)) for seed in range(40)]
    assert sum(any(abs(place - 20) <= 1 for place in places) for places in found) >= 38
    assert sum(bool(change_points(levels(30, seed, 0.05))) for seed in range(100)) <= 5


def test_a_small_lasting_change_is_none() -> None:
    """What does not matter is not drawn: below 5 %."""
    quiet = levels(60, 1, 0.001)
    quiet[30:] += math.log(1.04)
    assert change_points(quiet) == []


@given(st.lists(st.floats(-20, 20), max_size=40))
def test_no_series_crashes_the_search(values: list[float]) -> None:
    """Constant ones, short ones, wild ones: positions inside, in order."""
    found = change_points(np.array(values))
    assert found == sorted(set(found))
    assert all(0 < place < len(values) for place in found)
