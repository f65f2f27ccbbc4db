"""Two variants: what a verdict says, and what it can never say."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.errors import PlanError
from bench.frame import tidy
from bench.stats.blocks import Side, aligned, tail_shift
from bench.stats.compare import compare, compare_runs
from bench.stats.corrections import benjamini_hochberg, holm
from bench.stats.looks import look
from bench.stats.quantiles import Values
from bench.stats.rates import fisher, smallest_seen
from bench.stats.shift import hodges_lehmann
from bench.stats.verdict import Judged, Verdict
from tests.synthetic import MEDIANS_MS, rows, run

PAIR = ("us-east-1", "eu-west-1")
SAME = {"us-east-1": 200.0, "eu-west-1": 200.0}

latencies = arrays(np.float64, st.integers(20, 60), elements=st.floats(1.0, 1e5, allow_nan=False))


def _clients(rounds: int, second: dict[str, Any] | None = None, **both: Any) -> pd.DataFrame:
    """One endpoint asked by httpx and by curl in the same rounds."""
    given = {"endpoints": ("us-east-1",), "medians_ms": SAME} | both
    made = rows(rounds, seed=1, client="httpx", **given)
    made += rows(rounds, seed=2, **{**given, "client": "curl", **(second or {})})
    return tidy(made, [run(("us-east-1",))])


def _cell(verdict: Verdict, measure: str) -> Judged:
    return next(one for one in verdict.judged if one.measure == measure)


def _side(values: Sequence[float] | Values) -> Side:
    ms = np.asarray(values, dtype=np.float64)
    return Side(ms, np.arange(len(ms), dtype=np.int64) // 10)


@given(latencies, latencies)
def test_the_shift_is_the_median_of_all_differences(a: Values, b: Values) -> None:
    """And its interval holds it."""
    found = hodges_lehmann(a, b)
    middle = np.sort(np.subtract.outer(np.log(b), np.log(a)).ravel())
    assert middle[(len(middle) - 1) // 2] == pytest.approx(found.value, abs=1e-12)
    assert found.low <= found.value <= found.high


@given(latencies, st.floats(0.01, 100))
def test_a_factor_moves_the_shift_by_its_logarithm(a: Values, factor: float) -> None:
    """Seconds or milliseconds give one verdict, and A against itself is nought."""
    found = hodges_lehmann(a, a * factor)
    assert found.value == pytest.approx(math.log(factor), abs=1e-9)


def test_many_requests_are_thinned_and_stay_precise() -> None:
    """Four million differences stand for two hundred million."""
    rng = np.random.default_rng(1)
    a, b = rng.lognormal(6, 0.3, (2, 15_000))
    found = hodges_lehmann(a, 1.07 * b)
    assert found.value == pytest.approx(math.log(1.07), abs=0.01)
    assert found.high - found.low < 0.05


@given(latencies, st.data())
def test_failing_never_looks_like_speed(a: Values, data: st.DataObject) -> None:
    """Whichever requests of an equal variant fail, no measure of it takes less time for that."""
    which = data.draw(st.lists(st.integers(0, len(a) - 1), unique=True, max_size=len(a) // 3))
    broken = a.copy()
    broken[which] = np.inf
    assert hodges_lehmann(a, broken).value >= 0
    x, y = aligned(_side(a), _side(broken))
    assert hodges_lehmann(x.ms, y.ms).value >= -1e-12
    assert tail_shift(_side(a), _side(broken), 0.9, together=True).high >= 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_keep_the_order_and_never_help(p: list[float]) -> None:
    """Holm is stricter than Benjamini and Hochberg, and both than none."""
    strict, loose = holm(p), benjamini_hochberg(p)
    for raw, by_holm, by_rate in zip(p, strict, loose, strict=True):
        assert raw <= by_rate + 1e-12 <= by_holm + 2e-12 <= 1 + 2e-12
    assert strict[p.index(min(p))] == pytest.approx(min(1.0, min(p) * len(p)))
    assert holm([]) == benjamini_hochberg([]) == []


def test_what_failures_could_have_been_seen_is_seen_so_often() -> None:
    """The share that `smallest_seen` gives alarms in 80 % of samples."""

    def alarms(k: int) -> bool:
        return fisher(k, 200, 2, 200) < 0.01

    share = smallest_seen(200, alarms)
    assert share is not None
    counts = np.random.default_rng(1).binomial(200, share, 4000)
    assert np.mean([alarms(int(k)) for k in counts]) == pytest.approx(0.8, abs=0.03)
    assert smallest_seen(3, lambda k: False) is None


def test_equal_variants_are_ok_and_say_what_would_have_been_seen() -> None:
    """Every ok carries the smallest change that it could have seen."""
    found = compare(_clients(120), "client", "httpx", "curl")
    assert (found.state, found.interleaved, found.cautions) == ("ok", True, ())
    assert {one.measure for one in found.judged} == {"p50", "p90", "failure_rate"}
    assert all(one.detectable and 0 < one.detectable < 0.5 for one in found.judged)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_slower_variant_regresses_and_the_faster_one_does_not() -> None:
    """The sign is b against a."""
    df = _clients(120, {"medians_ms": {**SAME, "us-east-1": 260.0}})
    slower = compare(df, "client", "httpx", "curl")
    assert _cell(slower, "p50").state == slower.state == "regressed"
    assert _cell(slower, "p50").change == pytest.approx(0.3, abs=0.1)
    assert compare(df, "client", "curl", "httpx").state == "ok"


def test_p95_is_judged_from_300_requests() -> None:
    """Below, it costs more requests than anybody has."""
    assert {one.measure for one in compare(_clients(300), "client", "httpx", "curl").judged} == {
        *("p50", "p90", "p95", "failure_rate")
    }


def test_a_variant_that_fails_fast_regresses_and_is_never_faster() -> None:
    """15 % of failures are found by their rate."""
    df = _clients(120, {"fail": {"us-east-1": 0.15}})
    found = compare(df, "client", "httpx", "curl")
    assert _cell(found, "failure_rate").state == "regressed"
    assert all(one.high is None or one.high > 0 for one in found.judged)


@pytest.mark.parametrize(
    ("first", "second", "state", "rate"),
    [
        (0.0, 1.0, "regressed", "regressed"),
        (1.0, 0.0, "inconclusive", "inconclusive"),
        (1.0, 1.0, "inconclusive", "inconclusive"),
    ],
)
def test_all_failures_on_a_side_have_a_state_and_a_reason(
    first: float, second: float, state: str, rate: str
) -> None:
    """Failing every time is worse than anything; nothing is worse than it."""
    df = _clients(60, {"fail": {"us-east-1": second}}, fail={"us-east-1": first})
    found = compare(df, "client", "httpx", "curl")
    assert (found.state, _cell(found, "failure_rate").state) == (state, rate)
    assert all(one.reason for one in found.judged if one.state == "inconclusive")
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("rounds", [1, 5, 19])
def test_too_few_requests_are_inconclusive_with_the_number_that_is_missing(rounds: int) -> None:
    """Never a silent ok, never a traceback."""
    found = compare(_clients(rounds), "client", "httpx", "curl")
    assert {one.state for one in found.judged} == {"inconclusive"}
    assert all(f"n too small: {rounds} of" in one.reason for one in found.judged)


def test_an_endpoint_that_one_side_lacks_is_inconclusive() -> None:
    """It is named, with the side that lacks it."""
    made = rows(30, PAIR, client="httpx") + rows(30, PAIR[:1], client="curl")
    found = compare(tidy(made, [run(PAIR)]), "client", "httpx", "curl")
    lacking = [one for one in found.judged if one.endpoint == "eu-west-1"]
    assert len(lacking) == 3
    assert all(one.state == "inconclusive" for one in lacking)
    assert all("candidate has no rows" in one.reason for one in lacking)


def test_an_endpoint_that_preflight_dropped_is_inconclusive_with_its_reason() -> None:
    """It was asked for, so its name is no mistake."""
    df = tidy(rows(30, PAIR[:1]), [run(PAIR[:1], dropped={"eu-west-1": "dns_fail"})])
    found = compare(df, "endpoint", "us-east-1", "eu-west-1")
    assert found.state == "inconclusive"
    assert all("dns_fail" in one.reason for one in found.judged)


def test_endpoints_have_to_differ_by_more_than_the_margin() -> None:
    """They drift apart on their own: 7 % regresses an arm and not an endpoint."""
    a = np.random.default_rng(5).lognormal(5, 0.2, 300)
    sides = _side(a), _side(np.roll(a, 150) * 1.07)
    assert look(*sides, "p50", together=True, margin=False).flagged
    assert not look(*sides, "p50", together=True, margin=True).flagged
    df = tidy(rows(60, PAIR, medians_ms=SAME), [run(PAIR)])
    found = compare(df, "endpoint", *PAIR)
    assert [caution.code for caution in found.cautions] == ["endpoints_drift"]


def test_separate_runs_are_compared_with_a_caution() -> None:
    """Even when they are one run twice: drift is inside, and the answer says so."""
    df = _clients(60)
    found = compare_runs(df, df, "before", "after")
    assert (found.interleaved, found.cautions[0].code) == (False, "not_interleaved")
    assert all(one.change in (None, 0.0) for one in found.judged)
    assert compare_runs(df, df[:0], "before", "after").state == "inconclusive"
    empty = compare_runs(df[:0], df[:0], "before", "after")
    assert (empty.state, empty.judged) == ("inconclusive", ())
    assert empty.cautions[-1].code == "nothing_compared"


def test_variants_without_a_common_round_are_not_interleaved() -> None:
    """Two models of two runs in one frame stand in no common round."""
    made = rows(40, PAIR[:1]) + rows(40, PAIR[:1], run_id="other", model="grok-next", seed=3)
    runs = [run(PAIR[:1]), run(PAIR[:1], run_id="other", model="grok-next")]
    found = compare(tidy(made, runs), "model", "grok-sim", "grok-next")
    assert (found.interleaved, found.cautions[0].code) == (False, "not_interleaved")
    assert _cell(found, "p50").stratum.model == "grok-next"


def test_rounds_of_one_side_alone_do_not_count() -> None:
    """A variant that was stopped early is compared over the time that both were asked."""
    made = rows(60, PAIR[:1], client="httpx") + rows(40, PAIR[:1], client="curl")
    found = compare(tidy(made, [run(PAIR[:1])]), "client", "httpx", "curl")
    assert {(one.n, one.n_baseline) for one in found.judged} == {(40, 40)}
    assert [caution.code for caution in found.cautions] == ["rounds_apart"]


def test_arms_are_compared_even_where_they_change_the_stratum() -> None:
    """What tells the arms apart is not what makes rows incomparable."""
    warm = tidy(rows(40, PAIR, connections=("warm",)), [run(PAIR)])
    cold = tidy(rows(40, PAIR, connections=("cold",)), [run(PAIR)])
    df = pd.concat([warm.assign(arm="kept"), cold.assign(arm="new")], ignore_index=True)
    df.attrs = dict(warm.attrs)
    found = compare(df, "arm", "kept", "new")
    assert {one.endpoint for one in found.judged} == set(PAIR)
    assert all(one.stratum.connection == "cold" for one in found.judged)


@pytest.mark.parametrize(
    ("by", "a", "b", "said"),
    [
        ("endpoint", "us-est-1", "eu-west-1", "did you mean us-east-1?"),
        ("endpoint", "us-east-1", "us-east-1", "with itself"),
        ("client", "httpx", "wget", "there are httpx"),
        ("arm", "old", "new", "--arm"),
        ("city", "a", "b", "endpoint, client, model, arm"),
    ],
)
def test_a_wrong_name_is_told_with_the_right_one(by: Any, a: str, b: str, said: str) -> None:
    """An error names what was wrong and what to write."""
    with pytest.raises(PlanError, match=said):
        compare(tidy(rows(3, PAIR), [run(PAIR)]), by, a, b)


def test_equal_rows_give_equal_verdicts() -> None:
    """Resampling has fixed seeds."""
    df = _clients(120, medians_ms=MEDIANS_MS)
    assert compare(df, "client", "httpx", "curl") == compare(df, "client", "httpx", "curl")
