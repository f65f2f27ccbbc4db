"""Which endpoint from where, and one for all vantages or one each?

Every vantage has a race of its own (`bench.stats.race`); all of them together are wrong at most as
often as one race may be. The compromise is `bench.stats.compromise`'s.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import NotEnoughData, UsageError
from bench.stats import encode, places_words
from bench.stats.cells import cells_of
from bench.stats.compromise import (
    CLAIMS,
    Kind,
    Named,
    Rule,
    Tour,
    by_mean,
    by_minimax,
    kind_of,
    mean_cost,
)
from bench.stats.costs import Cost, cost_at, costs_of, estimated, largest
from bench.stats.fit import field_of
from bench.stats.metrics import countable
from bench.stats.pairs import table
from bench.stats.quantiles import LEVEL, Estimate
from bench.stats.race import RaceRules, replay, shown_to_answer
from bench.stats.race_verdict import RaceVerdict
from bench.stats.sites import site
from bench.stats.strata import Stratum, order, runs_of, stratify
from bench.stats.vantages import by_vantage

_LOOKS = ("history", "eliminations")
"""What a race remembers of each look: much, and its rows tell it again."""


@dataclass(frozen=True, slots=True)
class Compromise:
    """One endpoint for every vantage by one rule.

    ``endpoint`` is None where the rows cannot tell; ``candidates`` are then those it may be, else
    the one alone. ``cost`` is the largest (minimax) or the weighted mean cost of the first of them;
    ``wrong`` the chance that another candidate is better by more than the margin.
    """

    rule: Rule
    endpoint: str | None
    candidates: tuple[str, ...]
    cost: Estimate
    wrong: float | None


@dataclass(frozen=True, slots=True)
class Places:
    """The answer per vantage, and the compromise between them.

    ``races`` are the vantages' own, together wrong in at most ``error``; ``kind`` is one endpoint
    for all, one each, or undecided (`bench.stats.compromise.Kind`). ``margin_ms`` is what counts as
    no difference; ``unfit``: endpoint → why it cannot serve every vantage; ``missing`` vantages
    have no rows of it. ``minimax`` and ``mean`` are None where no endpoint can.
    """

    stratum: Stratum
    weights: Mapping[str, float]
    races: Mapping[str, RaceVerdict]
    kind: Kind
    minimax: Compromise | None
    mean: Compromise | None
    costs: tuple[Cost, ...]
    unfit: Mapping[str, str]
    missing: tuple[str, ...]
    margin_ms: float
    error: float
    level: float = LEVEL

    @property
    def vantages(self) -> tuple[str, ...]:
        """In order of name."""
        return tuple(self.races)

    @property
    def decided(self) -> bool:
        """Whether every vantage has an answer, and one for all or else both compromises."""
        named = [one is not None and one.endpoint is not None for one in (self.minimax, self.mean)]
        told = self.kind == "one" or (self.kind == "each" and all(named))
        return (
            told
            and not self.missing
            and all(race.kind != "undecided" for race in self.races.values())
        )

    def cost(self, vantage: str, endpoint: str) -> Cost | None:
        """What an endpoint costs at a vantage; None where it cannot be used."""
        found = (c for c in self.costs if (c.vantage, c.endpoint) == (vantage, endpoint))
        return next(found, None)

    @property
    def sentence(self) -> str:
        """The answer in at most 30 words and the names."""
        return places_words.sentence(self)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only: what is unknown or infinite is None."""
        found: dict[str, Any] = encode.plain(self)
        races = [
            {"vantage": name, **_without_looks(found["races"][name]), **_said(race)}
            for name, race in self.races.items()
        ]
        told = {"decided": self.decided, "sentence": self.sentence}
        return found | told | {"races": races, "rules": places_words.rules(self)}

    def _repr_html_(self) -> str:
        from bench.stats import cards  # knows every result, so none of them may know it earlier

        return cards.places_card(self)


def places(
    df: pd.DataFrame,
    rules: RaceRules | None = None,
    weights: Mapping[str, float] | None = None,
) -> Places:
    """Which endpoint from each vantage of a tidy frame, and what one for all of them costs.

    Looks at the first stratum that most vantages measured. ``rules`` are those of each race, and
    their margin and error those of the compromise; ``weights``: vantage → how much it counts in the
    mean, any scale, by default all alike. Raises NotEnoughData without a
    request, and UsageError for weights of other vantages.
    """
    rules = rules or RaceRules()
    stratum, rows, missing = _common(df)
    shares = _shares(tuple(rows), weights)
    one = replace(rules, error=rules.error / len(rows))
    races = {name: replay(part, one) for name, part in rows.items()}
    names = sorted({name for race in races.values() for name in race.failures})
    rounds = {name: table(part, stratum).reindex(columns=names) for name, part in rows.items()}
    unfit = _unfit(names, rows, stratum)
    tour = _tour(names, rounds, shares, unfit, rules)
    made = (_minimax, _mean) if tour.candidates else ()
    minimax, mean = (rule(tour, names) for rule in made) if made else (None, None)
    return Places(
        stratum=stratum,
        weights=shares,
        races=races,
        kind=kind_of(tour)[0] if tour.candidates else "each",
        minimax=minimax,
        mean=mean,
        costs=tuple(costs_of(tour, names, rounds)),
        unfit={name: why for name in names if (why := _why(name, unfit))},
        missing=missing,
        margin_ms=tour.margin_ms,
        error=rules.error,
    )


