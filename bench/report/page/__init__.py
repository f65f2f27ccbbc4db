"""The report as one page: no network, one small script of its own, readable without it.

Every number stands in ``<data data-key=…>`` whose key leads to it in the JSON the page carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from bench.report.document import Document
from bench.report.findings import Findings
from bench.report.page.chosen import chosen
from bench.report.page.figures import pictures
from bench.report.page.markup import escape, section
from bench.report.page.method import again, method, raw
from bench.report.page.numbers import numbers_of
from bench.report.page.opening import cautions, contents, verdict
from bench.report.page.outcomes import failures
from bench.report.page.phases import medians
from bench.report.page.places import places
from bench.report.page.ranked import ranked
from bench.report.page.routing import routing
from bench.report.page.shell import page
from bench.report.page.spots import Spot, spots

DRAWN = 4
"""Vantages whose own figures are drawn; those of more are a command away."""


def render(found: Findings) -> str:
    """The whole page, in the order in which a reader needs it."""
    seen = spots(found)
    shown = {spot: chosen(spot) for spot in seen[:DRAWN]}
    figures = {
        f"{name}{spot.mark}": numbers
        for spot, plots in shown.items()
        for name, numbers in numbers_of(spot.doc, spot.df, [*chain(*plots.values())]).items()
    }
    if len(seen) > 1:
        figures |= numbers_of(found.doc, found.df, ["vantages"])
    doc = {**found.doc, "figures": figures}
    drawn = {name: "\n".join(_drawn(doc, shown, name, len(seen))) for name in _CHAPTERS}
    chapters = {
        "from-where": ("From where", _from_where(doc, found, len(seen))),
        "ranking": ("Ranking", ranked(doc)),
        "distribution": ("Distribution", [drawn["distribution"]]),
        "time": ("Over time", [drawn["time"]]),
        "phases": ("Phases", chain([drawn["phases"]], medians(doc))),
        "failures": ("Failures", failures(doc)),
        "routing": ("Routing", chain(routing(doc), [drawn["routing"]])),
        "method": ("Method and settings", method(doc)),
        "again": ("Run it again", again(doc)),
        "raw": ("Raw data", raw(doc)),
    }
    written = {name: (heading, "\n".join(parts)) for name, (heading, parts) in chapters.items()}
    known = {name: found for name, found in written.items() if found[1]}
    links = contents({name: heading for name, (heading, _) in known.items()})
    sections = (section(name, heading, inside) for name, (heading, inside) in known.items())
    return page(doc, "\n".join((verdict(doc), cautions(doc), links, *sections)))


_CHAPTERS = ("distribution", "time", "phases", "routing")


def _from_where(doc: Document, found: Findings, many: int) -> Iterator[str]:
    """The heat map of every vantage, and the answers."""
    if many > 1:
        yield from pictures(doc, Spot("", "", found.df, found.doc, None), ["vantages"])
        yield from places(doc)


def _drawn(
    doc: Document, shown: dict[Spot, dict[str, tuple[str, ...]]], chapter: str, many: int
) -> Iterator[str]:
    """The chapter's figures, of each vantage by itself."""
    for spot, plots in shown.items():
        made = list(pictures(doc, spot, plots[chapter]))
        if made and many > 1:
            yield f"<h3>From {escape(spot.vantage)}</h3>"
        yield from made
    if many > len(shown) and chapter == "distribution":
        left = many - len(shown)
        yield f"<p>{left} more vantages: <code>regionbench plot RUN all</code> draws theirs.</p>"
