"""The report as one page: no network, one small script of its own, readable without it.

Every number stands in ``<data data-key=…>`` whose key leads to it in the JSON the page carries.
"""

from __future__ import annotations

import pandas as pd

from bench.report.document import Document
from bench.report.page.figures import figures
from bench.report.page.markup import section
from bench.report.page.method import again, method, raw
from bench.report.page.numbers import numbers_of
from bench.report.page.opening import cautions, verdict
from bench.report.page.outcomes import failures
from bench.report.page.phases import medians
from bench.report.page.ranked import ranked
from bench.report.page.routing import routing
from bench.report.page.shell import page

DISTRIBUTION = ("ecdf", "ridgeline", "difference")
TIME = ("timeline",)
PHASES = ("phases",)
ROUTING = ("routing", "spillover")


def render(doc: Document, df: pd.DataFrame) -> str:
    """The whole page, in the order in which a reader needs it."""
    told = doc["routing"]["identifiable"]
    drawn = (*DISTRIBUTION, *TIME, *PHASES, *(ROUTING if told else ()))
    doc = {**doc, "figures": numbers_of(doc, df, drawn)}
    parts = (
        verdict(doc),
        cautions(doc),
        ranked(doc),
        section("distribution", "Distribution", figures(doc, df, DISTRIBUTION)),
        section("time", "Over time", figures(doc, df, TIME)),
        section("phases", "Phases", (*figures(doc, df, PHASES), *medians(doc))),
        failures(doc),
        routing(doc, "\n".join(figures(doc, df, ROUTING if told else ()))),
        method(doc),
        again(doc),
        raw(doc),
    )
    return page(doc, "\n".join(part for part in parts if part))
