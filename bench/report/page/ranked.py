"""Each stratum's endpoints, the fastest first, and how they differ from global."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench import words
from bench.report.document import Document, metric_label, rank_of, strata, title
from bench.report.page.markup import data, details, ends, escape, number, span, table

OPEN = 2
"""How many strata are shown at once; the others open at a click."""

_HEAD = ("endpoint", "place", "n", "failed", "p50", "95 % interval", "p90", "p95", "p99")
_PAIR = ("endpoint", "less global", "95 % interval", "sooner in", "of rounds", "so")


def ranked(doc: Document) -> Iterator[str]:
    """The answer's stratum before the others."""
    shown = [found for found in strata(doc) if any(doc["cells"][i]["n"] for i in found[1])]
    shown.sort(key=lambda found: found[0] != doc["answer"]["stratum"])
    for place, (stratum, cells, differences) in enumerate(shown):
        tables = "\n".join(_tables(doc, stratum, cells, differences))
        seen = _answers(doc, stratum) if doc.get("places") else place < OPEN
        yield tables if seen else details(_name(stratum), tables)


def _answers(doc: Document, stratum: Mapping[str, Any]) -> bool:
    """Whether it is of the work that every vantage's answer is about."""
    return bool({**stratum, "vantage": None} == doc["places"]["stratum"])


def _name(stratum: Mapping[str, Any]) -> str:
    return f"{metric_label(stratum)}: {title(stratum)}"


def _tables(
    doc: Document, stratum: Mapping[str, Any], cells: list[int], differences: list[int]
) -> Iterator[str]:
    name = _name(stratum)
    yield table(
        f"{name[:1].upper()}{name[1:]}", _HEAD, [_cell(doc, i) for i in cells if _known(doc, i)]
    )
    if differences:
        rows = [_difference(doc, i) for i in differences]
        yield table(f"Difference to global, paired by round: {title(stratum)}", _PAIR, rows)


def _known(doc: Document, i: int) -> bool:
    return bool(doc["cells"][i]["n"])


def _cell(doc: Document, i: int) -> list[str]:
    cell, key = doc["cells"][i], f"cells.{i}"
    found = cell["quantiles"]
    tails = [
        data(doc, f"{key}.quantiles.{name}.value_ms", words.value(found[name]))
        for name in ("p90", "p95", "p99")
    ]
    return [
        escape(cell["endpoint"]),
        _place(doc, rank_of(doc, cell)),
        number(doc, f"{key}.n"),
        data(doc, f"{key}.failures.share", words.share(cell["failures"])),
        data(doc, f"{key}.quantiles.p50.value_ms", words.value(found["p50"])),
        span(doc, f"{key}.quantiles.p50"),
        *tails,
    ]


def _place(doc: Document, i: int | None) -> str:
    if i is None:
        return words.UNKNOWN
    rank = doc["ranks"][i]
    return ends(f"ranks.{i}", rank["best"], rank["worst"], words.place(rank))


def _difference(doc: Document, i: int) -> list[str]:
    d, key = doc["differences"][i], f"differences.{i}"
    return [
        escape(d["endpoint"]),
        data(doc, f"{key}.ms.value_ms", words.signed(d["ms"], d["percent"])),
        span(doc, f"{key}.ms"),
        data(doc, f"{key}.faster.value_percent", words.sooner(d)),
        number(doc, f"{key}.n_pairs"),
        escape(words.direction(d)),
    ]
