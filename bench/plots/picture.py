"""A figure that a notebook shows by itself.

A matplotlib Figure made without pyplot is only named in a notebook, not drawn. This one is drawn,
with or without ``%matplotlib inline``.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from bench.plots.images import to_png


class Picture(Figure):
    """A matplotlib Figure, in all that it can do."""

    def _repr_png_(self) -> bytes:
        return to_png(self, dpi=110)
