"""Two variants beside each other for a terminal: at most 80 columns, the answer last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.report.verdict import text
from bench.stats import verdict_words as words
from bench.stats.verdict import Judged, Verdict
from bench.words import clean

_COLUMNS = (26, 10, 10, 13, 21)
_HEAD = ("", "A", "B", "change", "interval")


def render(verdict: Verdict, by: str, sentence: str) -> str:
    """A table per stratum, what could have been seen, cautions, and the sentence."""
    blocks = [text.wrap(f"A: {clean(verdict.a)}") + text.wrap(f"B: {clean(verdict.b)}")]
    for title in dict.fromkeys(_common(one, by, verdict) for one in verdict.judged):
        members = [one for one in verdict.judged if _common(one, by, verdict) == title]
        blocks.append([*text.wrap(title), text.line(_HEAD, _COLUMNS), *_rows(members)])
    seen = [f"{one[0].upper()}{one[1:]}." for one in words.detectable(verdict.judged)]
    blocks += [[line for one in seen for line in text.wrap(one)]]
    blocks += [[*text.cautions((verdict,))], text.wrap(sentence)]
    return text.inert("\n\n".join("\n".join(block) for block in blocks if block)) + "\n"


def _common(one: Judged, by: str, verdict: Verdict) -> str:
    """The stratum without what tells the two apart."""
    if by in ("arm", "model"):
        return str(replace(one.stratum, arm=None, model=None))
    both = f"{verdict.a} and {verdict.b}"
    return str(replace(one.stratum, client=both) if by == "client" else one.stratum)


def _rows(cells: Sequence[Judged]) -> Iterator[str]:
    for one in cells:
        sides = (words.value(one, one.baseline), words.value(one, one.observed))
        change = (words.change(one, one.change), _interval(one))
        yield text.line((words.short(one), *sides, *change), _COLUMNS)
        if one.state != "ok":
            yield from text.wrap(words.because(one), "  ", "    ")


def _interval(one: Judged) -> str:
    """``-3 % to +12 %`` in as little room as it takes."""
    unit = " points" if one.measure == "failure_rate" else " %"
    return words.interval(one).replace(f"{unit} to", " to").replace(" points", " pt")
