"""What the figures draw is what the rows say: marks and lines are read back and counted again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

import bench.loading
from bench.cli.plot import plot
from bench.frame import tidy
from bench.model import GLOBAL
from bench.plots import PLOTS, finding
from bench.plots.cadence import cadence_of
from bench.plots.heat import cell
from bench.plots.layers import layers_of
from bench.plots.quantiles import gaps
from bench.plots.smoke import QUANTILES, bin_seconds, bins_of
from bench.plots.view import View, view
from bench.stats import quantile
from tests.plots_kit import full, tokens, watched, words
from tests.synthetic import rows, run


def _seen(df: pd.DataFrame) -> View:
    found = view(df)
    assert found is not None
    return found


def test_the_tail_never_falls_below_its_failures() -> None:
    """A fifth of eu-west-1 failed: its last mark is at a fifth, in the strip at the edge."""
    figure = PLOTS["tail"](tidy(rows(50, fail={"eu-west-1": 0.2}), [run()]))
    seen = _seen(tidy(rows(50, fail={"eu-west-1": 0.2}), [run()]))
    lost = seen.failures("eu-west-1")
    ax = figure.axes[0]
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert [float(np.ravel(line.get_ydata())[0]) for line in crosses] == [lost / 50]
    own = [line for line in ax.lines if line.get_color() == seen.looks["eu-west-1"].color]
    heights = np.concatenate([np.ravel(np.asarray(line.get_ydata(), float)) for line in own])
    assert heights.min() >= lost / 50
    assert ax.get_yscale() == ax.get_xscale() == "log"


@given(st.integers(20, 300), st.floats(-50, 50), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_shifted_copy_differs_by_the_shift_at_every_quantile(
    n: int, shift: float, seed: int
) -> None:
    """And the intervals hold the truth."""
    theirs = np.random.default_rng(seed).lognormal(5, 0.3, n)
    _, value, low, high = gaps(theirs + shift, theirs)
    assert value == pytest.approx(shift)
    assert (low <= value + 1e-9).all()
    assert (value <= high + 1e-9).all()


def test_quantiles_of_what_fails_are_not_numbers_but_words() -> None:
    """From where a region fails, nothing is drawn, and the strip says from where."""
    table = tidy(rows(120, fail={"us-west-2": 0.3}), [run()])
    assert "fails from p75 on" in words(PLOTS["quantiles"](table)) or "fails from p70 on" in words(
        PLOTS["quantiles"](table)
    )
    assert gaps(np.full(50, np.inf), np.full(50, np.inf)).shape[0] == 4


def test_both_parts_of_the_layers_add_up() -> None:
    """To the total where the server told its time, else to the first byte."""
    found = layers_of(_seen(full()))
    assert found.source == "server"
    here = full()[full()["vantage"] == _seen(full()).stratum.vantage]
    answered = here[(here["outcome"] == "ok") & ~here["warmup"]]
    one = answered[(answered["endpoint"] == GLOBAL) & (answered["connection"] == "warm")]
    total = one["total_ns"].to_numpy(dtype=np.float64) / 1e6
    assert found.parts[GLOBAL].sum(axis=0) == pytest.approx(total)
    streams = layers_of(_seen(tidy(rows(9, server_e2e_ms=None), [run()])))
    assert streams.source == "path"


def test_smoke_bins_hold_every_request_once() -> None:
    """Counts add up; quantiles are those of the answers; the gap and the outage are two things."""
    seen = _seen(watched())
    found = bins_of(seen, "us-west-2", seconds := bin_seconds(seen))
    assert found.n.sum() == len(seen.series["us-west-2"])
    assert found.failed.sum() == seen.failures("us-west-2") > 0
    assert ((found.n == 0) & (found.failed == 0)).any()
    rounds = seen.rows[(seen.rows["endpoint"] == "us-west-2").to_numpy()]
    start = pd.Timestamp(0, tz="UTC") + pd.Timedelta(days=float(found.edges[2]))
    inside = rounds[
        rounds["started_at"].between(start, start + pd.Timedelta(seconds=seconds), "left")
    ]
    ms = inside["ttft_ns"].to_numpy(dtype=np.float64) / 1e6
    assert found.ms[-1][2] == pytest.approx(quantile(ms, 0.5))
    assert QUANTILES[-1] == 0.5


def test_a_stretch_with_two_answers_has_no_band() -> None:
    """Three are the fewest; without any stretch of three there is a sentence."""
    seen = _seen(tidy(rows(2), [run()]))
    assert np.isnan(bins_of(seen, GLOBAL, 3600).ms).all()
    assert "No stretch of time has 3 answers" in finding(PLOTS["smoke"](tidy(rows(2), [run()])))


def test_tokens_that_came_together_are_in_no_gap() -> None:
    """Two of twelve shared a read: two of eleven gaps are not known."""
    table = rows(6, ["us-east-1"], tail=0.0)
    for row in table:
        row |= tokens(row)
    found = cadence_of(_seen(tidy(table, [run()])), "us-east-1")
    assert found.together == pytest.approx(2 / 11)
    assert len(found.gaps_ms) == 6 * 9
    assert found.gaps_ms.min() > 0
    assert len(found.rates) == 6


def test_cells_of_heat_maps_count_failures_as_never_answered() -> None:
    """Most failed: no median; two requests: too few; none: nothing."""
    assert cell(np.array([1.0, np.inf, np.inf])).median_ms == np.inf
    assert cell(np.array([1.0, 2.0])).median_ms is None
    assert cell(np.array([np.nan])).n == 0
    assert cell(np.array([1.0, 2.0, 3.0, np.inf])).failed == 1


def test_the_hours_that_nobody_asked_are_known() -> None:
    """An hour's run says that it is one; a day names its slowest hour."""
    assert "Every request was sent in the hour from 09:00" in finding(PLOTS["hours"](full()))
    assert " at 0" in finding(PLOTS["hours"](watched())) or " at 1" in finding(
        PLOTS["hours"](watched())
    )