def _without_looks(race: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in race.items() if key not in _LOOKS}


def _said(race: RaceVerdict) -> dict[str, str]:
    return {"words": places_words.choice(race), "chance": places_words.chance(race.wrong)}


def _common(df: pd.DataFrame) -> tuple[Stratum, dict[str, pd.DataFrame], tuple[str, ...]]:
    """The first stratum that most vantages have, the rows of each, and who has none."""
    strata = {name: dict(_strata(part)) for name, part in by_vantage(df).items()}
    counts = Counter(stratum for own in strata.values() for stratum in own)
    if not counts:
        raise NotEnoughData("There is no measured request to race with.")
    most = max(counts.values())
    stratum = min((s for s, count in counts.items() if count == most), key=order)
    rows = {name: own[stratum] for name, own in strata.items() if stratum in own}
    return stratum, rows, tuple(name for name in strata if name not in rows)


def _strata(df: pd.DataFrame) -> list[tuple[Stratum, pd.DataFrame]]:
    return stratify(countable(df), runs_of(df), by_vantage=False)


def _shares(names: Sequence[str], weights: Mapping[str, float] | None) -> dict[str, float]:
    """Weights that sum to 1, one for each vantage."""
    given = dict.fromkeys(names, 1.0) if weights is None else dict(weights)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise UsageError(f"weights: no vantage {name!r}; {hint}")
    if missing := [name for name in names if name not in given]:
        raise UsageError(f"weights: {', '.join(missing)} has none; write 0 to leave a vantage out")
    total = sum(given.values())
    if not all(math.isfinite(w) and w >= 0 for w in given.values()) or total <= 0:
        raise UsageError("weights: write numbers of 0 or more, and one above 0")
    return {name: given[name] / total for name in names}


Unfit = Mapping[str, Mapping[str, str]]
"""Vantage → endpoint → why it cannot be used there."""


def _unfit(names: Sequence[str], rows: Mapping[str, pd.DataFrame], stratum: Stratum) -> Unfit:
    found: dict[str, dict[str, str]] = {}
    for place, part in rows.items():
        field = field_of(cells_of(stratum, part, []))
        fit = {cell.endpoint for cell in field.fit}
        why = dict.fromkeys((c.endpoint for c in field.failing), "fails too often")
        why |= dict.fromkeys((c.endpoint for c in field.few), "too few requests")
        found[place] = {name: why.get(name, "not measured") for name in names if name not in fit}
    return found


def _why(name: str, unfit: Unfit) -> str:
    return "; ".join(f"{own[name]} from {place}" for place, own in unfit.items() if name in own)


def _tour(
    names: Sequence[str],
    rounds: Mapping[str, pd.DataFrame],
    shares: Mapping[str, float],
    unfit: Unfit,
    rules: RaceRules,
) -> Tour:
    ms = [one.to_numpy(dtype=np.float64) for one in rounds.values()]
    sites = [site(one, rules.timeout_ms) for one in ms]
    fit = np.array([[name not in unfit[place] for name in names] for place in rounds])
    lowest = [float(s.ms[own].min()) for s, own in zip(sites, fit, strict=True) if own.any()]
    if len(lowest) < len(sites):
        fit[:] = False
    margin = max(rules.within * float(np.mean(lowest or [0.0])), rules.within_ms)
    answers = np.array([shown_to_answer(one) for one in ms])
    return Tour(sites, list(shares.values()), fit, answers, margin, rules.error)


def _minimax(tour: Tour, names: Sequence[str]) -> Compromise:
    found = by_minimax(tour)
    each = [cost_at(tour, at, found.leader) for at in range(len(tour.sites))]
    return _compromise("minimax", tour, found, names, largest(each))


def _mean(tour: Tour, names: Sequence[str]) -> Compromise:
    found = by_mean(tour)
    return _compromise("mean", tour, found, names, estimated(mean_cost(tour, found.leader), tour))


def _compromise(
    rule: Rule, tour: Tour, found: Named, names: Sequence[str], cost: Estimate
) -> Compromise:
    allowed = tour.error / CLAIMS
    named = found.wrong <= allowed
    open_ = [k for k, risk in found.risks.items() if risk > allowed]
    candidates = (found.leader,) if named else (found.leader, *open_)
    return Compromise(
        rule,
        names[found.leader] if named else None,
        tuple(names[k] for k in candidates),
        cost,
        found.wrong if named else None,
    )
