"""A batch against its history, and the gate against itself."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.frame import tidy
from bench.stats.baseline import against, batch, batches, suspects
from bench.stats.batches import Batch
from bench.stats.predict import expect
from bench.stats.selfcheck import calibrate_gate
from bench.stats.verdict import Judged, Verdict
from tests.synthetic import MEDIANS_MS, rows, run

PAIR = ("us-east-1", "eu-west-1")
SLOW = {**MEDIANS_MS, "us-east-1": 340.0}


def _frame(day: int, dropped: Mapping[str, str] | None = None, **changes: Any) -> pd.DataFrame:
    """One day's run of 60 rounds in one sitting."""
    name, names = f"day-{day:02}", tuple(n for n in PAIR if n not in (dropped or {}))
    at = f"2026-03-{day % 28 + 1:02}T09:00:00+00:00"
    made = rows(60, names, seed=day, run_id=name, started_at=at, **changes)
    return tidy(made, [run(names, dropped, run_id=name)])


@lru_cache
def _past(count: int = 12) -> tuple[Batch, ...]:
    return tuple(batch(_frame(day), f"day-{day:02}") for day in range(count))


def _new(day: int = 50, **changes: Any) -> Batch:
    return batch(_frame(day, **changes), "today")


def _cell(verdict: Verdict, measure: str = "p50", endpoint: str = "us-east-1") -> Judged:
    found = (one for one in verdict.judged if one.endpoint == endpoint)
    return next(one for one in found if one.measure == measure)


def test_the_prediction_interval_holds_the_next_value_as_often_as_it_says() -> None:
    """One in a hundred is beyond t(.99), whatever the ten before it were."""
    drawn = np.random.default_rng(1).normal(6, 0.05, (20_000, 11))
    beyond = [row[-1] > expect(row[:-1]).mean + expect(row[:-1]).t() for row in drawn[:4000]]
    assert np.mean(beyond) == pytest.approx(0.01, abs=0.005)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20), st.floats(-5, 5))
def test_p_and_t_agree(past: list[float], value: float) -> None:
    """A value is beyond t(1 − α) exactly when its p is below α."""
    expected = expect(np.array(past))
    margin = value - expected.mean - expected.t(0.05)
    assert abs(margin) < 1e-9 or (margin > 0) == (expected.p(value) < 0.05)


def test_a_day_like_the_others_is_ok_and_says_what_would_have_been_seen() -> None:
    """With the caution that one sitting is not three."""
    found = against(_past(), _new())
    assert (found.state, found.a, found.b) == ("ok", "12 past runs", "today")
    assert all(one.detectable for one in found.judged)
    assert [caution.code for caution in found.cautions] == ["few_sittings"]
    assert suspects(found) == ()
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_without_ten_batches_there_is_no_baseline(count: int) -> None:
    """It is said aloud, and is no pass."""
    found = against(_past(count), _new())
    assert {one.state for one in found.judged} == {"inconclusive"}
    assert {one.reason for one in found.judged} == {f"no baseline yet ({count} of 10 runs)"}
    assert suspects(found) == ()


def test_a_suspect_is_inconclusive_until_a_fresh_batch_agrees() -> None:
    """Unconfirmed it names what to do; confirmed it is regressed; refuted it is ok."""
    slow = _new(medians_ms=SLOW)
    waiting = against(_past(), slow)
    assert (waiting.state, suspects(waiting)) == ("inconclusive", ("us-east-1",))
    assert "once more" in _cell(waiting).reason
    agreed = against(_past(), slow, _new(51, medians_ms=SLOW))
    assert (agreed.state, _cell(agreed).confirmed) == ("regressed", True)
    assert _cell(agreed, endpoint="eu-west-1").state == "ok"
    refuted = against(_past(), slow, _new(53))
    assert (refuted.state, _cell(refuted).confirmed) == ("ok", False)


def test_what_is_undecided_because_nothing_could_be_seen_is_no_suspect() -> None:
    """Measuring it once more would cost money and tell nothing."""
    waiting = against(_past(), _new(medians_ms=SLOW))
    suspect = _cell(waiting)
    blind = replace(suspect, endpoint="eu-west-1", p=0.4, p_adjusted=0.8)
    assert suspects(replace(waiting, judged=(suspect, blind))) == ("us-east-1",)


def test_a_confirmation_of_too_few_requests_leaves_it_open() -> None:
    """It is not counted for either side."""
    few = batch(tidy(rows(3, PAIR, seed=60), [run(PAIR)]), "few")
    found = against(_past(), _new(medians_ms=SLOW), few)
    assert (_cell(found).state, _cell(found).confirmed) == ("inconclusive", None)
    assert "in vain" in _cell(found).reason


@pytest.mark.parametrize("count", [0, 3, 12])
def test_an_endpoint_that_fails_every_time_is_regressed(count: int) -> None:
    """Whatever the history: a benchmark that always fails is no missing row."""
    found = against(_past(count), _new(fail={"us-east-1": 1.0}))
    assert (_cell(found, "failure_rate").state, found.state) == ("regressed", "regressed")
    assert _cell(found, "failure_rate").reason == "every request failed"
    json.dumps(found.to_dict(), allow_nan=False)


def test_what_always_failed_has_nothing_to_lose() -> None:
    """A gate that is red for ever is one that people learn to ignore."""
    past = [batch(_frame(day, fail={"us-east-1": 1.0}), str(day)) for day in range(10)]
    found = against(past, _new(fail={"us-east-1": 1.0}))
    cell = _cell(found, "failure_rate")
    assert (cell.state, "leave it out" in cell.reason) == ("inconclusive", True)


