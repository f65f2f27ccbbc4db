"""What the fidelity benchmark says of its samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.benchmarks.fidelity_figures import Cell, Sheet, figure, hodges_lehmann_us
from tests.benchmarks.fidelity_streams import absolute
from tests.benchmarks.fidelity_tools import stretched
from tests.lab.truth import Sent, Truth


def test_the_interval_of_a_shift_covers_it_as_often_as_it_says() -> None:
    """95 % of intervals, give or take what 400 repetitions allow."""
    chance = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        near, far = chance.lognormal(2, 0.5, (2, 40)) * 1000
        _, low, high = hodges_lehmann_us([int(x) for x in near], [int(x) + 300_000 for x in far])
        covered += low <= 300 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_being_early_counts_as_being_wrong() -> None:
    """A ratio compares magnitudes, per round, and takes the median of the rounds."""
    sheet, ours, theirs = Sheet(), Cell("idle", "5 ms", "we"), Cell("idle", "5 ms", "they")
    for turn, late in enumerate((10, 20, 3000)):
        sheet.add(ours, turn, [late])
        sheet.add(theirs, turn, [-100])
    assert sheet.ratio(ours, theirs, 0.5) == pytest.approx(0.2)
    assert math.isnan(sheet.ratio(ours, Cell("idle", "5 ms", "nobody"), 0.5))


def test_what_was_not_measured_holds_nothing() -> None:
    """Neither reached nor missed."""
    assert figure("x", float("nan"), 1.0, "ms")["holds"] is None
    assert figure("x", float("nan"), 1.0, "ms")["value"] is None
    assert figure("x", 1.0, 1.0, "ms")["holds"] is True
    assert figure("x", 1.1, 1.0, "ms")["holds"] is False


def test_a_missing_contestant_is_a_row_that_says_so() -> None:
    """Never silently dropped."""
    assert Sheet(notes={"wrk": "not installed"}).rows() == [
        {"contestant": "wrk", "note": "not installed"}
    ]


def test_order_statistics_arestretched_to_another_count() -> None:
    """A histogram's quantiles meet the truth's quantiles."""
    assert stretched([30, 10, 20], 6) == [10, 10, 20, 20, 30, 30]


def test_tokens_that_came_together_are_left_out_for_everyone() -> None:
    """Two within 0.1 ms share a read; the third stands alone."""
    sent = [Sent(0, True, 1_000_000), Sent(0, True, 2_000_000), Sent(0, True, 9_000_000)]
    truth = Truth("a", 1, 0, 0, 0, None, sent)
    lateness = absolute([5_000_000, 5_050_000, 9_000_700])
    assert lateness(truth) == [700]
