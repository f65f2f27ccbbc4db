"""What a gate says, cell by cell: frozen, with the smallest effect that it could have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.model import Caution
from bench.stats import encode
from bench.stats.strata import Stratum

State = Literal["regressed", "ok", "inconclusive"]
"""
regressed     worse, beyond chance and by enough to matter, and where a confirmation is due, twice
ok            not shown to be worse; ``detectable`` says what would have been seen
inconclusive  no baseline yet, too few requests, or suspect and not yet confirmed: never a pass
"""

Measure = Literal["p50", "p90", "p95", "failure_rate"]
"""What a cell is judged by. Quantiles are in ms and compared as ratios, failure rates are shares
and compared in points. p95 only from n = 300 (reference: "The design beats the estimator")."""

Against = Literal["variant", "history", "objective"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One endpoint × stratum × measure.

    ``baseline`` and ``observed`` are ms, or shares for ``failure_rate``; inf is "> timeout", None
    is not known. ``change`` is observed / baseline − 1, for failure rates observed − baseline;
    ``low`` and ``high`` bound it. ``p`` is one-sided, ``p_adjusted`` corrected over all cells of
    the verdict, None where nothing was tested. ``detectable`` is the smallest change that would
    have been found with a chance of 80 %: exp((z.99 + z.80) · SE) − 1, in points for failure rates.
    ``n`` requests were judged against ``n_baseline``: requests of the other variant, or past runs.
    ``confirmed``: a fresh measurement agreed (True), did not (False), or none was due (None).
    ``reason`` explains the state in one phrase, with the remedy where there is one. ``objective``
    is the promise that was judged, ``ttft.p95 <= 800ms``; ``baseline`` is then its bound.

    Between variants the change of p50 is Hodges and Lehmann's estimate, which uses all requests,
    and not the ratio of two medians.
    """

    endpoint: str
    stratum: Stratum
    measure: Measure
    state: State
    baseline: float | None
    observed: float | None
    change: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    n: int
    n_baseline: int
    confirmed: bool | None = None
    reason: str = ""
    objective: str = ""

    @property
    def name(self) -> str:
        """``us-east-1 p50 (streamed chat, warm, httpx, grok-4.3)``: unique within a verdict."""
        return f"{self.endpoint} {self.objective or self.measure} ({self.stratum})"


def placed(one: Judged, vantage: str | None) -> Judged:
    """The same cell, said to be of a vantage."""
    return replace(one, stratum=replace(one.stratum, vantage=vantage))


@dataclass(frozen=True, slots=True)
class Verdict:
    """All cells of one comparison, and what follows from them.

    ``a`` is the baseline's name, ``b`` the candidate's. ``interleaved``: both were measured in the
    same rounds; otherwise drift between the two is inside every difference.
    """

    against: Against
    a: str
    b: str
    interleaved: bool
    judged: tuple[Judged, ...]
    cautions: tuple[Caution, ...] = ()

    @property
    def state(self) -> State:
        """Regressed if any cell is; ok only if every cell is."""
        states = {one.state for one in self.judged}
        if "regressed" in states:
            return "regressed"
        return "ok" if states == {"ok"} else "inconclusive"

    def having(self, state: State) -> Sequence[Judged]:
        """The cells in one state, in order."""
        return [one for one in self.judged if one.state == state]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only: what is unknown or infinite is None."""
        found: dict[str, Any] = encode.plain(self)
        for item, one in zip(found["judged"], self.judged, strict=True):
            item["name"] = one.name
        return found | {"schema_version": 1, "state": self.state}

    def _repr_html_(self) -> str:
        from bench.stats import cards  # knows every result, so none of them may know it earlier

        return cards.verdict_card(self)
