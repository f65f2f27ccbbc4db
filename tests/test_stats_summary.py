"""The summary says what was measured, and nothing else."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from bench.frame import tidy
from bench.stats import METRICS, Summary, main_metric, stratify, summarise
from tests.synthetic import MEDIANS_MS, rows, run


def _summary(table: list[dict[str, Any]], **changes: Any) -> Summary:
    return summarise(tidy(table, [run(**changes)]))


def _codes(summary: Summary) -> set[str]:
    return {caution.code for caution in summary.cautions}


def test_main_metric_is_what_the_user_waits_for() -> None:
    """The first token of a stream, the whole answer otherwise."""
    assert main_metric("chat", True) == "ttft"
    assert {main_metric("chat", False), main_metric("models", True)} == {"total"}
    assert all(name == metric.name for name, metric in METRICS.items())


def test_cells_count_requests_and_failures() -> None:
    """Warm-up, cancelled requests and our own faults stand in no number, and are counted."""
    table = rows(20, warmup_rounds=2)
    table[-1] |= {"outcome": "cancelled", "ttft_ns": None}
    table[-2] |= {"outcome": "client_fault", "ttft_ns": None}
    table[-3] |= {"outcome": "timeout", "ttft_ns": None}
    found = _summary(table)
    assert sum(cell.n for cell in found.cells) == 20 * 4 - 2
    assert sum(cell.failures.failed for cell in found.cells) == 1
    assert found.left_out == {"warmup": 8, "cancelled": 1, "client_fault": 1, "incomplete": 0}


def test_a_failure_raises_quantiles_and_is_never_dropped() -> None:
    """An endpoint cannot become fast by failing."""
    found = _summary(rows(40, fail={"eu-west-1": 0.7}))
    cell = next(c for c in found.cells if c.endpoint == "eu-west-1")
    assert cell.p50.value_ms == math.inf
    assert cell.outcomes == {"server_error": cell.failures.failed}


def test_rows_that_opened_a_connection_are_no_warm_measurement() -> None:
    """They are left out of latencies, counted, and told with advice."""
    table = rows(40)
    for row in table[8:20]:
        row["reused"] = False
    found = _summary(table)
    fresh = sum(cell.n_not_reused for cell in found.cells)
    assert fresh == 12
    assert sum(c.n - c.n_latency for c in found.cells) == fresh
    told = next(c for c in found.cautions if c.code == "not_reused")
    assert told.advice


def test_warm_and_cold_are_never_mixed() -> None:
    """Each is a stratum of its own, warm first."""
    frame = tidy(rows(10, connections=("cold", "warm")), [run()])
    assert [stratum.connection for stratum, _ in stratify(frame)] == ["warm", "cold"]


def test_a_failure_without_a_model_stays_in_its_stratum() -> None:
    """Failed rows name no model; their run does, or its other rows."""
    table = rows(20, fail={"global": 0.5})
    assert len(stratify(tidy(table, [run()]))) == 1
    assert len(stratify(tidy(table))) == 1


def test_differences_are_paired_by_round() -> None:
    """A drift that all endpoints share falls out; a region 60 ms faster is found."""
    found = _summary(rows(60, drift=3.0, tail=0.0, sigma=0.02, medians_ms={"a": 100.0, "b": 160.0}))
    assert not found.differences or all(d.n_pairs <= 60 for d in found.differences)
    names = ("global", "a")
    flat = summarise(tidy(rows(60, names, medians_ms={"a": 100.0}, drift=3.0, sigma=0.01)))
    (d,) = flat.differences
    assert d.n_pairs == 60
    assert d.direction == 0
    assert d.percent.value_percent == pytest.approx(0, abs=1)


def test_failures_count_in_pairs_as_the_worst_that_can_be() -> None:
    """One failed: ±∞. Both failed: the round says nothing and is dropped."""
    table = rows(20, ("global", "us-east-1"), warmup_rounds=0, tail=0.0)
    for row in table:
        if row["round"] < 4 or (row["round"] < 16 and row["endpoint"] == "us-east-1"):
            row |= {"outcome": "timeout", "ttft_ns": None}
    (d,) = _summary(table).differences
    assert (d.n_pairs, d.n_both_failed) == (16, 4)
    assert d.ms.value_ms == math.inf
    assert d.endpoint_fails


def test_what_fails_too_often_is_never_faster() -> None:
    """Even when its answers are quick."""
    table = rows(200, fail={"eu-west-1": 0.2})
    for row in table:
        if row["endpoint"] == "eu-west-1" and row["ttft_ns"] is not None:
            row["ttft_ns"] //= 10
    found = _summary(table)
    d = next(d for d in found.differences if d.endpoint == "eu-west-1")
    assert d.ms.high_ms is not None
    assert d.ms.high_ms < 0
    assert d.direction == 0


def test_dropped_endpoints_are_cells_without_rows() -> None:
    """Preflight's reason stands beside n = 0."""
    found = _summary(rows(10), dropped={"ap-south-1": "dns_fail"})
    cell = next(c for c in found.cells if c.endpoint == "ap-south-1")
    assert (cell.n, cell.reason) == (0, "dns_fail: no address")
    assert "not_measured" in _codes(found)


