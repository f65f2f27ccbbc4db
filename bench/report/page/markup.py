"""Pieces of HTML: foreign text made inert, numbers tied to their place in the JSON, tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape as _escape
from typing import Any

from bench import words
from bench.html import escape as escape  # one escape for page and cards
from bench.report.document import Document, at

FEWEST_TO_SORT = 3
"""Two rows are in order, whatever the order."""


def command(line: str) -> str:
    """A line to paste; it may be wrapped, which pastes as one line all the same."""
    return f'<pre class="command"><code>{escape(line)}</code></pre>'


def verbatim(text: str, label: str) -> str:
    """Text whose lines matter: scrolls by itself, also by keyboard."""
    lines = "\n".join(_escape(_printable(line), quote=True) for line in text.splitlines())
    return (
        f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{lines}</code></pre>'
    )


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in line)


def data(doc: Document, key: str, text: str) -> str:
    """A number of the page, tied to its place in the JSON."""
    found = at(doc, key)
    exact = "" if found is None else json.dumps(found)
    return f'<data data-key="{escape(key)}" value="{escape(exact)}">{escape(text)}</data>'


def number(doc: Document, key: str) -> str:
    """A count."""
    return data(doc, key, words.count(at(doc, key)))


def span(doc: Document, key: str) -> str:
    """The interval of the estimate under ``key``."""
    found = at(doc, key)
    return ends(key, found["low_ms"], found["high_ms"], words.interval(found))


def ends(key: str, low: Any, high: Any, text: str) -> str:
    """An interval; its two ends are two numbers under the one key."""
    exact = json.dumps([low, high])
    return f'<data data-key="{escape(key)}" data-ends="{escape(exact)}">{escape(text)}</data>'


def section(name: str, heading: str, inside: str) -> str:
    """A section that can be linked to."""
    return f'<section id="{name}"><h2>{escape(heading)}</h2>\n{inside}\n</section>'


def details(summary: str, inside: str) -> str:
    """What is there for whoever asks; opens without a script."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    groups: Sequence[tuple[str, int]] = (),
    words_in: bool = False,
) -> str:
    """A table; cells of ``rows`` are HTML already, the first of each row is its header.

    ``groups`` are headings over the columns after the first, each with how many. ``words_in``:
    its cells are text, which may break. Rows of numbers can be sorted.
    """
    kind = "text" if words_in else "sortable" if len(rows) >= FEWEST_TO_SORT else "numbers"
    sides = [_side([row[place] for row in rows]) for place in range(len(head))]
    top = "".join(
        f'<th scope="col"{side}>{escape(name)}</th>' for side, name in zip(sides, head, strict=True)
    )
    over = "".join(f'<th scope="colgroup" colspan="{n}">{escape(g)}</th>' for g, n in groups if n)
    above = f"<tr><td></td>{over}</tr>" if groups else ""
    lines = "".join(_row(row, sides) for row in rows)
    label = escape(caption)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
        f'<table class="{kind}"><caption>{label}</caption><thead>{above}<tr>{top}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _side(cells: Sequence[str]) -> str:
    """Numbers stand at the right, words at the left."""
    return "" if any(cell.startswith("<data") for cell in cells) else ' class="words"'


def _row(cells: Sequence[str], sides: Sequence[str]) -> str:
    first, *rest = cells
    others = "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides[1:], rest, strict=True))
    return f'<tr><th scope="row">{first}</th>{others}</tr>'
