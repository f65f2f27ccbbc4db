"""How far the gate can be trusted here, in words: false alarms and what would be found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.verdict import text
from bench.stats.rates import Rate
from bench.stats.selfcheck import Checked, Mode, SelfCheck
from bench.words import UNKNOWN, clean, minus

_COLUMNS = (30, 8, 14, 14, 14)
_HEAD = ("cell", "n", "false alarms", "95 % interval", "finds from")


@dataclass(frozen=True, slots=True)
class _Part:
    """One mode: its key, what was done, and what one comparison of it is called."""

    mode: Mode
    title: str
    noun: str


_PARTS = (
    _Part("history", "Against history: each stored batch judged by the others", "batches"),
    _Part("variants", "Between variants: the rounds dealt to two equal sides", "deals"),
)


def render(found: SelfCheck) -> str:
    """A table a mode and stratum, what is missing, and the answer in one sentence, last."""
    blocks = [block for part in _PARTS for block in _tables(found, part)]
    blocks += [[line for one in found.untold for line in text.wrap(one, "! ", "  ")]]
    blocks += [text.wrap(sentence(found))]
    return text.inert("\n\n".join("\n".join(block) for block in blocks if block)) + "\n"


def sentence(found: SelfCheck) -> str:
    """``False alarms in 0 of 14 batches (0–22 %); a rise of 18 % in p50 is found 4 times in 5.``"""
    for part in _PARTS:
        rate = _any(found, part.mode)
        if rate is not None:
            return f"False alarms in {_counted(rate, part.noun)}{_smallest(found, part.mode)}."
    return "Not enough data: there are too few requests to deal, and too few batches to judge."


def _any(found: SelfCheck, mode: Mode) -> Rate | None:
    return found.any_history if mode == "history" else found.any_variant


def _counted(rate: Rate, noun: str) -> str:
    return f"{rate.failed} of {rate.n} {noun} ({_interval(rate)})"


def _smallest(found: SelfCheck, mode: Mode) -> str:
    """The least sensitive p50: what is promised must hold for every endpoint."""
    cells = [one for one in found.cells if one.mode == mode and one.measure == "p50"]
    known = [one for one in cells if one.detectable is not None]
    if not known:
        return ""
    worst = max(known, key=lambda one: one.detectable or 0.0)
    size = _change(worst).removeprefix("+")
    return f"; a rise of {size} in p50 is found 4 times in 5, on every endpoint"


def _tables(found: SelfCheck, part: _Part) -> Iterator[list[str]]:
    rate = _any(found, part.mode)
    if rate is None:
        return
    yield text.wrap(f"{part.title}; {_counted(rate, part.noun)} had any alarm")
    cells = [one for one in found.cells if one.mode == part.mode]
    for stratum in dict.fromkeys(one.stratum for one in cells):
        rows = _rows([one for one in cells if one.stratum == stratum])
        yield [*text.wrap(str(stratum)), text.line(_HEAD, _COLUMNS), *rows]


def _rows(cells: Sequence[Checked]) -> Iterator[str]:
    for one in cells:
        name = clean(f"{one.endpoint} {one.measure.replace('_', ' ')}")
        alarms = f"{one.alarms.failed} of {one.alarms.n}"
        row = (name, str(one.n), alarms, _interval(one.alarms), _change(one))
        yield text.line(row, _COLUMNS)


def _interval(rate: Rate) -> str:
    if rate.low is None or rate.high is None:
        return UNKNOWN
    return f"{100 * rate.low:.0f}–{100 * rate.high:.0f} %"


def _change(one: Checked) -> str:
    if one.detectable is None:
        return UNKNOWN
    if one.measure == "failure_rate":
        return minus(f"{100 * one.detectable:+.1f} points")
    return minus(f"{100 * one.detectable:+.0f} %")
