"""Verdicts as GitHub's step summary: Markdown, the verdict first, never too long to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.markdown import escape
from bench.stats import verdict_words as words
from bench.stats.verdict import Judged
from bench.stats.verdict_words import Verdicts

ROWS = 10
"""Rows in sight; the others are folded away."""

BYTES = 64_000
"""GitHub drops a summary beyond 1 MiB without a word; people stop reading long before."""

_HEAD = ("cell", "baseline", "now", "change", "interval", "detectable", "verdict")
_SIGN = {"regressed": "❌", "ok": "✅", "inconclusive": "⚠️"}


def render(verdicts: Verdicts) -> str:
    """Sentence, table, what could have been detected, cautions with their commands."""
    found = words.cells(verdicts)
    parts = [
        f"## {_SIGN[words.state(verdicts)]} {escape(words.sentence(verdicts))}",
        escape("; ".join(f"{verdict.b} against {verdict.a}" for verdict in verdicts)),
        *_table(found[:ROWS]),
        *_detectable(found),
        *_cautions(verdicts),
    ]
    return _folded("\n\n".join(filter(None, parts)) + "\n", found[ROWS:])


def _folded(shown: str, rest: Sequence[Judged]) -> str:
    """With as many of the other rows, folded, as there is room for."""
    opening = f"\n<details><summary>{len(rest)} more cells</summary>\n\n"
    closing = "\n</details>\n"
    while rest:
        whole = shown + opening + "\n".join(_table(rest)) + closing
        if len(whole.encode()) <= BYTES:
            return whole
        rest = rest[: len(rest) // 2]
        closing = "\n\nThe others are in the JSON output.\n\n</details>\n"
    return shown


def _table(found: Sequence[Judged]) -> Iterator[str]:
    if found:
        lines = [_HEAD, ["---"] * len(_HEAD), *([escape(cell) for cell in _row(o)] for o in found)]
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(one: Judged) -> tuple[str, ...]:
    return (
        f"{words.short(one)} ({one.stratum})",
        words.value(one, one.baseline),
        words.value(one, one.observed),
        words.change(one, one.change),
        words.interval(one),
        words.change(one, one.detectable),
        words.because(one),
    )


def _detectable(found: Sequence[Judged]) -> Iterator[str]:
    if told := words.detectable(found):
        items = (f"- {escape(item)}" for item in told)
        yield "\n".join(["**What this could see** (in the least sensitive cell)", "", *items])


def _cautions(verdicts: Verdicts) -> Iterator[str]:
    if told := words.cautions(verdicts):
        items = (f"- {escape(c.text)} {escape(c.advice)}".rstrip() for c in told)
        yield "\n".join(["**Cautions**", "", *items])
