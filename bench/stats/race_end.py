"""From the last look to the verdict: what may be said, and what may not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from bench.stats.pairs import Percent
from bench.stats.quantiles import LEVEL, Estimate, Values
from bench.stats.race_scores import Flags, Look, Margin
from bench.stats.race_verdict import Elimination, RaceKind, RaceVerdict, Standing
from bench.stats.rates import rate

BEYOND_CHANCE = 3.5
"""Standard errors from which an endpoint is called slower. Races between equals that stop have the
leader 1.8 ahead of the next (2.6 in one of a hundred), because they stop when somebody leads."""

Counts = npt.NDArray[np.int64]

_Z = float(ndtri(0.5 + LEVEL / 2))


@dataclass(frozen=True, slots=True)
class Facts:
    """Where a race stands. ``ms`` has shape (rounds, endpoints); flags have shape (endpoints,)."""

    endpoints: tuple[str, ...]
    margin: Margin
    budget: float
    inflation: float
    ms: Values
    fit: Flags
    open: Flags
    looks: tuple[tuple[int, Look], ...]

    def names(self, flags: Flags) -> tuple[str, ...]:
        """The endpoints whose flag is up."""
        return tuple(name for name, up in zip(self.endpoints, flags, strict=True) if up)


def counts(ms: Values) -> tuple[Counts, Counts]:
    """Per column: how many failed, and how many were asked."""
    return np.isinf(ms).sum(axis=0), (~np.isnan(ms)).sum(axis=0)


def conclude(facts: Facts, known: bool) -> RaceVerdict:
    """The verdict on a race that stopped because the answer is ``known``, or that did not."""
    look = facts.looks[-1][1] if facts.looks else None
    if look is None or not known:
        return _verdict(facts, look, "undecided", _candidates(facts, look))
    beaten = _beaten(facts, look)
    near = _equivalent(facts, look)
    others = facts.fit & (np.arange(len(near)) != look.leader)
    if near.any() and not (others & ~near & ~beaten).any():
        return _verdict(facts, look, "equivalent", _with(near, look.leader))
    if others.any() and (others & ~beaten).any():
        return _verdict(facts, look, "choice", _with(others & ~beaten, look.leader))
    kind: RaceKind = "winner" if len(facts.endpoints) > 1 else "choice"
    return _verdict(facts, look, kind, _with(np.zeros_like(near), look.leader))


def _with(flags: Flags, leader: int) -> Flags:
    found = flags.copy()
    found[leader] = True
    return found


def _candidates(facts: Facts, look: Look | None) -> Flags:
    """Between whom a race is undecided; where only the leader's reliability is open, all of them"""
    alone = facts.open.sum() <= 1
    return facts.fit & ~_beaten(facts, look) if alone and look is not None else facts.open


def _beaten(facts: Facts, look: Look) -> Flags:
    with np.errstate(invalid="ignore"):
        return np.asarray(look.behind / look.error >= BEYOND_CHANCE) & facts.fit


def _equivalent(facts: Facts, look: Look) -> Flags:
    """Who was shown to be within the margin on both sides, each at its share of the budget."""
    mu = facts.margin.log(_leader_ms(facts, look))
    share = facts.budget / max(1, len(facts.endpoints) - 1)
    with np.errstate(invalid="ignore"):
        near = (ndtr((look.behind - mu) / look.error) <= share) & (look.risk <= share)
    near[look.leader] = False
    return np.asarray(near & facts.fit)


def _leader_ms(facts: Facts, look: Look) -> float:
    column = facts.ms[:, look.leader]
    answered = column[np.isfinite(column)]
    return float(np.median(answered)) if len(answered) else math.inf


def _verdict(facts: Facts, look: Look | None, kind: RaceKind, among: Flags) -> RaceVerdict:
    failed, asked = counts(facts.ms)
    named = look is not None and kind != "undecided"
    following = _next_best(facts, look) if named and look is not None else None
    lead = _lead(facts, look, following) if look is not None and following is not None else None
    return RaceVerdict(
        kind=kind,
        best=facts.endpoints[look.leader] if named and look is not None else None,
        endpoints=facts.names(among),
        beaten=facts.names(_beaten(facts, look)) if named and look is not None else (),
        next_best=None if following is None else facts.endpoints[following],
        lead_ms=None if lead is None else lead[0],
        lead_percent=None if lead is None else lead[1],
        wrong=_wrong(facts, look) if named and look is not None else None,
        margin_percent=_measured_margin(look, among),
        failures={n: rate(int(failed[i]), int(asked[i])) for i, n in enumerate(facts.endpoints)},
        rounds=len(facts.ms),
        requests=int(asked.sum()),
        eliminations=_eliminations(facts),
        history=tuple(one for at, seen in facts.looks for one in _standings(facts, at, seen)),
    )


def _wrong(facts: Facts, look: Look) -> float:
    return min(1.0, facts.inflation * float(look.risk[facts.fit].sum()))


def _next_best(facts: Facts, look: Look) -> int | None:
    behind = np.where(facts.fit & ~np.isnan(look.behind), look.behind, np.inf)
    behind[look.leader] = np.inf
    return int(behind.argmin()) if np.isfinite(behind).any() else None


def _lead(facts: Facts, look: Look, following: int) -> tuple[Estimate, Percent]:
    """How much longer the next best takes, as percent and in ms of the leader's median."""
    m, s = look.behind[following], look.error[following]
    value, low, high = (math.expm1(m + z * s) for z in (0.0, -_Z, _Z))
    at = _leader_ms(facts, look)
    ms = Estimate(value * at, low * at, high * at)
    return ms, Percent(100 * value, 100 * low, 100 * high)


def _measured_margin(look: Look | None, among: Flags) -> float | None:
    if look is None or among.sum() < 2 or not among[look.leader]:
        return None
    others = among & (np.arange(len(among)) != look.leader)
    widest = np.max(np.abs(look.behind[others]) + _Z * look.error[others])
    return None if np.isnan(widest) else 100 * math.expm1(float(widest))


def _eliminations(facts: Facts) -> tuple[Elimination, ...]:
    out = []
    for i, name in enumerate(facts.endpoints):
        rounds = np.flatnonzero(~np.isnan(facts.ms[:, i]))
        last = int(rounds[-1]) + 1 if len(rounds) else 0
        if not facts.fit[i]:
            out.append(Elimination(name, last, "failures"))
        elif not facts.open[i]:
            out.append(Elimination(name, last, "no faster"))
    return tuple(sorted(out, key=lambda one: one.round))


def _standings(facts: Facts, at: int, look: Look) -> list[Standing]:
    leader = facts.endpoints[look.leader]
    return [
        Standing(at, name, leader, m, s, m - _Z * s, m + _Z * s, risk)
        for name, m, s, risk in zip(
            facts.endpoints,
            look.behind.tolist(),
            look.error.tolist(),
            look.risk.tolist(),
            strict=True,
        )
        if not math.isnan(m + s)
    ]
