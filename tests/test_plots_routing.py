"""The mixture's two pictures: a finding, honest areas, and a sentence where nothing can be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bench.frame import tidy
from bench.plots import PLOTS, finding, to_svg
from bench.plots.routing import curve
from bench.stats.routing import route
from tests.synthetic import run
from tests.test_stats_routing import ODD, mixed, world

BOTH = ("routing", "spillover")


def _texts(figure: Figure) -> str:
    def inner(artist: Any) -> list[str]:
        own = [artist.get_text()] if hasattr(artist, "get_text") else []
        return own + [text for child in artist.get_children() for text in inner(child)]

    return "\n".join(inner(figure)).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    origins = mixed({"near": 60, "mid": 8}) + ["mid"] * 20 + mixed({"near": 30, "far": 8})
    made = world(origins)
    made += [row | {"seq": 9000 + i, "outcome": "capacity"} for i, row in enumerate(made[:4])]
    return tidy(made, [run(("global", "near", "mid", "far"))])


def test_the_decomposition_names_every_part(frame: pd.DataFrame) -> None:
    """Who and how much in the title, beside the hump, and with its interval in the legend."""
    figure = PLOTS["routing"](frame)
    text = _texts(figure)
    assert "near answered about 71 % of global's requests" in finding(figure)
    assert "near\n71 %" in text
    assert "near: 71 % (" in text
    assert "elsewhere: 0 % (" in text
    assert "time to first byte (ms)" in text
    assert "network time (ms)" in text
    assert "n = 126 answers of global, 4 failed and in no share" in text
    assert "(simulated)" in text


def test_the_burst_is_marked(frame: pd.DataFrame) -> None:
    """In the title and as a line above the shares."""
    figure = PLOTS["spillover"](frame)
    assert "mid took over in rounds 6" in finding(figure)
    panel = figure.axes[0].child_axes[0]
    assert any(line.get_linewidth() == 4 for line in panel.lines)
    assert "4 failed" in _texts(figure)


def test_the_timeline_marks_the_burst_in_globals_strip_alone(frame: pd.DataFrame) -> None:
    """A line above the strip, with the name of the region that took over."""
    figure = PLOTS["timeline"](frame)
    strips = [strip for ax in figure.axes for strip in (ax, *ax.child_axes)]
    marked = [strip for strip in strips if any(ln.get_linewidth() == 4 for ln in strip.lines)]
    assert len(marked) == 1
    assert "mid" in [text.get_text() for text in marked[0].texts]


def test_areas_add_up_to_global(frame: pd.DataFrame) -> None:
    """Each part's area is its share of all requests."""
    panel = Figure().add_subplot()
    panel.set_xlim(0, 100)
    grid = np.linspace(0, 100, 2001)
    ms = np.array([20.0, 21, 22, 50, 51, 80, 81, 82])
    parts = [curve(panel, ms, np.where(ms < 40, 1.0, 0.0), grid)]
    parts += [curve(panel, ms, np.where(ms < 40, 0.0, 1.0), grid)]
    areas = [float(part.sum() * 0.05) for part in parts]
    assert areas == pytest.approx([3 / 8, 5 / 8], abs=0.02)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", BOTH)
def test_odd_frames_give_a_sentence(name: str, odd: str) -> None:
    """And never a traceback or a NaN."""
    figure = PLOTS[name](tidy(ODD[odd], [run()]))
    assert len(finding(figure)) > 20
    words = f" {_texts(figure)} ".replace("(", " ").lower()
    assert not any(bad in words for bad in (" nan", " none ms", " inf "))


@pytest.mark.parametrize("name", BOTH)
def test_what_cannot_be_told_is_the_title(name: str) -> None:
    """Streams: global stands beside the regions, and the command is there."""
    made = [row | {"server_e2e_ms": None} for row in world(mixed({"near": 60, "mid": 60}))]
    figure = PLOTS[name](tidy(made, [run()]))
    assert "cannot be told" in finding(figure)
    if name == "routing":
        text = _texts(figure).replace("\n", " ")
        assert "regionbench run --no-stream" in text
        assert "global: n = 120" in text


@pytest.mark.parametrize("name", BOTH)
def test_an_answer_can_be_handed_in(name: str, frame: pd.DataFrame) -> None:
    """The same picture without a second fit."""
    assert to_svg(PLOTS[name](frame, answer=route(frame))) == to_svg(PLOTS[name](frame))
