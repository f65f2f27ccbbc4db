"""Every figure states a finding, holds every failure, is legible, and survives every frame."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bench.errors import UsageError
from bench.frame import tidy
from bench.plots import PLOTS, finding, to_png, to_svg
from bench.plots.style import MOST_POINTS, thin, wants_log
from bench.plots.theme import THEMES
from tests.plots_kit import ALL, drawn, frame_of, full, outside, overlaps, panels, words
from tests.synthetic import rows, run

_ODD: dict[str, list[dict[str, Any]]] = {
    "empty": [],
    "one row": rows(1)[4:5],
    "one round": rows(1),
    "all failed": rows(9, fail=dict.fromkeys(ALL, 1.0)),
    "one endpoint": rows(9, ["us-east-1"]),
    "no times": rows(5, started_at=None),
    "dollars": rows(9, endpoint="$x_1$ & <b>"),
}
_FRAMES = {odd: tidy(made, [run()]) for odd, made in _ODD.items()}

_OF_ONE_RUN = [name for name in PLOTS if name != "trend"]
"""A trend is of several: tests/test_plots_trend.py."""


@pytest.mark.parametrize("name", _OF_ONE_RUN)
def test_title_is_a_finding_and_subtitle_says_n_window_and_method(name: str) -> None:
    """A reader of the picture alone knows what, how many, and when; and in which unit."""
    figure = drawn(name)
    text = words(figure)
    assert len(finding(figure)) > 20
    assert "n = " in text
    assert "2026-03-14 09:00" in text
    assert "UTC" in text
    assert "failed" in text
    assert "(simulated)" in text
    assert "(ms)" in text.replace("\n", " ")


@pytest.mark.parametrize("name", _OF_ONE_RUN)
def test_no_text_is_cut_nor_lies_on_another(name: str) -> None:
    """By the boxes of the letters, at the size at which the figure is shown."""
    assert outside(drawn(name)) == []
    assert overlaps(drawn(name)) == []


def test_overlaps_and_cuts_would_be_seen() -> None:
    """The test above can fail."""
    figure = Figure(figsize=(3, 2))
    figure.text(0.4, 0.5, "one over")
    figure.text(0.45, 0.5, "the other")
    figure.text(0.9, 0.9, "cut off at the edge")
    assert overlaps(figure) == [("one over", "the other")]
    assert outside(figure) == ["cut off at the edge"]


@pytest.mark.parametrize("odd", _ODD)
@pytest.mark.parametrize("name", PLOTS)
def test_odd_frames_give_a_figure(name: str, odd: str) -> None:
    """No rows, one row, failures only: a picture or a sentence, never a traceback, in both themes.

    Two frames of seven are drawn as well as laid out; the others differ in words alone.
    """
    theme = ("light", "dark")[(list(PLOTS).index(name) + list(_ODD).index(odd)) % 2]
    figure = PLOTS[name](_FRAMES[odd], theme=theme)
    text = f" {words(figure)} ".replace("(", " ").lower()
    assert not any(bad in text for bad in (" nan", " none ms", " inf "))
    assert finding(figure)
    if odd in ("one row", "all failed"):
        figure.draw_without_rendering()
        assert outside(figure) == []


@pytest.mark.parametrize("name", PLOTS)
def test_a_frame_without_rows_is_a_sentence_and_nothing_else(name: str) -> None:
    """No axes, no legend."""
    figure = PLOTS[name](_FRAMES["empty"])
    assert words(figure).replace("\n", " ").startswith(finding(figure)[:20])
    assert not any(panel.axison for panel in panels(figure))


@pytest.mark.parametrize("name", PLOTS)
def test_draws_in_the_dark_and_into_given_axes_and_leaves_no_trace(name: str) -> None:
    """Nothing is in the light theme's ink or on its paper; no pyplot figure, no changed setting."""
    before = dict(mpl.rcParams)
    figure = Figure(figsize=(7, 5))
    assert PLOTS[name](frame_of(name), ax=figure.add_subplot(), theme="dark") is figure
    for surface in (figure, *panels(figure)):
        assert to_hex(surface.get_facecolor()) == THEMES["dark"].paper
    light = {THEMES["light"].grey, THEMES["light"].pale, THEMES["light"].failed, "#000000"}
    assert not light & {color for artist in figure.findobj() for color in _colors(artist)}
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def _colors(artist: Any) -> set[str]:
    """The one colour of texts and lines that are shown."""
    shown = artist.get_visible() and bool(getattr(artist, "get_text", lambda: True)())
    if not shown or not hasattr(artist, "get_color") or artist.axes is None:
        return set()
    if not artist.axes.axison and not hasattr(artist, "arrow_patch"):
        return set()
    return {to_hex(artist.get_color())}


@pytest.mark.parametrize("name", ["ecdf", "smoke", "cadence"])
def test_same_rows_give_the_same_bytes(name: str) -> None:
    """No date, no random id; at most 500 KB."""
    one, other = (to_svg(PLOTS[name](frame_of(name))) for _ in range(2))
    assert one == other
    assert len(one) <= 500_000


@pytest.mark.parametrize("name", ["ecdf", "smoke"])
def test_no_figure_has_more_than_500_kilobytes(name: str) -> None:
    """Thousands of requests: marks are thinned, clouds are pixels."""
    figure = PLOTS[name](tidy(rows(700, warmup_rounds=0, fail={"us-west-2": 0.05}), [run()]))
    assert len(to_svg(figure)) <= 500_000
    assert len(to_png(figure, dpi=110)) <= 500_000


def test_a_theme_that_there_is_not_names_those_there_are() -> None:
    """A typo is a sentence."""
    with pytest.raises(UsageError, match=r"no theme 'drak'; there is light, dark"):
        PLOTS["ecdf"](full(), theme="drak")


def test_no_series_has_more_than_two_thousand_points() -> None:
    """Thinned by order statistics: both ends stay."""
    frame = tidy(rows(2050, ["global"]), [run()])
    for name in ("ecdf", "tail", "ridgeline", "timeline", "layers"):
        for axes in panels(PLOTS[name](frame)):
            assert all(
                len(np.atleast_1d(line.get_xdata())) <= MOST_POINTS + 2 for line in axes.lines
            ), name


def test_thinning_keeps_the_ends() -> None:
    """The smallest and the largest value are what a reader looks for."""
    values = np.arange(10_001.0)
    assert thin(values)[[0, -1]].tolist() == [0.0, 10_000.0]


def test_the_axis_is_linear_from_zero_unless_the_tail_is_long() -> None:
    """Log only when p99 / p50 > 5, and then it is named."""
    short = PLOTS["ecdf"](tidy(rows(60, tail=0.0), [run()])).axes[0]
    assert short.get_xscale() == "linear"
    assert short.get_xlim()[0] == 0
    long = PLOTS["ecdf"](tidy(rows(100, tail=0.2), [run()])).axes[0]
    assert long.get_xscale() == "log"
    assert "log scale" in long.get_xlabel()
    assert not wants_log([])


def test_what_fails_too_often_is_not_praised() -> None:
    """The title of the differences does not call it faster."""
    table = rows(150, fail={"eu-west-1": 0.2})
    for row in table:
        if row["endpoint"] == "eu-west-1" and row["ttft_ns"] is not None:
            row["ttft_ns"] //= 10
    title = finding(PLOTS["difference"](tidy(table, [run()])))
    assert "ails too often to compare: eu-west-1" in title
