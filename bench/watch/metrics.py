"""What a watch knows, as Prometheus metrics: the only importer of prometheus_client.

A registry of its own, no request is ever sent because somebody scrapes. Labels are endpoint, model,
phase and outcome, and take only values that the plan named: nothing that a server says.

`regionbench_requests_total` and the histograms count measured rows, `_rows_total` and
`_spend_usd_total` warm-ups too. What is not known has no series.

Classic histograms, as the client library has no native ones. To store them as native histograms
with these bounds, set ``convert_classic_histograms_to_nhcb: true`` in the scrape configuration
(Prometheus 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import choose_encoder

from bench.model import ASKING, Sample
from bench.prepare import Prepared
from bench.units import NS_PER_S
from bench.watch.finding import Finding
from bench.watch.pace import Gap
from bench.watch.purse import Purse

SECONDS = (
    *(0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9),
    *(1.1, 1.35, 1.65, 2.0, 3.0, 4.5, 6.7, 10.0, 15.0, 25.0, 40.0, 60.0),
)
"""Bounds of whole requests: neighbours differ by at most 1.5 up to 15 s."""

PHASE_SECONDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5),
    *(1.0, 2.5, 10.0),
)
PHASES = ("dns", "tcp", "tls", "send", "ttfb")
"""The body is the total less these; of them only the first byte depends on the model."""

_EACH = ("endpoint", "model")
STATES = {"ok": 0, "regressed": 1, "inconclusive": -1}


class Metrics:
    """The metrics of one watch; each method is told what happened, `text` is what a scrape gets."""

    def __init__(self, prepared: Prepared, every_s: float, day_usd: float | None) -> None:
        self.registry = CollectorRegistry()
        self._models = prepared.models
        self._rows()
        self._loop()
        self._standing()
        self._interval.set(every_s)
        self._timeout.set(prepared.plan.timeout_s)
        if day_usd is not None:
            self._gauge("day_limit_usd", "Most that a day (UTC) may cost").set(day_usd)
        info = self._gauge("build_info", "1; which version of regionbench this is", ("version",))
        info.labels(version("regionbench")).set(1)
        self._begin(prepared)

    def _rows(self) -> None:
        of_request = "from its first act on the wire, of answered requests"
        self._ttft = self._histogram("ttft_seconds", f"First token {of_request}", _EACH, SECONDS)
        self._total = self._histogram("total_seconds", f"All of it {of_request}", _EACH, SECONDS)
        phase = "Parts of answered requests; empty model: those that do not depend on it"
        self._phase = self._histogram("phase_seconds", phase, (*_EACH, "phase"), PHASE_SECONDS)
        requests = "Measured requests by how they ended; cancelled says nothing of the endpoint"
        self._requests = self._counter("requests", requests, (*_EACH, "outcome"))
        self._stored = self._counter("rows", "Rows stored, warm-ups too")
        self._spend = self._counter("spend_usd", "Cost by the catalogue's prices", _EACH)
        success = "When a measured request was last answered"
        self._success = self._gauge("last_success_timestamp_seconds", success, _EACH)

    def _loop(self) -> None:
        self._interval = self._gauge("interval_seconds", "From round to round, about")
        self._timeout = self._gauge("timeout_seconds", "After this a request is given up")
        self._running = self._gauge("running", "1 while rounds are asked, 0 while none shall be")
        self._rounds = self._counter("rounds", "Rounds begun")
        self._last_round = self._gauge("last_round_timestamp_seconds", "When a round last began")
        self._last_row = self._gauge("last_row_timestamp_seconds", "When a row was last stored")
        self._gaps = self._counter("gaps", "Silences: sleep, a stopped process, slow rounds")
        self._gap_seconds = self._counter("gap_seconds", "How long the silences lasted together")
        self._missed = self._counter("missed_rounds", "Rounds that fell into silences")
        self._rotations = self._counter("rotations", "Run folders finished")
        self._day_spend = self._gauge("day_spend_usd", "Cost since the day (UTC) began")

    def _standing(self) -> None:
        gate = "The latest run folder against history: 0 ok, 1 regressed, -1 inconclusive"
        self._gate = self._gauge("gate_state", gate, _EACH)
        reviewed = "When the latest run folder was reviewed"
        self._reviewed = self._gauge("last_review_timestamp_seconds", reviewed)
        self._failed_reviews = self._counter("failed_reviews", "Reviews that came to no end")
        share = "Share of global's requests that a region served, of the latest run folder"
        self._share = self._gauge("share_ratio", share, ("endpoint",))
        known = "1 when the rows tell where global's requests went, else 0"
        self._identifiable = self._gauge("shares_known", known)
        behind = "How much longer than the leader an endpoint takes, of the leader"
        self._behind = self._gauge("behind_ratio", behind, ("endpoint",))
        best = "1 for the endpoint that won the race over the latest run folder"
        self._best = self._gauge("race_best", best, ("endpoint",))
        lead = "How much longer the next best takes than the race's best"
        self._lead = self._gauge("lead_seconds", lead, ("endpoint",))

    def _begin(self, prepared: Prepared) -> None:
        """A counter that begins with its first event has no rate of it."""
        for endpoint in prepared.endpoints:
            for arm in prepared.models:
                for kind in prepared.plan.kinds:
                    model = self._model(kind, arm)
                    self._requests.labels(endpoint.name, model, "ok")
                    self._spend.labels(endpoint.name, model)

    def row(self, sample: Sample, utc_ns: int, purse: Purse) -> None:
        """A row was stored."""
        each = (sample.endpoint, self._model(sample.kind, sample.arm))
        self._stored.inc()
        self._last_row.set(utc_ns / NS_PER_S)
        self._spend.labels(*each).inc(max(0.0, sample.cost_usd or 0.0))
        self._day_spend.set(purse.spent_usd)
        if sample.warmup:
            return
        self._requests.labels(*each, sample.outcome).inc()
        if sample.outcome == "ok":
            self._success.labels(*each).set(utc_ns / NS_PER_S)
            self._times(sample, each)

    def _times(self, sample: Sample, each: tuple[str, str]) -> None:
        for name, value_ns in (("ttft", sample.ttft_ns), ("total", sample.total_ns)):
            if value_ns is not None:
                histogram = self._ttft if name == "ttft" else self._total
                histogram.labels(*each).observe(value_ns / NS_PER_S)
        for phase in PHASES:
            if (value_ns := getattr(sample, f"{phase}_ns")) is not None:
                model = each[1] if phase == "ttfb" else ""
                self._phase.labels(sample.endpoint, model, phase).observe(value_ns / NS_PER_S)

    def _model(self, kind: str, arm: str | None) -> str:
        """As it was asked for, whatever the server calls it."""
        return (self._models[arm] or "") if kind in ASKING else ""

    def round(self, utc_ns: int) -> None:
        """A round begins."""
        self._rounds.inc()
        self._last_round.set(utc_ns / NS_PER_S)

    def gap(self, gap: Gap) -> None:
        """A silence is over."""
        self._missed.inc(gap.missed)
        if gap.cause != "clock_step":
            self._gaps.inc()
            self._gap_seconds.inc(max(0.0, gap.seconds))

    def running(self, yes: bool) -> None:
        """Whether rounds are asked."""
        self._running.set(int(yes))

    def rotated(self) -> None:
        """A run folder is finished."""
        self._rotations.inc()

    def reviewed(self, finding: Finding | None, utc_ns: int) -> None:
        """What the latest run folder says; None: nothing came of looking at it."""
        if finding is None:
            self._failed_reviews.inc()
            return
        self._reviewed.set(utc_ns / NS_PER_S)
        self._identifiable.set(int(bool(finding.shares)))
        _replace(self._share, {(name,): value for name, value in finding.shares.items()})
        _replace(self._behind, {(name,): value for name, value in finding.behind.items()})
        best = {name: float(name == finding.best) for name in finding.behind}
        _replace(self._best, {(name,): value for name, value in best.items()})
        known = finding.best is not None and finding.lead_s is not None
        _replace(self._lead, {(str(finding.best),): finding.lead_s or 0.0} if known else {})
        gate = {(c.endpoint, c.model): float(STATES[c.state]) for c in finding.gate}
        _replace(self._gate, gate)

    def text(self, accept: str) -> tuple[str, bytes]:
        """Content type and body of a scrape; without the ``_created`` that nobody asked for."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(_Plain(self.registry))

    def _counter(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"regionbench_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"regionbench_{name}", about, labels, registry=self.registry)

    def _histogram(
        self, name: str, about: str, labels: tuple[str, ...], bounds: tuple[float, ...]
    ) -> Histogram:
        registry = self.registry
        return Histogram(f"regionbench_{name}", about, labels, registry=registry, buckets=bounds)


class _Plain:
    """A registry whose samples leave out when each series was made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric


def _replace(gauge: Gauge, values: Mapping[Any, float]) -> None:
    gauge.clear()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
