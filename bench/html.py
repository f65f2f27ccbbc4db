"""The few words of HTML: text made inert, a table, and the card that a notebook shows.

Static, without script and without colours of its own, so that it is legible on light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as _escape

from bench.words import clean

MOST_BYTES = 50_000
"""Of a card: a notebook keeps its outputs, and is opened with all of them."""

MOST_ROWS = 60
_MOST_TEXT = 400
_ONE_LINE = 28
_TABLE = "border-collapse:collapse;margin:.4em 0;font-variant-numeric:tabular-nums"
_LINE = "border:0;border-bottom:1px solid rgba(128,128,128,.35);padding:.2em .7em"
_MORE = "<p><em>Shortened: the frame has everything.</em></p>"


def escape(text: object) -> str:
    """Text that HTML shows as it is, in text and in attributes."""
    return _escape(clean(text), quote=True)


def short(text: object) -> str:
    """As `escape`, of as much of a text as a notebook has room for."""
    whole = clean(text)
    return _escape(whole if len(whole) <= _MOST_TEXT else f"{whole[:_MOST_TEXT]}…", quote=True)


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "", *, names: int = 1
) -> str:
    """Plain values in a table. The first of each row is its header; the first ``names`` columns
    stand to the left, and the others, which are numbers, to the right."""
    sides = ["left" if place < names else "right" for place in range(len(head))]
    top = "".join(
        _cell("th", name, side, ' scope="col"') for name, side in zip(head, sides, strict=True)
    )
    shown = "".join(f"<tr>{_row(row, sides)}</tr>" for row in rows[:MOST_ROWS])
    rest = f"<p>{len(rows) - MOST_ROWS} more rows.</p>" if len(rows) > MOST_ROWS else ""
    title = f'<caption style="text-align:left">{short(caption)}</caption>' if caption else ""
    return (
        f'<table style="{_TABLE}">{title}'
        f"<thead><tr>{top}</tr></thead><tbody>{shown}</tbody></table>{rest}"
    )


def _row(row: Sequence[object], sides: Sequence[str]) -> str:
    first, *rest = zip(row, sides, strict=True)
    cells = [_cell("td", value, side) for value, side in rest]
    return "".join([_cell("th", *first, ' scope="row"'), *cells])


def _cell(tag: str, value: object, side: str, more: str = "") -> str:
    wrap = ";white-space:nowrap" if len(str(value)) <= _ONE_LINE else ""
    return f'<{tag}{more} style="{_LINE};text-align:{side}{wrap}">{short(value)}</{tag}>'


def listed(texts: Iterable[object]) -> str:
    """Sentences as a list; nothing of none."""
    items = "".join(f"<li>{short(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def paragraph(text: object) -> str:
    """One paragraph; nothing of an empty text."""
    return f"<p>{short(text)}</p>" if text else ""


def card(state: str, sentence: str, *parts: str) -> str:
    """The verdict, and below it ``parts`` of HTML for as long as there is room."""
    told = (
        f'<p style="font-size:1.1em"><strong>{short(sentence)}</strong><br>'
        f'<span style="opacity:.75">{short(state)}</span></p>'
    )
    size = len(told.encode())
    for part in parts:
        size += len(part.encode())
        if size > MOST_BYTES - 1_000:
            told += _MORE
            break
        told += part
    return f'<div style="color:inherit;max-width:60em;overflow-x:auto">{told}</div>'