def _by_turns(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every other row on a kept connection."""
    return [row | {"reused": number % 8 < 4} for number, row in enumerate(table)]


def _stalling(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer in twenty takes a minute."""
    return [row | ({"ttft_ns": 60 * 10**9} if n % 20 == 3 else {}) for n, row in enumerate(table)]


@pytest.mark.parametrize(
    ("code", "table", "plan"),
    [
        ("rate_limited", rows(20, fail={"global": 0.3}, outcome="rate_limited"), {}),
        ("n_too_small", rows(20), {}),
        ("drift", rows(60, drift=1.0), {}),
        ("http_version", [*rows(9), *rows(9, ["global"], http_version="HTTP/2")], {}),
        ("model", [*rows(9), *rows(9, ["global"], model="grok-other")], {}),
        ("cached", [*rows(9), *rows(9, ["global"], cached_tokens=20)], {}),
        ("no_value", rows(9, ttft_ns=None), {}),
        ("left_out", rows(2), {}),
        ("host_noisy", rows(60, wakeup_late_ns=40_000_000, ttfb_layer="socket"), {}),
        ("answer_length", [*rows(9), *rows(9, ["global"], completion_tokens=9)], {}),
        ("mixed_connections", _by_turns(rows(9, connections=("cold",))), {}),
        ("autocorrelation", rows(120, drift=2.0), {}),
        ("cold_start", rows(9, warmup_rounds=0), {"warmup_rounds": 0}),
        ("outliers", _stalling(rows(60)), {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_cautions(code: str, table: list[dict[str, Any]], plan: dict[str, Any]) -> None:
    """Each states its evidence and what to do."""
    if code == "cold_start":
        for row in table[:4]:
            row["ttft_ns"] *= 4
    if code == "left_out":
        table = [*rows(9), *(row | {"outcome": "client_fault"} for row in table)]
    found = _summary(table, plan=plan)
    told = [caution for caution in found.cautions if caution.code == code]
    assert told, _codes(found)
    assert told[0].text
    assert told[0].advice


def test_a_quiet_run_has_no_cautions() -> None:
    """300 rounds, nothing wrong: nothing is said."""
    assert _codes(_summary(rows(300))) == set()


def test_cautions_of_the_store_come_first() -> None:
    """What the folder's reader saw travels to every output."""
    frame = tidy(rows(9), [run()])
    frame.attrs["cautions"] = [{"code": "cut_line", "text": "One line was cut off.", "advice": ""}]
    assert summarise(frame).cautions[0].code == "cut_line"


_ODD: dict[str, list[dict[str, Any]]] = {
    "empty": [],
    "one row": rows(1)[4:5],
    "one round": rows(1),
    "all failed": rows(20, fail=dict.fromkeys(("global", *MEDIANS_MS), 1.0)),
    "only 429": rows(3, fail=dict.fromkeys(("global", *MEDIANS_MS), 1.0), outcome="rate_limited"),
    "no times": rows(9, started_at=None),
    "no rounds": rows(9, round=None),
    "no run id": rows(9, run_id=None),
    "torn": [{}, {"endpoint": "global"}, *rows(2)],
}


@pytest.mark.parametrize("name", _ODD)
@pytest.mark.parametrize("runs", [[], [run()]], ids=["without run", "with run"])
def test_every_frame_has_a_summary_in_strict_json(name: str, runs: list[dict[str, Any]]) -> None:
    """No rows, one row, failures only: numbers or reasons, never NaN nor infinity."""
    found = summarise(tidy(_ODD[name], runs))
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(found.to_frame()) == len(found.cells)


def test_the_frame_of_a_summary_has_one_row_per_cell() -> None:
    """Quantiles in ms under plain names."""
    frame = _summary(rows(40)).to_frame()
    assert frame["endpoint"].tolist() == ["global", *MEDIANS_MS]
    assert np.all(frame["p50_low_ms"] <= frame["p50_ms"])


@pytest.mark.parametrize(("p90_us", "told"), [(200.0, False), (40_000.0, True)])
def test_the_calibration_decides_whether_the_host_is_too_late(p90_us: float, told: bool) -> None:
    """Waking up late does not reach kernel stamps; what reaches them was calibrated."""
    table = rows(60, wakeup_late_ns=40_000_000, ttfb_layer="kernel")
    assert "host_noisy" not in _codes(_summary(table))
    spread = {"n": 40, "p50_us": 100.0, "p90_us": p90_us, "p99_us": p90_us}
    assert (
        "host_noisy" in _codes(_summary(table, calibration={"bias": {"kernel": spread}}))
    ) == told


def test_a_proxy_is_said_aloud() -> None:
    """TCP time then ends at the proxy."""
    assert "proxy" in _codes(_summary(rows(9), platform={"proxy": "used: http://p.test:3128"}))
    assert "proxy" not in _codes(_summary(rows(9), platform={"proxy": "X is set and not used"}))


def test_a_client_that_never_keeps_a_connection_is_counted_and_said_aloud() -> None:
    """Its warm rows are its warm rows; a connection that merely broke is left out as before."""
    kept_never = rows(9, reused=False, flags="not_kept")
    found = _summary(kept_never)
    assert "not_kept" in _codes(found)
    assert "not_reused" not in _codes(found)
    assert all(cell.quantiles["p50"].value_ms is not None for cell in found.cells)
    assert "not_reused" in _codes(_summary(rows(9, reused=False)))
