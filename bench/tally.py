"""What a person is told while requests are under way: counts, and the main metric so far."""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict, deque
from collections.abc import Callable
from math import inf

from bench.model import ASKING, Plan, Sample
from bench.prepare import Prepared
from bench.units import NS_PER_MS, format_usd

RECENT = 24
_Z = 1.959964


class Tally:
    """Counts, and per endpoint the latencies of the plan's first stratum; a failure is +inf.

    For display only: the summary is made from the stored rows. ``clock`` gives seconds.
    """

    def __init__(
        self, prepared: Prepared, clock: Callable[[], float], limit_usd: float | None = None
    ) -> None:
        plan = prepared.plan
        self.total = prepared.scheduled
        self.rounds = plan.rounds + plan.warmup_rounds * plan.concurrency
        self.names = [endpoint.name for endpoint in prepared.endpoints]
        self.each = self.total // max(1, len(self.names))
        self.limit_usd = limit_usd
        self.simulated = prepared.catalogue.provider.simulated
        self.metric = _metric(plan)
        self.stratum = (
            plan.kinds[0],
            plan.connections[0],
            plan.clients[0],
            next(iter(plan.arms), None),
        )
        self.done: dict[str, int] = defaultdict(int)
        self.failed: dict[str, int] = defaultdict(int)
        self.limited: dict[str, int] = defaultdict(int)
        self.ordered_ms: dict[str, list[float]] = defaultdict(list)
        self.recent_ms: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))
        self.round = 0
        self.usd = 0.0
        self._clock = clock
        self.began_s = clock()

    def add(self, sample: Sample) -> None:
        """Count one row."""
        name, lost = sample.endpoint, sample.outcome not in ("ok", "cancelled")
        self.done[name] += 1
        self.usd += sample.cost_usd or 0.0
        self.failed[name] += lost
        self.limited[name] += sample.outcome == "rate_limited"
        self.round = max(self.round, sample.round + 1)
        stratum = (sample.kind, sample.connection, sample.client, sample.arm)
        latency_ns = sample.ttft_ns or sample.total_ns
        counts = lost or (sample.outcome == "ok" and latency_ns)
        if stratum != self.stratum or sample.warmup or not counts:
            return
        ms = inf if lost else (latency_ns or 0) / NS_PER_MS
        insort(self.ordered_ms[name], ms)
        self.recent_ms[name].append(ms)

    @property
    def count(self) -> int:
        """Requests that ended."""
        return sum(self.done.values())

    @property
    def elapsed_s(self) -> float:
        """Since the first request could be sent."""
        return self._clock() - self.began_s

    def median_ms(self, name: str) -> float | None:
        """The lower median so far, +inf when half of the requests failed; None: nothing yet."""
        ms = self.ordered_ms[name]
        return ms[(len(ms) - 1) // 2] if ms else None

    def interval_ms(self, name: str) -> tuple[float, float] | None:
        """95 % for the median by order statistics: ranks n/2 ∓ z√n/2 (Conover, Practical
        Nonparametric Statistics, 3.2). None: too few."""
        ms = self.ordered_ms[name]
        half = _Z * math.sqrt(len(ms)) / 2
        low, high = math.floor(len(ms) / 2 - half), math.ceil(len(ms) / 2 + half)
        return (ms[low - 1], ms[high]) if low > 0 and high < len(ms) else None

    @property
    def expected_s(self) -> float:
        """How long all of it takes, going by what is done; 0 before anything is."""
        return self.elapsed_s / self.count * self.total if self.count else 0.0

    def left(self) -> str:
        """Time left in words, after three rounds."""
        if self.count < 3 * max(1, len(self.names)):
            return ""
        seconds = max(0.0, self.expected_s - self.elapsed_s)
        return (
            f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
        )

    def line(self) -> str:
        """One self-contained line: where it stands, how fast, what failed, cost, time left."""
        parts = [f"round {self.round}/{self.rounds}", f"{self.count}/{self.total} requests"]
        if self.count and self.elapsed_s > 0:
            parts.append(f"{self.count / self.elapsed_s:.1f}/s")
        parts += [f"{sum(self.failed.values())} failed", self._money(), self.left()]
        return ", ".join(part for part in parts if part)

    def _money(self) -> str:
        if self.simulated and self.limit_usd is None:
            return ""
        if self.limit_usd is not None:
            return f"{format_usd(self.usd)} of {format_usd(self.limit_usd)}"
        return format_usd(self.usd) if self.usd else ""


def _metric(plan: Plan) -> str:
    """What the medians are of: never two strata in one number."""
    metric = "time to first token" if plan.kinds[0] in ASKING and plan.stream else "total time"
    arm = next(iter(plan.arms), None)
    words = (plan.kinds[0], plan.connections[0], plan.clients[0], *([arm] if arm else []))
    return f"{metric}, {', '.join(words)}"
