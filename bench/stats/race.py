"""Which region? A paired race that asks only whose answer is still open, and stops when it knows.

    race = Race(endpoints, RaceRules())
    while not race.decided:
        race.add(one round of race.alive: ms, inf for a failure)
    race.verdict()

The rule of the reference ("Which region? A paired race"), with four changes that its own worlds
call for: Huber's estimate instead of the trimmed mean; a look after every round instead of eight;
an endpoint rests as soon as it cannot be better by the margin, and is asked again when a new leader
reopens the question; and nobody is named who has not been shown to answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import betainc
from scipy.stats import hypergeom

from bench.errors import NotEnoughData
from bench.stats.metrics import countable
from bench.stats.pairs import table
from bench.stats.quantiles import Values
from bench.stats.race_end import Counts, Facts, conclude, counts
from bench.stats.race_scores import FEWEST, Flags, Judge, Look, Margin, judge_median
from bench.stats.race_strict import judge_strict
from bench.stats.race_tail import judge_tail
from bench.stats.race_verdict import RaceVerdict
from bench.stats.rates import UNFIT_SHARE
from bench.stats.strata import stratify

LOOKING = 7.0
"""How much more often a race errs in the worst case than its last look alone says, for looking
after every round and naming whoever leads then. Calibrated in tests/benchmarks/decisions.py."""

STRICT_ERROR = 0.005
TAIL_ERROR = 0.005
"""Target p90: P(correct) ≥ .995 (reference)."""

FAILING = 0.001
"""One-sided p of Fisher's test below which an endpoint fails more than the rest (reference)."""

SHOWN = 0.05
"""Only who has been shown to fail less than a tenth, with this p, is named: 0 of 29, 1 of 46. Who
fails 30 % is then named in one race of 20,000."""


_FASTEST_MS = 1e-6
"""One nanosecond: what a clock that stood still stands for, since nought has no logarithm."""


@dataclass(frozen=True, slots=True)
class RaceRules:
    """What counts as equal (``within``, ``within_ms``), and when to stop.

    ``error``: at most this share of races may name an endpoint that is worse than the best by more
    than max(within, within_ms), also where the lead is small. ``strict``: at most ½ %, by proof.
    ``cap``: rounds, then it ends undecided.
    """

    within: float = 0.05
    within_ms: float = 5.0
    error: float = 0.05
    cap: int = 100
    timeout_ms: float = 60_000.0
    target: Literal["p50", "p90"] = "p50"
    strict: bool = False

    def __post_init__(self) -> None:
        if self.strict and self.target != "p50":
            raise ValueError("strict races are for p50 only: the proof is about medians")

    @property
    def inflation(self) -> float:
        """How many times its sum of risks a verdict states as the chance of being wrong."""
        return LOOKING if self.target == "p50" and not self.strict else 1.0

    @property
    def budget(self) -> float:
        """The sum of risks at which a race may stop."""
        limit = STRICT_ERROR if self.strict else TAIL_ERROR if self.target == "p90" else 1.0
        return min(self.error / self.inflation, limit)


_JUDGES: dict[str, Judge] = {"p50": judge_median, "strict": judge_strict, "p90": judge_tail}


