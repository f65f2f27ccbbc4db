"""The summary in one cautious sentence.

One run is one sitting: the sentence compares what was measured here and now, and names a fastest
endpoint only when nothing speaks against it. A proper race is another question.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.model import GLOBAL
from bench.stats.cells import Cell
from bench.stats.fit import Field, field_of
from bench.stats.pairs import Difference
from bench.stats.strata import Stratum
from bench.stats.summary import Summary
from bench.units import format_ms

State = Literal[
    "faster",
    "slower",
    "no clear difference",
    "not enough data",
    "one for all",
    "one each",
    "undecided",
]
"""The last three are of several vantages (`bench.stats.places`)."""

SMALLEST_MS = 5.0
SMALLEST_PERCENT = 5.0
"""A lead below max(5 %, 5 ms) is none (reference: "Which region?")."""

MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """``faster``: a region leads. ``slower``: global leads, so every region is slower than it.

    The sentence has at most 30 words. ``endpoints`` are those it calls fastest, or equal;
    ``stratum`` is where it looked; ``failing`` are those set aside for failing too often.
    ``difference`` is the one that the answer rests on: of what leads to global, of global to what
    follows, or between the two lowest where global is not fit.
    """

    state: State
    sentence: str
    endpoints: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    stratum: Stratum | None = None
    difference: Difference | None = None


def answer(summary: Summary) -> Answer:
    """What the first stratum in which two endpoints were measured says, and no more."""
    stratum = main_stratum(summary)
    if len({one.vantage for one in summary.strata}) > 1:
        many = f"{len({one.vantage for one in summary.strata})} vantages"
        return Answer(
            "undecided", f"Each of {many} has its own answer: bench.places(df) tells them."
        )
    if stratum is None:
        return Answer("not enough data", "Not enough data: no request was measured.")
    field = field_of(summary.cells_in(stratum))
    rivals = [c for c in summary.contrasts if c.stratum == stratum and _among(c, field)]
    ties = tuple(c.endpoint for c in rivals if not _clear(c))
    failing = tuple(cell.endpoint for cell in field.failing)
    if len(field.fit) < 2 or all(c.ms.value_ms is None for c in rivals):
        return Answer("not enough data", _too_little(field), (), failing, stratum)
    best, found = field.fit[0].endpoint, _decisive(summary, stratum, field)
    if ties:
        text = _tied((best, *ties), field)
        return Answer("no clear difference", text, (best, *ties), failing, stratum, found)
    state: State = "slower" if best == GLOBAL else "faster"
    text = _leads(field, found) + _aside(field)
    return Answer(state, text + ".", (best,), failing, stratum, found)


def main_stratum(summary: Summary) -> Stratum | None:
    """The first stratum in which two endpoints were measured, else the first with any row."""
    counts = {s: sum(cell.n > 0 for cell in summary.cells_in(s)) for s in summary.strata}
    both = (s for s, n in counts.items() if n >= 2)
    some = (s for s, n in counts.items() if n)
    return next(both, None) or next(some, None)


def _among(contrast: Difference, field: Field) -> bool:
    names = [cell.endpoint for cell in field.fit]
    return contrast.endpoint in names and contrast.baseline in names


def _clear(rival: Difference) -> bool:
    """Whether the rival is slower than the leader: beyond chance, and by enough to matter."""
    ms, percent = rival.ms.value_ms, rival.percent.value_percent
    big = (ms or 0) >= SMALLEST_MS and (percent or 0) >= SMALLEST_PERCENT
    return rival.direction > 0 and big


def _too_little(field: Field) -> str:
    if field.failing and not field.few and len(field.fit) < 2:
        rest = f"; only {field.fit[0].endpoint} is left" if field.fit else ""
        return f"Not enough data: too many requests failed ({_rates(field.failing)}){rest}."
    if len(field.fit) == 1 and not field.few and not field.failing:
        name = field.fit[0].endpoint
        return f"Not enough data: {name} is the only endpoint that was measured."
    fewest = min((cell.n_latency for cell in (*field.fit, *field.few)), default=0)
    return f"Not enough data: {fewest} requests per endpoint cannot tell endpoints apart."


def _tied(names: Sequence[str], field: Field) -> str:
    slower = [cell.endpoint for cell in field.fit if cell.endpoint not in names]
    behind = f"; slower: {_list(slower)}" if slower else ""
    return f"No clear difference between {_list(names)}{behind}{_aside(field)}."


def _decisive(summary: Summary, stratum: Stratum, field: Field) -> Difference | None:
    """Between the leader and global; where global leads, between the next and global."""
    best, following = field.fit[0].endpoint, field.fit[1].endpoint
    found = summary.difference(stratum, following if best == GLOBAL else best)
    if found is not None and any(cell.endpoint == GLOBAL for cell in field.fit):
        return found
    rivals = (c for c in summary.contrasts if (c.stratum, c.endpoint) == (stratum, following))
    return next(rivals, None)


def _leads(field: Field, found: Difference | None) -> str:
    best, following = field.fit[0].endpoint, field.fit[1].endpoint
    if best == GLOBAL:
        return f"global leads; {following}, the next, is slower by {_size(found)}"
    if found is not None and found.baseline == GLOBAL:
        return f"{best} is faster than global by {_size(found)}"
    return f"{best} is faster than {following}, the next, by {_size(found)}"


def _size(found: Difference | None) -> str:
    """``30.1 ms (27 %), paired by round (25.0–35.2 ms, n = 100)``."""
    if found is None or found.ms.value_ms is None:
        return "an unknown amount"
    ends = sorted(abs(end) for end in (found.ms.low_ms, found.ms.high_ms) if end is not None)
    span = format_span(ends[0], ends[-1])
    percent = found.percent.value_percent
    share = f" ({abs(percent):.0f} %)" if percent is not None and math.isfinite(percent) else ""
    size = format_ms(abs(found.ms.value_ms))
    return f"{size}{share}, paired by round ({span}, n = {found.n_pairs})"


def format_span(low_ms: float, high_ms: float) -> str:
    """``25.0–35.2 ms``: two ends, and the unit once where both have the same."""
    low, high = ("> timeout" if math.isinf(end) else format_ms(end) for end in (low_ms, high_ms))
    unit = high[high.rfind(" ") :]
    return f"{low.removesuffix(unit)}–{high}" if "timeout" not in low + high else f"{low} to {high}"


def _aside(field: Field) -> str:
    return f"; failing: {_rates(field.failing)}" if field.failing else ""


def _rates(cells: Sequence[Cell]) -> str:
    return _list(
        [f"{cell.endpoint} {100 * (cell.failures.share or 0):.0f} %" for cell in cells[:2]]
    )


def _list(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMES:
        names = [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
