"""One vantage of a report: its rows, and the document as if there were no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from bench.report.document import Document
from bench.report.findings import Findings
from bench.stats.routing import Routing


@dataclass(frozen=True, eq=False)
class Spot:
    """``mark`` ends the keys of its figures, empty where it is the only one."""

    vantage: str
    mark: str
    df: pd.DataFrame
    doc: Document
    answer: Routing | None


def spots(found: Findings) -> list[Spot]:
    """Each vantage of the rows, in order."""
    if len(found.parts) == 1:
        ((name, df),) = found.parts.items()
        return [Spot(name, "", df, found.doc, found.routes[name])]
    return [*_several(found)]


def _several(found: Findings) -> Iterator[Spot]:
    for i, (name, df) in enumerate(found.parts.items()):
        told = found.doc["routes"][i]
        mine = [d for d in found.doc["differences"] if d["stratum"]["vantage"] == name]
        answer = {**found.doc["answer"], "stratum": mine[0]["stratum"] if mine else None}
        own = {"routing": told["routing"], "spillover": told["spillover"], "differences": mine}
        doc = {**found.doc, **own, "answer": answer}
        yield Spot(name, f"-{i}", df, doc, found.routes[name])
