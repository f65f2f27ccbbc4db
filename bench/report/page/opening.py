"""What is seen first: the verdict with what it rests on, and what the reader must know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench import words
from bench.report.again import FILE
from bench.report.document import Document, metric_label, title
from bench.report.page.markup import command, data, escape, number, section, span


def verdict(doc: Document) -> str:
    """State, sentence, difference, interval, n, window, vantage: all above the fold."""
    found = doc["answer"]
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{text}</dd></div>" for name, text in _facts(doc) if text
    )
    return (
        f'<header><p class="state">{escape(found["state"])}</p>'
        f"<h1>{escape(found['sentence'])}</h1>\n<dl>{facts}</dl></header>"
    )


def _facts(doc: Document) -> Iterator[tuple[str, str]]:
    if doc.get("places"):
        yield from _places(doc)
        return
    stratum, found = doc["answer"]["stratum"], doc["answer"]["difference"]
    if found:
        key = "answer.difference"
        size = data(doc, f"{key}.ms.value_ms", words.signed(found["ms"], found["percent"]))
        level = f"{100 * found['level']:.3g} % interval"
        yield f"{found['endpoint']} less {found['baseline']}", size
        yield level, f"{span(doc, f'{key}.ms')}, {number(doc, f'{key}.n_pairs')} rounds"
    else:
        yield "difference and interval", "not known"
    yield "n per endpoint", " · ".join(_sizes(doc))
    yield "measured", escape(words.window(doc))
    yield "from", escape(words.vantages(doc))
    if stratum:
        yield "of", escape(f"{metric_label(stratum)}, {title(stratum)}")


def _places(doc: Document) -> Iterator[tuple[str, str]]:
    """Each vantage's own answer; times are of each vantage's own clock."""
    found = doc["places"]
    for i, race in enumerate(found["races"]):
        rounds = number(doc, f"places.races.{i}.rounds")
        yield f"from {race['vantage']}", f"{escape(race['words'])}, {rounds} rounds"
    yield "measured, by their own clocks", escape(words.window(doc))
    yield "of", escape(f"{metric_label(found['stratum'])}, {title(found['stratum'])}")


def _sizes(doc: Document) -> Iterator[str]:
    for i, cell in enumerate(doc["cells"]):
        if cell["stratum"] == doc["answer"]["stratum"]:
            counted = number(doc, f"cells.{i}.n")
            yield f"<span>{escape(cell['endpoint'])} {counted}</span>"


def contents(headings: Mapping[str, str]) -> str:
    """Links to the sections that there are."""
    links = "".join(f'<a href="#{name}">{escape(text)}</a> ' for name, text in headings.items())
    return f'<nav aria-label="On this page">{links}</nav>'


def cautions(doc: Document) -> str:
    """Each with its cause and the command that mends it; nothing when there is none."""
    items = "".join(f"<li>{''.join(_caution(caution))}</li>" for caution in doc["cautions"])
    where = any(FILE in caution["command"] for caution in doc["cautions"])
    plan = f'<p>{FILE} stands under <a href="#again">Run it again</a>.</p>' if where else ""
    return section("cautions", "Cautions", f"<ul>{items}</ul>{plan}") if items else ""


def _caution(caution: Document) -> Iterator[str]:
    yield f"<p>{escape(caution['text'])}</p>"
    if caution["advice"]:
        yield f"<p>{escape(caution['advice'].rstrip('.'))}.</p>"
    if caution["command"]:
        yield command(caution["command"])
