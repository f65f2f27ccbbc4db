"""Verdicts for a terminal: at most 80 columns, the sentence last."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from bench.stats import verdict_words as words
from bench.stats.verdict import Judged, Verdict
from bench.stats.verdict_words import Verdicts
from bench.words import clean

WIDTH = 80
_COLUMNS = (30, 11, 11, 14, 14)
_HEAD = ("cell", "baseline", "now", "change", "detectable")
_COMMAND = re.compile(r"(?m)^(\s*):(?=:)|##(?=\[)")


def render(verdicts: Verdicts) -> str:
    """A table a verdict, what could have been seen, cautions, and the sentence."""
    blocks = [block for verdict in verdicts for block in _tables(verdict)]
    blocks += [[*cautions(verdicts)], wrap(words.sentence(verdicts))]
    return inert("\n\n".join("\n".join(block) for block in blocks if block)) + "\n"


def inert(text: str) -> str:
    """Without lines that a CI runner takes for commands (``::…``, ``##[…``): text is wrapped, so
    what a server said may stand at the start of a line."""
    return _COMMAND.sub(lambda match: f"{match[0]} ", text)


def _tables(verdict: Verdict) -> Iterator[list[str]]:
    yield wrap(f"{clean(verdict.b)} against {clean(verdict.a)}")
    for stratum in dict.fromkeys(one.stratum for one in verdict.judged):
        members = [one for one in verdict.judged if one.stratum == stratum]
        yield [*wrap(str(stratum)), line(_HEAD), *(part for m in members for part in _row(m))]


def _row(one: Judged) -> Iterator[str]:
    cells = (
        words.short(one),
        words.value(one, one.baseline),
        words.value(one, one.observed),
        words.change(one, one.change),
        words.change(one, one.detectable),
    )
    yield line(cells)
    if one.state != "ok":
        yield from wrap(words.because(one), "  ", "    ")


def line(cells: tuple[str, ...], columns: tuple[int, ...] = _COLUMNS) -> str:
    """Cells in columns of these widths: the first to the left, numbers to the right."""
    name, *rest = cells
    padded = [_cut(name, columns[0]).ljust(columns[0])]
    padded += [_cut(c, width).rjust(width) for c, width in zip(rest, columns[1:], strict=True)]
    return "".join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) < width else text[: width - 2] + "…"


def cautions(verdicts: Verdicts) -> Iterator[str]:
    """Each caution with its advice."""
    for caution in words.cautions(verdicts):
        yield from wrap(caution.text, "! ", "  ")
        yield from wrap(caution.advice, "  → ", "    ")


def wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    """The lines of a paragraph, the first and the others indented as given."""
    return textwrap.wrap(
        clean(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
