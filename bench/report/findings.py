"""Everything that outputs say of some rows, each part found once and only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.errors import NotEnoughData
from bench.report.document import Document, Runs, document, with_places, with_routing
from bench.stats import METRICS, Summary, summarise
from bench.stats.cells import TOKENS
from bench.stats.places import Places, places
from bench.stats.routing import Routing, route
from bench.stats.spillover import spillover
from bench.stats.strata import runs_of
from bench.stats.vantages import by_vantage

COLUMNS = (
    *(metric.column for metric in METRICS.values()),
    *TOKENS,
    *("seq", "region", "edge", "peer_ip", "http_version", "clock_step", "ttfb_layer"),
    *("late_ns", "wakeup_late_ns"),
)
"""What outputs read, besides `bench.frame.KEYS`: a frame of them says the same as one of all."""


@dataclass(frozen=True)
class Findings:
    """Of a tidy frame. ``routed``: whether outputs say where global sent requests, which takes
    seconds on a long run."""

    df: pd.DataFrame
    routed: bool = True

    @cached_property
    def runs(self) -> Runs:
        """The run.json of each run."""
        return runs_of(self.df)

    @cached_property
    def summary(self) -> Summary:
        """Cells, differences, cautions."""
        return summarise(self.df)

    @cached_property
    def parts(self) -> dict[str, pd.DataFrame]:
        """The rows of each vantage."""
        return by_vantage(self.df)

    @cached_property
    def routes(self) -> dict[str, Routing]:
        """Where each vantage's requests to global went."""
        return {name: route(part) for name, part in self.parts.items()}

    @cached_property
    def places(self) -> Places | None:
        """The answer per vantage and the compromise; None for one vantage, or without rounds that
        all vantages have."""
        if len(self.parts) < 2:
            return None
        try:
            return places(self.df)
        except NotEnoughData:
            return None

    @cached_property
    def doc(self) -> Document:
        """All of it, as strict JSON types."""
        made = document(self.summary, self.runs)
        if len(self.parts) > 1:
            made = with_places(made, self.places)
        if not self.routed:
            return made
        found = {v: (r, spillover(self.parts[v], r)) for v, r in self.routes.items()}
        return with_routing(made, found)
