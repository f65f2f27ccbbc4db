"""Every figure states a finding, holds every failure, and survives every frame."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from bench.errors import UsageError
from bench.frame import tidy
from bench.plots import PLOTS, finding, to_png, to_svg
from bench.plots.style import MOST_POINTS, thin, wants_log
from bench.plots.theme import HUES, THEMES, Theme
from tests.synthetic import MEDIANS_MS, rows, run

ALL = ("global", *MEDIANS_MS)
_ODD: dict[str, list[dict[str, Any]]] = {
    "empty": [],
    "one row": rows(1)[4:5],
    "one round": rows(1),
    "all failed": rows(9, fail=dict.fromkeys(ALL, 1.0)),
    "one endpoint": rows(9, ["us-east-1"]),
    "no times": rows(5, started_at=None),
    "dollars": rows(9, endpoint="$x_1$ & <b>"),
}


def _texts(figure: Figure) -> str:
    def inner(artist: Any) -> list[str]:
        own = [artist.get_text()] if hasattr(artist, "get_text") else []
        return own + [text for child in artist.get_children() for text in inner(child)]

    return "\n".join(inner(figure))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    table = rows(40, fail={"eu-west-1": 0.2}, connections=("warm", "cold"), outcome="capacity")
    return tidy(table, [run()])


_OF_ONE_RUN = [name for name in PLOTS if name != "trend"]
"""A trend is of several: tests/test_plots_trend.py."""


@pytest.mark.parametrize("name", _OF_ONE_RUN)
def test_title_is_a_finding_and_subtitle_says_n_window_and_method(
    name: str, frame: pd.DataFrame
) -> None:
    """A reader of the picture alone knows what, how many, and when."""
    figure = PLOTS[name](frame)
    text = _texts(figure)
    assert len(finding(figure)) > 20
    assert "n = " in text
    assert "2026-03-14 09:00" in text
    assert "UTC" in text
    assert "failed" in text
    assert "(simulated)" in text


@pytest.mark.parametrize("name", _OF_ONE_RUN)
def test_units_stand_at_the_axis(name: str, frame: pd.DataFrame) -> None:
    """Milliseconds, in words."""
    assert "(ms)" in _texts(PLOTS[name](frame))


@pytest.mark.parametrize("odd", _ODD)
@pytest.mark.parametrize("name", PLOTS)
def test_odd_frames_give_a_figure(name: str, odd: str) -> None:
    """No rows, one row, failures only: a picture or a sentence, never a traceback."""
    figure = PLOTS[name](tidy(_ODD[odd], [run()]))
    assert finding(figure)
    words = f" {_texts(figure)} ".replace("(", " ").lower()
    assert not any(bad in words for bad in (" nan", " none ms", " inf "))
    figure.draw_without_rendering()


@pytest.mark.parametrize("name", PLOTS)
def test_draws_into_given_axes_and_leaves_no_trace(name: str, frame: pd.DataFrame) -> None:
    """No pyplot figure, no changed setting."""
    before = dict(mpl.rcParams)
    mine = Figure(figsize=(7, 5))
    assert PLOTS[name](frame, ax=mine.add_subplot()) is mine
    to_svg(PLOTS[name](frame))
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", PLOTS)
def test_same_rows_give_the_same_bytes(name: str, frame: pd.DataFrame) -> None:
    """No date, no random id; and at most 500 KB."""
    images = {to_svg(PLOTS[name](frame)) for _ in range(2)}
    assert len(images) == 1
    assert len(images.pop()) <= 500_000
    assert len(to_png(PLOTS[name](frame))) <= 500_000


def _luminance(color: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(one: str, other: str) -> float:
    """WCAG 2: from 1 (the same) to 21 (black on white)."""
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_and_marks_stand_out_from_their_paper(theme: Theme) -> None:
    """WCAG 1.4.11 and 1.4.3."""
    assert all(_contrast(theme[hue], theme.paper) >= 3 for hue in HUES)
    assert all(_contrast(theme[ink], theme.paper) >= 4.5 for ink in ("ink", "grey", "failed"))


def test_endpoints_differ_by_more_than_colour() -> None:
    """Each has a marker and a line of its own."""
    kinds = [THEMES["light"].look(0, True), *(THEMES["dark"].look(i, False) for i in range(7))]
    assert len({kind.marker for kind in kinds}) == len(kinds)
    assert len({(str(kind.line), kind.width) for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("name", PLOTS)
def test_a_dark_figure_is_dark(name: str, frame: pd.DataFrame) -> None:
    """And nothing in it is drawn in the light theme's ink or on its paper."""
    svg = to_svg(PLOTS[name](frame, theme="dark"))
    assert THEMES["dark"].paper in svg
    assert all(THEMES["light"][color] not in svg for color in ("ink", "paper", "pale"))
    assert "#000000" not in svg.replace("stop-color", "")


def test_a_theme_that_there_is_not_names_those_there_are(frame: pd.DataFrame) -> None:
    """A typo is a sentence."""
    with pytest.raises(UsageError, match=r"no theme 'drak'; there is light, dark"):
        PLOTS["ecdf"](frame, theme="drak")


def test_no_series_has_more_than_two_thousand_points() -> None:
    """Thinned by order statistics: both ends stay."""
    frame = tidy(rows(2500, ("global", "us-east-1")), [run()])
    for name in PLOTS:
        for ax in PLOTS[name](frame).axes:
            for axes in (ax, *ax.child_axes):
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