def test_an_endpoint_that_vanished_is_never_ok() -> None:
    """Not asked for is inconclusive; asked for and not reached has to be confirmed."""
    gone = batch(tidy(rows(60, PAIR[1:]), [run(PAIR[1:])]), "today")
    found = against(_past(), gone)
    assert {_cell(found, m).state for m in ("p50", "p90", "failure_rate")} == {"inconclusive"}
    assert "ask for it again" in _cell(found).reason
    dropped = _new(dropped={"us-east-1": "dns_fail"})
    waiting = against(_past(), dropped)
    assert (waiting.state, suspects(waiting)) == ("inconclusive", ("us-east-1",))
    assert "dns_fail" in _cell(waiting).reason
    assert against(_past(), dropped, dropped).state == "regressed"
    assert against(_past(), dropped, _new()).state == "inconclusive"


def test_more_failures_than_history_are_found() -> None:
    """They have to beat chance in the counts and the ups and downs of the days."""
    past = [batch(_frame(day, fail={"us-east-1": 0.02}), str(day)) for day in range(12)]
    bad = {"us-east-1": 0.3}
    found = against(past, _new(fail=bad), _new(51, fail=bad))
    assert _cell(found, "failure_rate").state == "regressed"
    assert against(past, _new(fail={"us-east-1": 0.02})).state == "ok"


def test_days_that_differ_excuse_what_fisher_alone_would_not() -> None:
    """With every second day at 10 %, another such day is no news."""
    uneven = [_failing(one, 6 * (day % 2)) for day, one in enumerate(_past())]
    assert _cell(against(uneven, _failing(_new(), 6)), "failure_rate").state == "ok"
    steady = [_failing(one, 1) for one in _past()]
    assert _cell(against(steady, _failing(_new(), 6)), "failure_rate").state == "inconclusive"


def _failing(one: Batch, failed: int) -> Batch:
    return replace(one, cells=tuple(replace(cell, failed=failed) for cell in one.cells))


def test_a_past_timeout_does_not_blind_the_baseline() -> None:
    """A batch whose quantile was among the failures counts as the slowest of the others."""
    bad = batch(_frame(70, fail={"us-east-1": 0.6}), "bad day")
    cell = _cell(against([*_past(), bad], _new()))
    assert (cell.n_baseline, cell.state) == (13, "ok")
    assert cell.baseline == pytest.approx(240, rel=0.1)


def test_a_quantile_among_the_failures_is_as_unlikely_as_so_many_failures() -> None:
    """Where a tenth usually fails, one failure more makes p90 infinite, and is no news."""
    usual = [_failing(one, 5) for one in _past()]
    unlucky = _failing(_new(), 6)
    cells = tuple(replace(c, quantiles={**c.quantiles, "p90": math.inf}) for c in unlucky.cells)
    assert _cell(against(usual, replace(unlucky, cells=cells)), "p90").state == "ok"
    timed_out = against(_past(), _new(fail={"us-east-1": 0.6}))
    assert (_cell(timed_out).observed, _cell(timed_out).state) == (math.inf, "inconclusive")
    assert suspects(timed_out) == ("us-east-1",)


def test_batches_of_another_size_are_cautioned() -> None:
    """Sixty rounds vary otherwise than fifteen."""
    small = batch(tidy(rows(15, PAIR), [run(PAIR)]), "today")
    assert "uneven_runs" in {caution.code for caution in against(_past(), small).cautions}


def test_only_recent_batches_count() -> None:
    """What a service was like long ago predicts little."""
    old = batch(_frame(80, medians_ms={name: 9 * ms for name, ms in MEDIANS_MS.items()}), "old")
    found = against([old] * 30 + [*_past(), *_past()], _new())
    assert _cell(found).n_baseline == 20
    assert _cell(found).baseline == pytest.approx(240, rel=0.1)


def test_runs_of_one_plan_batch_are_one_batch() -> None:
    """Three sittings make a batch; other runs stand alone, in order of time."""
    frames = [_frame(day) for day in (3, 1, 2, 9)]
    runs = [frame.attrs["runs"][0] for frame in frames]
    for number, meta in enumerate(runs[:3]):
        meta["plan"] = meta["plan"] | {"batch": "monday", "sitting": number}
    df = pd.concat([frame.assign() for frame in frames], ignore_index=True)
    df.attrs = {"runs": runs}
    found = batches(df)
    assert [(one.name, one.sittings) for one in found] == [("monday", 3), ("day-09", 1)]
    assert {cell.n for cell in found[0].cells} == {180}
    assert batches(df[:0]) == []


def test_the_self_check_measures_both_modes_on_stored_rows() -> None:
    """On steady rows nearly nothing alarms, and each cell says what it can see."""
    df = pd.concat([_frame(day) for day in range(12)], ignore_index=True)
    found = calibrate_gate(df, splits=10)
    assert {(one.mode, one.measure) for one in found.cells} >= {
        *(("variants", m) for m in ("p50", "p90", "p95", "failure_rate")),
        *(("history", m) for m in ("p50", "p90", "failure_rate")),
    }
    assert all(one.detectable and one.alarms.failed <= 2 for one in found.cells)
    assert found.any_variant is not None
    assert found.any_history is not None
    assert (found.any_variant.n, found.any_history.n, found.untold) == (10, 12, ())
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("rounds", [0, 1, 30])
def test_the_self_check_says_what_it_lacks(rounds: int) -> None:
    """Too few rows are an answer, not an error."""
    found = calibrate_gate(tidy(rows(rounds, PAIR) if rounds else [], [run(PAIR)]), splits=5)
    assert (found.cells, found.any_variant, found.any_history) == ((), None, None)
    assert any("mode B needs 11 batches" in text for text in found.untold)
