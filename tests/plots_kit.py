"""Figures for tests, each drawn once, and what can be read from one."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from bench.frame import tidy
from bench.plots import PLOTS
from tests import synthetic
from tests.synthetic import MEDIANS_MS, rows, run

ALL = ("global", *MEDIANS_MS)


@cache
def full() -> pd.DataFrame:
    """Both connections, failures of two classes, tokens, lateness, and two vantages."""
    made = rows(40, fail={"eu-west-1": 0.2}, connections=("warm", "cold"), outcome="capacity")
    for row in made:
        if row["outcome"] == "ok":
            row |= tokens(row)
        row["vantage"] = ("frankfurt", "virginia")[row["seq"] % 2]
        row["late_ns"] = 90_000 * (row["seq"] % 7)
    made[17] |= {"outcome": "timeout", "ttft_ns": None}
    return tidy(made, [run()])


def tokens(row: dict[str, Any], count: int = 12) -> dict[str, Any]:
    """Token times of a row: two of them came together, and one late."""
    gaps = np.random.default_rng(row["seq"]).lognormal(np.log(14), 0.3, count - 1)
    gaps[3], gaps[5] = 0.0, 90.0
    offsets = row["ttft_ns"] + np.concatenate([[0], np.cumsum(gaps) * 1e6]).astype(int)
    return {
        "token_offsets_ns": tuple(map(int, offsets)),
        "token_coalesced": tuple(place in (3, 4) for place in range(count)),
        "total_ns": int(offsets[-1]),
    }


@cache
def watched(hours: float = 26, every_s: float = 600) -> pd.DataFrame:
    """A watch over a day: a gap of eight hours, an outage of three, a slow afternoon."""
    made = rows(int(hours * 3600 / every_s), warmup_rounds=0, tail=0.0)
    kept = []
    for row in made:
        at = row["round"] * every_s / 3600
        row["started_at"] = (synthetic.START + dt.timedelta(hours=at)).isoformat()
        if row["endpoint"] == "us-west-2" and 19 <= at < 22:
            row |= synthetic._failure("timeout")
        elif 4 <= at < 8:
            row |= {"ttft_ns": int(row["ttft_ns"] * 1.5)}
        if not 8 <= at < 16:
            kept.append(row)
    return tidy(kept, [run()])


def frame_of(name: str) -> pd.DataFrame:
    """A frame on which this plot has all that it can show."""
    return watched() if name in ("hours", "smoke") else full()


@cache
def drawn(name: str, theme: str = "light") -> Figure:
    """The plot of its frame, laid out and drawn."""
    figure = PLOTS[name](frame_of(name), theme=theme)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]  # the backend is untyped
    return figure


def texts(figure: Figure) -> list[Text]:
    """Everything that is written and shown."""
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    unseen = {id(text) for axes in panels(figure) for text in _unseen(axes)}
    return [text for text in found if text.get_visible() and id(text) not in unseen]


def words(figure: Figure) -> str:
    """All that is written, a line per text, with plain spaces."""
    return "\n".join(text.get_text() for text in texts(figure)).replace("\u00a0", " ")


def panels(figure: Figure) -> Iterator[Any]:
    """All axes, those inside of axes too."""
    for axes in figure.axes:
        yield axes
        yield from axes.child_axes


def _unseen(axes: Any) -> Iterator[Text]:
    """Labels of ticks beyond the limits, which are kept and never drawn; all of an axis that is
    off."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        room = 1e-9 * (high - low)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axes.axison or not low - room <= tick.get_loc() <= high + room:
                yield from (tick.label1, tick.label2)
        if not axes.axison:
            yield axis.label


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts of a drawn figure that lie on each other."""
    boxes = [(text.get_text(), _box(text)) for text in texts(figure)]
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if (both := Bbox.intersection(a, b)) is not None and min(both.width, both.height) > 2
    ]


def outside(figure: Figure) -> list[str]:
    """Texts of a drawn figure that its edge cuts."""
    edge = figure.bbox.padded(1)
    return [
        text.get_text()
        for text in texts(figure)
        if not (edge.contains(*_box(text).min) and edge.contains(*_box(text).max))
    ]


def _box(text: Text) -> Bbox:
    """Of the letters alone: an annotation's own extent holds its point too."""
    return Text.get_window_extent(text)
