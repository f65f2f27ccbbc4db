"""What a Jupyter notebook shows while requests are under way: one display that is updated.

Nothing is imported for it and nothing shown elsewhere. It is drawn between two requests, by
whoever takes the samples, and so is in none of their times.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.html import paragraph, table
from bench.model import NOT_ASKED, Sample
from bench.prepare import Prepared
from bench.units import NS_PER_MS, format_ms
from bench.wire.clock import now_ns
from bench.words import UNKNOWN

REDRAW_NS = 250 * NS_PER_MS
"""Each drawing is a message that the kernel's own threads send while the next request is under
way, so they are few."""

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
    """One display, counts and medians per endpoint."""

    def __init__(self, prepared: Prepared, at_most: bool) -> None:
        self._goal = f"{'at most ' if at_most else ''}{prepared.scheduled}"
        self._names = [endpoint.name for endpoint in prepared.endpoints]
        self._done, self._failed = Counter[str](), Counter[str]()
        self._ms: dict[str, list[float]] = defaultdict(list)
        self._drawn_ns = 0
        self._handle: Any = None

    def see(self, sample: Sample) -> None:
        """Count one row, and draw if that was not done just now."""
        name, latency_ns = sample.endpoint, sample.ttft_ns or sample.total_ns
        self._done[name] += sample.flags != NOT_ASKED
        self._failed[name] += sample.outcome not in ("ok", "cancelled")
        if sample.outcome == "ok" and latency_ns and not sample.warmup:
            self._ms[name].append(latency_ns / NS_PER_MS)
        if now_ns() - self._drawn_ns >= REDRAW_NS:
            self.draw()

    def draw(self) -> None:
        """Show what is known now, in place of what was shown before."""
        from IPython.display import display

        line = f"{self._done.total()} of {self._goal} requests, {self._failed.total()} failed"
        rows = [self._row(name) for name in self._names]
        html = paragraph(line) + table(("endpoint", "done", "median", "failed"), rows)
        bundle = {"text/plain": line, "text/html": html}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython types nothing
        else:
            self._handle.update(bundle, raw=True)
        self._drawn_ns = now_ns()

    def _row(self, name: str) -> list[object]:
        seen = self._ms[name]
        median = format_ms(statistics.median(seen)) if seen else UNKNOWN
        return [name, self._done[name], median, self._failed[name]]
