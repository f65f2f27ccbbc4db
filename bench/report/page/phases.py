"""The median of each phase, what ends at the edge apart from what goes on behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import words
from bench.report.document import Document, strata, title
from bench.report.page.markup import data, details, escape, table

_EDGE = {"dns": "DNS", "tcp": "TCP", "tls": "TLS", "rtt": "round trip"}
_BEHIND = {
    "send": "send",
    "ttfb": "first byte",
    "ttft": "first token",
    "total": "total",
    "network": "network, by the server",
    "server": "server's own word",
}
OPEN = 2


def medians(doc: Document) -> Iterator[str]:
    """One table per stratum in which anything was answered."""
    known = [(stratum, cells) for stratum, cells, _ in strata(doc) if _shown(doc, cells)]
    for place, (stratum, cells) in enumerate(known):
        made = _table(doc, stratum, _shown(doc, cells))
        yield made if place < OPEN else details(f"Phases: {title(stratum)}", made)


def _shown(doc: Document, cells: Sequence[int]) -> list[int]:
    return [i for i in cells if any(_phase(doc, i, n) is not None for n in (*_EDGE, *_BEHIND))]


def _table(doc: Document, stratum: Mapping[str, Any], cells: list[int]) -> str:
    edge, behind = (_measured(doc, cells, names) for names in (_EDGE, _BEHIND))
    rows = [
        [
            escape(doc["cells"][i]["endpoint"]),
            *(
                data(doc, f"cells.{i}.phases.{n}", words.ms_or_dash(_phase(doc, i, n)))
                for n in (*edge, *behind)
            ),
        ]
        for i in cells
    ]
    return table(
        f"Median of each phase: {title(stratum)}",
        ("endpoint", *edge.values(), *behind.values()),
        rows,
        groups=(("to the edge", len(edge)), ("and behind the edge", len(behind))),
    )


def _measured(doc: Document, cells: Sequence[int], names: dict[str, str]) -> dict[str, str]:
    return {
        name: label
        for name, label in names.items()
        if any(_phase(doc, i, name) is not None for i in cells)
    }


def _phase(doc: Document, i: int, name: str) -> Any:
    return doc["cells"][i]["phases"][name]
