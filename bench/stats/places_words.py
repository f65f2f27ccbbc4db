"""What is said of several vantages: the answer of each, and the compromise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench import words
from bench.stats.quantiles import Estimate
from bench.stats.race_verdict import RaceVerdict
from bench.units import format_ms

if TYPE_CHECKING:
    from bench.stats.places import Compromise, Places

MOST = 3
"""Vantages that a sentence names one by one."""


def sentence(found: Places) -> str:
    """One for all, one each, or undecided, with what the compromise costs."""
    if len(found.vantages) == 1:
        (name,) = found.vantages
        return f"One vantage, {name}: {choice(found.races[name])}."
    if found.kind == "one" and found.minimax is not None:
        size = format_ms(found.margin_ms)
        first = found.minimax.candidates[0]
        many = f"One for all {len(found.vantages)} vantages"
        return f"{many}: {first}, nowhere slower than the fastest by more than {size}."
    if found.kind == "each":
        return f"One each: {_each(found)}; {_compromise(found)}."
    open_ = f"Undecided whether one endpoint serves all {len(found.vantages)} vantages"
    return f"{open_}; {_compromise(found)}."


def _each(found: Places) -> str:
    by: dict[str, list[str]] = {}
    for place, race in found.races.items():
        by.setdefault(race.best or "undecided", []).append(place)
    if len(found.vantages) > MOST:
        return ", ".join(f"{name} from {len(own)}" for name, own in by.items())
    return ", ".join(f"{name} from {' and '.join(own)}" for name, own in by.items())


def _compromise(found: Places) -> str:
    if found.minimax is None:
        return "no endpoint serves every vantage"
    if found.minimax.endpoint is None:
        return f"the compromise is {_open(found.minimax.candidates)}"
    cost = found.minimax.cost
    return (
        f"the compromise, {found.minimax.endpoint}, costs up to {_ms(cost.value_ms)} ({span(cost)})"
    )


def choice(race: RaceVerdict) -> str:
    """``eu-west-1, 41.2 ms ahead of us (35.0–47.1 ms)``, or between whom it is undecided."""
    if race.best is None:
        return _open(race.endpoints)
    if race.kind == "equivalent":
        return f"{race.best}, as good as {_listed([n for n in race.endpoints if n != race.best])}"
    lead = race.lead_ms
    if lead is None or lead.value_ms is None or race.next_best is None:
        return race.best
    return f"{race.best}, {_ms(lead.value_ms)} ahead of {race.next_best} ({span(lead)})"


def rules(found: Places) -> list[str]:
    """A sentence for each compromise, and one for each endpoint that cannot be one."""
    weights = list(found.weights.values())
    made = [one for one in (found.minimax, found.mean) if one is not None]
    told = [f"{rule(one, weights)}: {named(one)}, {_worth(one)}" for one in made]
    told += [f"{name} cannot serve every vantage: {why}" for name, why in found.unfit.items()]
    return told + [f"nothing of this was measured from {name}" for name in found.missing]


def _worth(found: Compromise) -> str:
    size = f"{_ms(found.cost.value_ms)} ({span(found.cost)})"
    if found.endpoint:
        return f"{size}; risk {chance(found.wrong)}"
    return f"{found.candidates[0]} looks best and costs {size}"


def rule(found: Compromise, weights: Sequence[float]) -> str:
    """``smallest largest cost``: what a compromise is the best of."""
    if found.rule == "minimax":
        return "smallest largest cost"
    alike = len({round(weight, 9) for weight in weights}) == 1
    return "smallest mean cost" if alike else "smallest weighted cost"


def named(found: Compromise) -> str:
    """The endpoint, or between whom it is undecided."""
    if found.endpoint is None or found.wrong is None:
        return _open(found.candidates)
    return found.endpoint


def _open(names: Sequence[str]) -> str:
    """Between whom it is undecided; one alone has yet to be shown to answer."""
    if len(names) == 1:
        return f"undecided: {names[0]} may fail too often"
    return f"undecided between {_listed(names)}" if names else "undecided"


def chance(wrong: float | None) -> str:
    """``0.4 %``, ``< 0.1 %``, or a dash where nobody is named."""
    if wrong is None:
        return words.UNKNOWN
    return "<\u00a00.1\u00a0%" if wrong < 0.001 else f"{100 * wrong:.1f} %"


def span(found: Estimate) -> str:
    """``35.0–47.1 ms``."""
    return words.interval({"low_ms": found.low_ms, "high_ms": found.high_ms})


def _ms(value: float | None) -> str:
    return words.ms_or_dash(value)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nobody"