def test_each_vantage_has_its_own_smallest_median() -> None:
    """The title names who from where; a frame that knows one vantage says so."""
    near = rows(20, seed=1, vantage="frankfurt", tail=0.0)
    far = rows(20, seed=2, vantage="virginia", run_id="2", tail=0.0,
               medians_ms={"us-east-1": 90.0, "eu-west-1": 260.0, "us-west-2": 330.0})  # fmt: skip
    both = tidy([*near, *far], [run(), run(run_id="2")])
    title = finding(PLOTS["vantages"](both))
    assert "eu-west-1 from frankfurt" in title
    assert "us-east-1 from virginia" in title
    assert finding(PLOTS["vantages"](tidy(near, [run()]))).startswith("One vantage, frankfurt")


def test_lateness_of_the_harness_is_in_the_timeline() -> None:
    """Its own strip, unless nothing is known of it."""
    assert "this machine, late by (ms" in words(PLOTS["timeline"](full()))
    silent = tidy(rows(9, wakeup_late_ns=None), [run()])
    assert "this machine" not in words(PLOTS["timeline"](silent))


def test_the_command_draws_on_dark_paper(tmp_path: Path, monkeypatch: Any) -> None:
    """``regionbench plot RUN ecdf --theme dark``: the upper left pixel is the dark paper."""
    monkeypatch.setattr(bench.loading, "load", lambda *_: tidy(rows(9), [run()]))
    file = tmp_path / "dark.png"
    done = CliRunner().invoke(plot, [str(tmp_path), "ecdf", "--theme", "dark", "-o", str(file)])
    assert done.exit_code == 0, done.output
    assert (imread(file)[0, 0, :3] * 255).round().tolist() == [0x15, 0x18, 0x1D]
    assert CliRunner().invoke(plot, [str(tmp_path), "--theme", "drak"]).exit_code == 2
