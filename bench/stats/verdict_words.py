"""One verdict, or several, in words that every output shares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.model import Caution
from bench.stats.verdict import Judged, State, Verdict
from bench.units import format_ms
from bench.words import UNKNOWN, clean, minus, percent

Verdicts = Sequence[Verdict]
"""What was judged of one candidate: against history, against objectives, against a variant."""

ORDER: tuple[State, ...] = ("regressed", "inconclusive", "ok")
"""What a reader must see first."""


def state(verdicts: Verdicts) -> State:
    """Regressed if any verdict is; ok only if every one is and there is one."""
    states = {verdict.state for verdict in verdicts}
    if "regressed" in states:
        return "regressed"
    return "ok" if states == {"ok"} else "inconclusive"


def cells(verdicts: Verdicts) -> list[Judged]:
    """All cells, in `ORDER`; within a state as they came."""
    found = [one for verdict in verdicts for one in verdict.judged]
    return sorted(found, key=lambda one: ORDER.index(one.state))


def cautions(verdicts: Verdicts) -> list[Caution]:
    """Each caution once."""
    return list(dict.fromkeys(c for verdict in verdicts for c in verdict.cautions))


def missing(verdicts: Verdicts) -> list[str]:
    """Endpoints of which not one request was measured in any cell, each vantage by itself."""
    found = cells(verdicts)
    measured = {_whence(one) for one in found if one.n}
    return list(dict.fromkeys(_whence(one) for one in found if _whence(one) not in measured))


def _whence(one: Judged) -> str:
    """``us-east-1``, or where there are several vantages ``us-east-1 from fra``."""
    return f"{one.endpoint}{place(one)}"


def short(one: Judged) -> str:
    """``us-east-1 failure rate``: the cell without its stratum, yet with its vantage."""
    return clean(f"{one.endpoint} {label(one)}{place(one)}")


def place(one: Judged) -> str:
    """`` from fra`` where there are several vantages."""
    return f" from {clean(one.stratum.vantage)}" if one.stratum.vantage else ""


def label(one: Judged) -> str:
    """``p50``, ``failure rate``, or the objective as it was promised."""
    return one.objective or one.measure.replace("_", " ")


def value(one: Judged, number: float | None) -> str:
    """``412 ms``, ``> timeout``, ``1.3 %`` or a dash, as the cell's measure wants it."""
    if number is None or math.isnan(number):
        return UNKNOWN
    if one.measure == "failure_rate":
        return percent(number) if math.isfinite(number) else UNKNOWN
    return "> timeout" if math.isinf(number) else format_ms(number)


def change(one: Judged, number: float | None) -> str:
    """``+31 %``, in failure rates ``+2.5 points``; a dash where it is not known."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    digits, unit = (1, "points") if one.measure == "failure_rate" else (0, "%")
    rounded = round(100 * number, digits)
    return minus(f"{rounded:+.{digits}f} {unit}" if rounded else f"0 {unit}")


def interval(one: Judged) -> str:
    """``+18 % to +44 %``; one end alone, or a dash, where the other is not known or infinite."""
    low, high = change(one, one.low), change(one, one.high)
    if UNKNOWN not in (low, high):
        return f"{low} to {high}"
    if low == high:
        return UNKNOWN
    return f"≥ {low}" if high == UNKNOWN else f"≤ {high}"


def moved(one: Judged) -> str:
    """``410 ms → 537 ms (+31 %)`` or what is known of that; an objective names its bound itself."""
    now = value(one, one.observed)
    sides = f"measured {now}" if one.objective else f"{value(one, one.baseline)} → {now}"
    size = change(one, one.change)
    return sides if size == UNKNOWN else f"{sides} ({size})"


def because(one: Judged) -> str:
    """The state with its reason: ``regressed, confirmed``, ``inconclusive: no baseline yet``."""
    seen = {True: ", confirmed", False: ", not confirmed", None: ""}[one.confirmed]
    reason = f": {clean(one.reason)}" if one.reason else ""
    return f"{one.state}{seen}{reason}"


def sentence(verdicts: Verdicts) -> str:
    """The whole in one sentence; every output carries the same one."""
    found = cells(verdicts)
    if not found:
        return "Undecided: there was nothing to judge."
    say = {"regressed": _regressed, "inconclusive": _undecided, "ok": _passed}
    return say[state(verdicts)](verdicts, found)


def _regressed(verdicts: Verdicts, found: Sequence[Judged]) -> str:
    worse = [one for one in found if one.state == "regressed"]
    first = worse[0]
    seen = ", confirmed by a fresh measurement" if first.confirmed else ""
    rest = f"; {_plural(len(worse) - 1, 'more cell')}" if len(worse) > 1 else ""
    return f"Regressed: {short(first)}, {moved(first)}{seen}{rest}."


def _undecided(verdicts: Verdicts, found: Sequence[Judged]) -> str:
    groups = reasons(found)
    if not groups:
        empty = next(verdict for verdict in verdicts if not verdict.judged)
        return f"Undecided: there was nothing to judge against {clean(empty.a)}."
    reason, members = groups[0]
    where = _where(members, found)
    rest = len(groups) - 1
    more = f"; {_plural(rest, 'other reason')}" if rest else ""
    return f"Undecided: {where}{reason or 'the reason is not known'}{more}."


def _where(members: Sequence[Judged], found: Sequence[Judged]) -> str:
    if len(members) == len(found):
        return ""
    if len(members) == 1:
        return f"{short(members[0])}: "
    return f"{len(members)} of {len(found)} cells: "


def _passed(verdicts: Verdicts, found: Sequence[Judged]) -> str:
    names = [clean(name) for name in dict.fromkeys(verdict.a for verdict in verdicts)]
    told = "; ".join(detectable(found)[:1])
    seen = f"; {told}" if told else ""
    return f"No regression in {_plural(len(found), 'cell')} against {' and '.join(names)}{seen}."


def reasons(found: Sequence[Judged]) -> list[tuple[str, list[Judged]]]:
    """The inconclusive cells by their reason, the most frequent first."""
    groups: dict[str, list[Judged]] = {}
    for one in found:
        if one.state == "inconclusive":
            groups.setdefault(clean(one.reason), []).append(one)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def detectable(found: Sequence[Judged]) -> list[str]:
    """``a rise of 22 % in p50 would have been found``, one a measure: the least sensitive cell.

    Objectives say nothing here: their measure is the bound and not what was before.
    """
    return list(_detectable([one for one in found if not one.objective]))


def _detectable(found: Sequence[Judged]) -> Iterator[str]:
    for measure in dict.fromkeys(one.measure for one in found):
        same = [one for one in found if one.measure == measure]
        known = [one for one in same if change(one, one.detectable) != UNKNOWN]
        if known:
            worst = max(known, key=lambda one: one.detectable or 0.0)
            size = change(worst, worst.detectable).removeprefix("+")
            yield f"a rise of {size} in {label(worst)} would have been found, 4 times in 5"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
