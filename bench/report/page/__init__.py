"""The report as one page: no network, one small script of its own, readable without it.

Every number stands in ``<data data-key=…>`` whose key leads to it in the JSON the page carries.
"""

from __future__ import annotations

from itertools import chain

import pandas as pd

from bench.report.document import Document
from bench.report.page.chosen import chosen
from bench.report.page.figures import pictures
from bench.report.page.markup import section
from bench.report.page.method import again, method, raw
from bench.report.page.numbers import numbers_of
from bench.report.page.opening import cautions, contents, verdict
from bench.report.page.outcomes import failures
from bench.report.page.phases import medians
from bench.report.page.ranked import ranked
from bench.report.page.routing import routing
from bench.report.page.shell import page


def render(doc: Document, df: pd.DataFrame) -> str:
    """The whole page, in the order in which a reader needs it."""
    plots = chosen(doc, df)
    doc = {**doc, "figures": numbers_of(doc, df, [*chain(*plots.values())])}
    drawn = {chapter: pictures(doc, df, names) for chapter, names in plots.items()}
    chapters = {
        "ranking": ("Ranking", ranked(doc)),
        "distribution": ("Distribution", drawn["distribution"]),
        "time": ("Over time", drawn["time"]),
        "phases": ("Phases", chain(drawn["phases"], medians(doc))),
        "failures": ("Failures", failures(doc)),
        "routing": ("Routing", chain(routing(doc), drawn["routing"])),
        "method": ("Method and settings", method(doc)),
        "again": ("Run it again", again(doc)),
        "raw": ("Raw data", raw(doc)),
    }
    written = {name: (heading, "\n".join(parts)) for name, (heading, parts) in chapters.items()}
    known = {name: found for name, found in written.items() if found[1]}
    links = contents({name: heading for name, (heading, _) in known.items()})
    sections = (section(name, heading, inside) for name, (heading, inside) in known.items())
    return page(doc, "\n".join((verdict(doc), cautions(doc), links, *sections)))
