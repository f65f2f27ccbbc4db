"""What a Jupyter notebook shows while requests are under way: one display that is updated.

Nothing is imported for it and nothing shown elsewhere. It is drawn between two requests, by
whoever takes the samples, and so is in none of their times.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

from bench.html import paragraph, table
from bench.model import Sample
from bench.prepare import Prepared
from bench.tally import Tally
from bench.units import NS_PER_MS, NS_PER_S, format_ms
from bench.wire.clock import now_ns
from bench.words import UNKNOWN

REDRAW_NS = 250 * NS_PER_MS
"""Each drawing is a message that the kernel's own threads send while the next request is under
way, so they are few."""

_HEAD = ("endpoint", "done", "p50", "failed")

Watcher = Callable[[Sample], None]


def inside() -> bool:
    """Whether a Jupyter kernel runs this code."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


@contextmanager
def progress(
    prepared: Prepared, watch: Watcher | None = None, *, at_most: bool = False
) -> Iterator[Watcher | None]:
    """Who is to be given each sample: ``watch``, else in Jupyter a display, else nobody.

    ``at_most``: what measures decides itself when it has enough.
    """
    if watch is not None or not inside():
        yield watch
        return
    shown = _Shown(prepared, at_most)
    try:
        yield shown.see
    finally:
        shown.draw()


class _Shown:
    """One display of how a measurement stands."""

    def __init__(self, prepared: Prepared, at_most: bool) -> None:
        self._tally = Tally(prepared, lambda: now_ns() / NS_PER_S)
        self._at_most = at_most
        self._drawn_ns = 0
        self._handle: Any = None

    def see(self, sample: Sample) -> None:
        """Count one row, and draw if that was not done just now."""
        self._tally.add(sample)
        if now_ns() - self._drawn_ns >= REDRAW_NS:
            self.draw()

    def draw(self) -> None:
        """Show what is known now, in place of what was shown before."""
        from IPython.display import display

        line, rows = self._line(), [self._row(name) for name in self._tally.names]
        html = paragraph(line) + table(_HEAD, rows, self._tally.metric)
        bundle = {"text/plain": line, "text/html": html}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython types nothing
        else:
            self._handle.update(bundle, raw=True)
        self._drawn_ns = now_ns()

    def _line(self) -> str:
        tally = self._tally
        failed = sum(tally.failed.values())
        race = f"{tally.count} of at most {tally.total} requests, {failed} failed"
        return race if self._at_most else tally.line()

    def _row(self, name: str) -> list[object]:
        ms, failed = self._tally.median_ms(name), self._tally.failed[name]
        median = UNKNOWN if ms is None else format_ms(ms) if isfinite(ms) else "> timeout"
        return [name, self._tally.done[name], median, failed]
