"""Figures for light and dark paper, each with its finding in words and a table of its numbers."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from PIL import Image

from bench.plots import PLOTS, finding, is_empty, to_png, to_svg
from bench.plots.view import view
from bench.report.document import Document
from bench.report.page.markup import details, escape
from bench.report.page.numbers import numbers_table
from bench.report.page.spots import Spot
from bench.stats.routing import Routing

VECTOR = frozenset({"ecdf"})
"""Figures of few lines are vectors; where every request is a mark, pixels take less room."""

COLORS = 128
"""Of a figure's pixels: a third of the bytes that all of them would take."""

PIXELS_PER_INCH = 110

_PATH = re.compile(r' d="[^"]*"')
_DECIMALS = re.compile(r"(\.\d)\d+")


def pictures(doc: Document, spot: Spot, names: Sequence[str]) -> Iterator[str]:
    """The named plots, in order; one that has nothing to draw is the sentence that says why."""
    df = spot.df
    for name in names:
        known = _known(name, df, spot.answer)
        light = PLOTS[name](df, theme="light", **known)
        if is_empty(light):
            yield f"<p>{escape(finding(light))}</p>"
            continue
        picture = _picture(light, PLOTS[name](df, theme="dark", **known), name in VECTOR)
        numbers = details("Numbers of this figure", numbers_table(doc, f"{name}{spot.mark}", name))
        yield f"<figure>{picture}{numbers}</figure>"


def _known(name: str, df: pd.DataFrame, answer: Routing | None) -> dict[str, Any]:
    """What spares a plot the fit of the routing, which takes longer than the drawing."""
    if answer is None:
        return {}
    seen = view(df) if name == "timeline" else None
    same = seen is not None and seen.stratum == answer.stratum
    return {"answer": answer} if same or name in ("routing", "spillover") else {}


def _picture(light: Any, dark: Any, vector: bool) -> str:
    """Dark only on a dark screen: what is printed is always light."""
    width, height = (round(inches * PIXELS_PER_INCH) for inches in light.get_size_inches())
    return (
        '<picture><source media="screen and (prefers-color-scheme: dark)" '
        f'srcset="{_image(dark, vector)}"><img alt="{escape(finding(light))}" '
        f'width="{width}" height="{height}" src="{_image(light, vector)}"></picture>'
    )


def _image(figure: Any, vector: bool) -> str:
    kind, content = ("svg+xml", _coarse(figure)) if vector else ("png", _few_colors(figure))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _coarse(figure: Any) -> bytes:
    """The figure as SVG with its paths to a tenth of a point: half of the bytes."""
    paths = _PATH.sub(lambda path: _DECIMALS.sub(r"\1", path[0]), to_svg(figure))
    return paths.encode()


def _few_colors(figure: Any) -> bytes:
    """The figure as PNG with a palette."""
    pixels = Image.open(io.BytesIO(to_png(figure))).convert("RGB")
    few = pixels.quantize(COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
