"""Promises: their text, and whether they are kept."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import PlanError
from bench.frame import tidy
from bench.objective import QUANTILES, TIMES, Objective, parse_objective
from bench.stats import METRICS
from bench.stats.objectives import judge_objectives
from bench.stats.verdict import Judged
from tests.synthetic import rows, run

PAIR = ("us-east-1", "eu-west-1")


def _judged(text: str, rounds: int = 100, **changes: Any) -> list[Judged]:
    df = tidy(rows(rounds, PAIR, **changes), [run(PAIR)])
    return list(judge_objectives(df, [parse_objective(text)]).judged)


def _us(text: str, rounds: int = 100, **changes: Any) -> Judged:
    return next(one for one in _judged(text, rounds, **changes) if one.endpoint == "us-east-1")


def test_the_times_of_objectives_are_the_metrics() -> None:
    """The floor that parses cannot see them; here both are seen."""
    assert set(TIMES) == set(METRICS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttft.p95 <= 800ms", (None, "ttft", "p95", False, 800.0, "ttft.p95 <= 800ms")),
        ("total.p50<2s", (None, "total", "p50", True, 2000.0, "total.p50 < 2s")),
        (" failure_rate <= 1 % ", (None, None, "failure_rate", False, 0.01, "failure_rate <= 1%")),
        ("us-east-1: rtt.p90 < 4ms", ("us-east-1", "rtt", "p90", True, 4.0, "rtt.p90 < 4ms")),
    ],
)
def test_an_objective_is_read(text: str, expected: tuple[Any, ...]) -> None:
    """Metric, quantile, relation, bound, and for whom."""
    assert parse_objective(text) == Objective(*expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ttfd.p95 <= 1s", "did you mean ttft?"),
        ("failure_rat <= 1%", "did you mean failure_rate?"),
        ("ttft.p99 <= 1s", "there are p50, p90, p95"),
        ("ttft <= 1s", "which quantile"),
        ("ttft.p95 <= 800", "unit"),
        ("ttft.p95 <= 0ms", "more than 0"),
        ("failure_rate <= 0.01", "such as 1%"),
        ("failure_rate <= 100%", "such as 1%"),
        ("ttft.p95 >= 3ms", "not understood"),
        ("", "not understood"),
        ("a: b: ttft.p50 < 1s", "not understood"),
    ],
)
def test_a_wrong_objective_is_told_with_the_right_word(text: str, said: str) -> None:
    """The message holds the text, the wrong word and the remedy."""
    with pytest.raises(PlanError, match=said.replace("?", r"\?")) as error:
        parse_objective(text)
    assert repr(text) in str(error.value)


@given(st.sampled_from(TIMES), st.sampled_from(sorted(QUANTILES)), st.integers(1, 10**6))
def test_the_one_spelling_reads_as_itself(metric: str, quantile: str, ms: int) -> None:
    """What `text` says is the objective again."""
    found = parse_objective(f"{metric}.{quantile}<={ms}ms")
    assert parse_objective(found.text) == found


@given(st.text(max_size=60))
def test_any_text_is_an_objective_or_an_error(text: str) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(PlanError):
        assert parse_objective(text).bound >= 0


@pytest.mark.parametrize(
    ("bound", "state"),
    [("2s", "ok"), ("250ms", "ok"), ("238ms", "inconclusive"), ("100ms", "regressed")],
)
def test_an_objective_is_missed_with_the_whole_interval(bound: str, state: str) -> None:
    """Value beyond the bound and interval across it: the rows cannot tell."""
    found = _us(f"ttft.p50 <= {bound}")
    assert (found.state, found.objective) == (state, f"ttft.p50 <= {bound}")
    assert (found.detectable is not None) == (state == "ok")
    assert found.reason or state == "ok"


@pytest.mark.parametrize(
    ("bound", "fail", "state"),
    [
        ("5%", 0.0, "ok"),
        ("1%", 0.3, "regressed"),
        ("0%", 0.3, "regressed"),
        ("0.5%", 0.0, "inconclusive"),
    ],
)
def test_failure_rates_are_promises_too(bound: str, fail: float, state: str) -> None:
    """Half a percent of a hundred requests is less than one: nothing can be said."""
    assert _us(f"failure_rate <= {bound}", fail={"us-east-1": fail}).state == state


@pytest.mark.parametrize("text", ["ttft.p95 <= 1s", "total.p90 < 1s", "failure_rate <= 1%"])
def test_one_request_keeps_no_promise(text: str) -> None:
    """Too few is a reason, not a pass."""
    found = _judged(text, 1)
    assert {one.state for one in found} == {"inconclusive"}
    assert all("n too small" in one.reason for one in found)


def test_an_endpoint_that_only_fails_misses_its_latency() -> None:
    """Its quantiles are > timeout."""
    found = _us("ttft.p95 <= 10s", fail={"us-east-1": 1.0})
    assert (found.state, found.observed) == ("regressed", math.inf)


def test_an_objective_for_one_endpoint_leaves_the_others_alone() -> None:
    """And a wrong name is told."""
    assert [one.endpoint for one in _judged("eu-west-1: ttft.p50 <= 1s")] == ["eu-west-1"]
    with pytest.raises(PlanError, match="did you mean eu-west-1"):
        _judged("eu-west-2: ttft.p50 <= 1s")


def test_a_metric_that_no_request_has_is_inconclusive() -> None:
    """Warm requests resolve no name."""
    found = _judged("dns.p50 <= 1s")
    assert {one.state for one in found} == {"inconclusive"}
    assert "no request here has dns" in found[0].reason


def test_an_endpoint_that_could_not_be_measured_keeps_no_promise() -> None:
    """It was asked for: it is there, inconclusive, with the reason."""
    df = tidy(rows(60, PAIR[:1]), [run(PAIR[:1], dropped={"eu-west-1": "dns_fail"})])
    found = judge_objectives(df, [parse_objective("ttft.p50 <= 1s")])
    assert (found.state, len(found.judged)) == ("inconclusive", 2)
    assert "dns_fail" in found.having("inconclusive")[0].reason
    json.dumps(found.to_dict(), allow_nan=False)


def test_two_objectives_of_one_measure_keep_their_names_apart() -> None:
    """ttft.p50 and total.p50 are both a p50 of one endpoint."""
    wanted = [parse_objective(text) for text in ("ttft.p50 <= 1s", "total.p50 <= 1s")]
    found = judge_objectives(tidy(rows(20, PAIR), [run(PAIR)]), wanted)
    assert len({one.name for one in found.judged}) == len(found.judged) == 4


def test_no_rows_are_no_verdict() -> None:
    """An empty frame is inconclusive, not kept."""
    assert judge_objectives(tidy([]), [parse_objective("ttft.p50 <= 1s")]).state == "inconclusive"
