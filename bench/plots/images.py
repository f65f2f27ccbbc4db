"""Figures → bytes, the same for the same figure."""

from __future__ import annotations

import io

import matplotlib as mpl
from matplotlib.figure import Figure


def to_svg(figure: Figure) -> str:
    """The figure as SVG text without dates; letters are shapes, so that no font is needed."""
    buffer = io.StringIO()
    # The salt can only be given this way; the setting is put back at once.
    with mpl.rc_context({"svg.hashsalt": "regionbench", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def to_png(figure: Figure, dpi: int = 144) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
