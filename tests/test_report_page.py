"""Parts of the page by themselves: which figures are drawn, and what weighs how much."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any

import pytest

from bench.frame import tidy
from bench.plots.theme import THEMES
from bench.report.document import document
from bench.report.findings import Findings
from bench.report.page.chosen import chosen
from bench.report.page.numbers import numbers_of
from bench.report.page.spots import spots
from bench.report.page.style import CSS
from bench.stats import summarise
from tests.report_kit import ODD, render
from tests.synthetic import MEDIANS_MS, START, rows, run

SEVEN = {f"region-{i}": 150.0 + 60 * i for i in range(6)}


def _spread(table: list[dict[str, Any]], hours: float) -> list[dict[str, Any]]:
    """The rows at equal distances over so many hours."""
    step = timedelta(hours=hours) / max(1, len(table) - 1)
    return [row | {"started_at": (START + i * step).isoformat()} for i, row in enumerate(table)]


def _plots(table: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    (spot,) = spots(Findings(tidy(table, [run()])))
    return chosen(spot)


def test_a_short_run_draws_its_requests_and_a_long_watch_bands() -> None:
    """Marks over minutes, nested bands over hours, hours of the day over a day."""
    table = rows(6)
    assert _plots(table)["time"] == ("timeline",)
    assert _plots(_spread(table, 3))["time"] == ("smoke",)
    assert _plots(_spread(table, 24))["time"] == ("smoke", "hours")
    assert _plots([])["time"] == ("timeline",)


def test_the_tail_is_drawn_where_it_is_known() -> None:
    """From 299 requests of an endpoint on."""
    assert "tail" not in _plots(rows(298, ["global"]))["distribution"]
    assert "tail" in _plots(rows(299, ["global"]))["distribution"]


@pytest.mark.parametrize("odd", ODD)
def test_every_figure_of_every_frame_has_its_numbers(odd: str) -> None:
    """Rows as wide as their columns, numbers or nothing, whatever the frame; none raises."""
    frame = tidy(ODD[odd], [run()])
    (spot,) = spots(Findings(frame))
    doc = spot.doc
    names = (*chosen(spot)["distribution"], "tail", "timeline", "hours", "vantages", "phases")
    for found in numbers_of(doc, frame, names).values():
        for row in found["rows"]:
            assert len(row) == len(found["columns"])
            assert all(isinstance(cell, (str, int, float, type(None))) for cell in row)


def test_figures_lie_on_the_paper_of_the_page() -> None:
    """The same white and the same dark: a figure is no box on its page."""
    papers = {theme.paper for theme in THEMES.values()}
    assert set(re.findall(r"--paper: (#\w+)", CSS)) == papers


def test_spans_of_time_hold_every_failure_once() -> None:
    """Cut into twelve, nothing falls between."""
    frame = tidy(rows(40, fail={"us-west-2": 0.3}), [run()])
    summary = summarise(frame)
    found = numbers_of(document(summary, [run()]), frame, ["timeline"])["timeline"]
    failed = sum(cell.failures.failed for cell in summary.cells)
    assert failed > 0
    assert sum(row[-1] for row in found["rows"]) == failed
    assert [c["name"] for c in found["columns"]] == ["from", "global", *MEDIANS_MS, "failed"]
    assert 1 < len(found["rows"]) <= 12


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("REGIONBENCH_SLOW"),
    reason="half a minute each; test_report_browser.py weighs 200 samples; REGIONBENCH_SLOW=1",
)
@pytest.mark.parametrize("hours", [1.0, 24.0])
def test_thousands_of_samples_weigh_little(hours: float) -> None:
    """Seven endpoints by 2,000, or a day of watching: at most 4 MB."""
    names = ("global", *SEVEN)
    table = _spread(rows(2000, names, medians_ms=SEVEN, fail={"region-1": 0.03}), hours)
    assert len(render("html", table, endpoints=names).encode()) <= 4_000_000