class Race:
    """The state of a race: ``alive`` are to be asked in the next round, in random order.

    A round maps endpoints to ms, inf for a failure; what was not asked is missing or NaN.
    """

    def __init__(self, endpoints: Sequence[str], rules: RaceRules | None = None) -> None:
        self.endpoints = tuple(endpoints)
        if not self.endpoints or len(set(self.endpoints)) < len(self.endpoints):
            raise ValueError("a race needs endpoints, each once")
        self.rules = RaceRules() if rules is None else rules
        self.alive = self.endpoints
        self._judge = _JUDGES["strict" if self.rules.strict else self.rules.target]
        self._ms = np.full((64, len(self.endpoints)), np.nan)
        self._rounds = 0
        self._fit = np.full(len(self.endpoints), True)
        self._looks: list[tuple[int, Look]] = []
        self._known = False

    @property
    def decided(self) -> bool:
        """Nothing more is to be asked: it is known, the cap is reached, or everyone fails."""
        return self._known or self._rounds >= self.rules.cap or not self._fit.any()

    def add(self, round_: Mapping[str, float]) -> None:
        """Take what one round measured, and look. A race that is decided takes no more."""
        if self.decided:
            raise ValueError("this race is decided")
        if unknown := set(round_) - set(self.endpoints):
            raise ValueError(f"not in this race: {', '.join(sorted(unknown))}")
        if self._rounds == len(self._ms):
            self._ms = np.concatenate([self._ms, np.full_like(self._ms, np.nan)])
        row = [round_.get(name, np.nan) for name in self.endpoints]
        self._ms[self._rounds] = np.minimum(row, self._ceiling(row))
        self._rounds += 1
        if np.isinf(row).any():
            self._drop_failing()
        if self._due():
            self._look()
        self.alive = tuple(n for n, on in zip(self.endpoints, self._open(), strict=True) if on)

    def verdict(self) -> RaceVerdict:
        """What is known now; undecided unless the race ended by knowing."""
        facts = Facts(
            self.endpoints,
            Margin(self.rules.within, self.rules.within_ms),
            self.rules.budget,
            self.rules.inflation,
            self._ms[: self._rounds],
            self._fit,
            self._open(),
            tuple(self._looks),
        )
        return conclude(facts, self._known)

    def _ceiling(self, row: Sequence[float]) -> list[float]:
        """A latency beyond the timeout is the timeout; a failure stays one."""
        return [ms if np.isinf(ms) else self.rules.timeout_ms for ms in row]

    def _due(self) -> bool:
        """After every round; for p90, whose looks are dear, after every eighth of the rounds."""
        if self._rounds < FEWEST or not self._fit.any():
            return False
        return self.rules.target == "p50" or self._rounds % max(1, self._rounds // 64 * 8) == 0

    def _drop_failing(self) -> None:
        """Who fails more often than the others together, or than the most reliable, is out."""
        failed, asked = counts(self._ms[: self._rounds])
        share = np.where(self._fit, failed / np.maximum(asked, 1), np.inf)
        safest = int(np.lexsort((-asked, share))[0])
        together = _fails_more(failed, asked, failed[self._fit].sum() - failed,
                               asked[self._fit].sum() - asked)  # fmt: skip
        alone = _fails_more(failed, asked, failed[safest], asked[safest])
        self._fit &= ~(together | alone)

    def _look(self) -> None:
        logs = np.log(np.clip(self._ms[: self._rounds], _FASTEST_MS, self.rules.timeout_ms))
        logs[:, ~self._fit] = np.nan
        if np.isnan(logs).all():
            return
        look = self._judge(logs, Margin(self.rules.within, self.rules.within_ms))
        self._looks.append((self._rounds, look))
        open_ = self._open()
        self._known = open_.sum() == 1 and bool(open_[look.leader]) and self._answers(look.leader)

    def _open(self) -> Flags:
        """Whom to ask: the leader and all whose risk exceeds their share of the budget.

        While the leader fails often, everyone: does it fail more than they?
        """
        if not self._looks:
            return self._fit.copy()
        look = self._looks[-1][1]
        failed, asked = counts(self._ms[: self._rounds])
        if not self._fit[look.leader] or failed[look.leader] > UNFIT_SHARE * asked[look.leader]:
            return self._fit.copy()
        open_ = look.risk > self.rules.budget / max(1, len(self.endpoints) - 1)
        open_[look.leader] = True
        return np.asarray(open_ & self._fit)

    def _answers(self, leader: int) -> bool:
        return bool(shown_to_answer(self._ms[: self._rounds])[leader])


def shown_to_answer(ms: Values) -> Flags:
    """Of whom, per column of ``ms``, so few failures are unlikely at a tenth.

    The binomial distribution by its incomplete beta function, because failures that come in spells
    are worth only a part of their number.
    """
    failed, asked = counts(ms)
    worth = spell_worth(ms)
    k, n = worth * failed, worth * asked
    chance = betainc(np.maximum(n - k, 1e-9), k + 1, 1 - UNFIT_SHARE)
    return np.asarray((k < n) & (chance <= SHOWN))


def spell_worth(ms: Values) -> float:
    """The share of rounds, shape (rounds, endpoints), that says something new about failures.

    (1 − ρ)/(1 + ρ), with ρ the correlation of an endpoint's failing in one round and in the next,
    over all endpoints: 1 where failures are scattered or there are none.

    Source: G. Box, G. Jenkins and G. Reinsel, Time Series Analysis, 4th ed. (2008), § 2.1.6, for an
    autoregression of order one.
    """
    asked = ~np.isnan(ms)
    share = np.isinf(ms).sum(axis=0) / np.maximum(asked.sum(axis=0), 1)
    apart = np.where(asked, np.isinf(ms) - share, 0.0)
    spread = float((apart**2).sum())
    rho = float((apart[1:] * apart[:-1]).sum()) / spread if spread else 0.0
    return (1 - max(rho, 0.0)) / (1 + max(rho, 0.0))


def _fails_more(failed: Counts, asked: Counts, others: Counts, of: Counts) -> Flags:
    """Fisher's exact test, one-sided, of each column's failures against ``others`` of ``of``."""
    p = hypergeom.sf(failed - 1, of + asked, others + failed, asked)
    return np.asarray((p < FAILING) & (of > 0))


def replay(df: pd.DataFrame, rules: RaceRules | None = None) -> RaceVerdict:
    """The verdict that a race over stored rounds reaches; it takes only what it would have asked.

    ``df`` holds the rows of one stratum (`bench.stats.stratify`). Warm-ups and what was nobody's
    fault are missing. Rounds follow each other by run and number. Raises NotEnoughData without any.
    """
    strata = stratify(countable(df))
    if len(strata) > 1:
        raise ValueError(f"a race is run in one stratum, not in {len(strata)}")
    if not strata:
        raise NotEnoughData("There is no measured request to race with.")
    return replay_rounds(table(strata[0][1], strata[0][0]), rules)


def replay_rounds(rounds: pd.DataFrame, rules: RaceRules | None = None) -> RaceVerdict:
    """As `replay`, of rounds × endpoints as `bench.stats.pairs.table` has them."""
    race = Race([str(name) for name in rounds.columns], rules)
    for values in rounds.to_numpy(dtype=np.float64):
        if race.decided:
            break
        row = dict(zip(race.endpoints, values.tolist(), strict=True))
        race.add({name: row[name] for name in race.alive if not np.isnan(row[name])})
    return race.verdict()


FIXED_PLAN: tuple[tuple[float, int], ...] = ((15.0, 30), (8.5, 100), (0.0, 250))
"""(lead in percent from which, requests per endpoint) of a plan that fixes their number and then
takes the lowest median, wrong in at most 5 %: the reference's first row, 120/4 … 2000/8."""


def fixed_plan_requests(endpoints: int, lead_percent: float | None = None) -> int:
    """What the fixed plan would have cost; without a lead, the one that is safe for all leads."""
    lead = 0.0 if lead_percent is None else lead_percent
    each = next((n for least, n in FIXED_PLAN if lead >= least), FIXED_PLAN[-1][1])
    return endpoints * each
