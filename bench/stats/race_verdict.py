"""What a race found: frozen, and no more than what was established."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.stats import encode
from bench.stats.pairs import Percent
from bench.stats.quantiles import Estimate
from bench.stats.rates import Rate

RaceKind = Literal["winner", "choice", "equivalent", "undecided"]
"""
winner      faster than every other, beyond chance
choice      none of the others is faster by more than the margin; not said to be faster than they
equivalent  as choice, and none of the set is slower by more than the margin either
undecided   none of these, and no endpoint is named

Why choice is not winner: who names a winner in no more than 1 of 1,000 races between equals needs,
by Wald's bound ln(1/α) / (δ²/2σ²), 770 rounds to see a lead of 6.6 % (σ = .475 of one difference);
to exclude a loss of 5 % takes about a tenth of that.
"""

Reason = Literal["no faster", "failures"]


@dataclass(frozen=True, slots=True)
class Elimination:
    """``endpoint`` was last asked in ``round``: it cannot be the better choice, or it fails."""

    endpoint: str
    round: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Standing:
    """One endpoint at one look, against the leader of that look.

    ``behind`` is the difference of log latencies and ``error`` its standard error; ``low`` and
    ``high`` its interval at 95 %; ``risk`` the chance that it is faster by more than the margin.
    """

    round: int
    endpoint: str
    leader: str
    behind: float
    error: float
    low: float
    high: float
    risk: float


@dataclass(frozen=True, slots=True)
class RaceVerdict:
    """The end of a race, or where it stands.

    ``best`` is the endpoint to take, None while undecided. ``endpoints`` are those that could not
    be told apart (best among them). ``beaten`` are slower than best beyond chance. ``wrong`` is the
    chance that another endpoint is faster by more than the margin. ``lead_ms`` and
    ``lead_percent`` are how much longer ``next_best`` takes, None without ``best``.
    ``margin_percent`` is measured: none of ``endpoints`` is further from the leader than this.
    """

    kind: RaceKind
    best: str | None
    endpoints: tuple[str, ...]
    beaten: tuple[str, ...]
    next_best: str | None
    lead_ms: Estimate | None
    lead_percent: Percent | None
    wrong: float | None
    margin_percent: float | None
    failures: Mapping[str, Rate]
    rounds: int
    requests: int
    eliminations: tuple[Elimination, ...]
    history: tuple[Standing, ...]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only: what is unknown or infinite is None."""
        found: dict[str, Any] = encode.plain(self)
        return found

    def _repr_html_(self) -> str:
        from bench.stats import cards  # knows every result, so none of them may know it earlier

        return cards.race_card(self)
