"""The summary for a terminal: at most 80 columns, the verdict last."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from bench import words
from bench.report.document import Document, dropped, metric_label, rank_of, strata, title

WIDTH = 80
_COLUMNS = (13, 5, 7, 9, 16, 10, 10, 10)
_COMPARED = (13, 17, 18, 12, 20)
_TOGETHER = re.compile(r"(?<=\d) (?=%|ms\b|s\b)")
"""A number stays with its unit."""


def render(doc: Document) -> str:
    """The document as plain text that ends with the sentence of the answer."""
    blocks = [[*_head(doc)], *_tables(doc), [*_failures(doc)], [*_dropped(doc)], [*_cautions(doc)]]
    blocks.append(_wrap(doc["answer"]["sentence"]))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    lines = textwrap.wrap(
        _TOGETHER.sub("\u00a0", words.clean(text)),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
    return [line.replace("\u00a0", " ") for line in lines]


def _head(doc: Document) -> Iterator[str]:
    runs = ", ".join(map(words.clean, doc["run_ids"])) or "no run"
    yield from _wrap(runs)
    yield from _wrap(words.circumstances(doc))
    if (usd := doc["totals"].get("cost_usd")) is not None:
        yield from _wrap(f"{doc['rows']} requests, cost {words.money(usd)}")


def _tables(doc: Document) -> Iterator[list[str]]:
    for stratum, cells, differences in strata(doc):
        shown = [doc["cells"][i] for i in cells if doc["cells"][i]["n"]]
        if not shown:
            continue
        heading = f"{title(stratum)}: {metric_label(stratum)}"
        names = ("endpoint", "n", "failed", "p50", "95 % interval", "p90", "p95", "p99")
        rows = [_row(cell) for cell in shown]
        yield [*_wrap(heading), _line(names), *map(_line, rows), *_places(doc, shown)]
        yield [*_differences([doc["differences"][i] for i in differences])]


def _places(doc: Document, cells: Sequence[Document]) -> list[str]:
    """Where the rows leave open who is ahead, the table's order is not a ranking."""
    found = [(cell["endpoint"], rank_of(doc, cell)) for cell in cells]
    known = [f"{name} {words.place(doc['ranks'][i])}" for name, i in found if i is not None]
    return _wrap(f"places, together at 95 %: {', '.join(known)}", "", "    ") if known[1:] else []


def _row(cell: Document) -> tuple[str, ...]:
    found = cell["quantiles"]
    return (
        words.clean(cell["endpoint"]),
        str(cell["n"]),
        words.share(cell["failures"]),
        words.value(found["p50"]),
        words.interval(found["p50"]),
        *(words.value(found[name]) for name in ("p90", "p95", "p99")),
    )


def _line(cells: Sequence[str], columns: Sequence[int] = _COLUMNS) -> str:
    name, *rest = cells
    padded = [_cut(name, columns[0]).ljust(columns[0])]
    padded += [_cut(text, w).rjust(w) for text, w in zip(rest, columns[1:], strict=True)]
    return "".join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) < width else text[: width - 2] + "…"


def _differences(found: Sequence[Document]) -> Iterator[str]:
    if found:
        head = (f"less {words.clean(found[0]['baseline'])}", "paired by round", "95 % interval")
        yield _line((*head, "sooner in", "so"), _COMPARED)
    for d in found:
        sooner = f"{words.sooner(d)} of {d['n_pairs']}"
        sides = (words.signed(d["ms"], d["percent"]), words.interval(d["ms"]), sooner)
        yield _line((words.clean(d["endpoint"]), *sides, words.direction(d)), _COMPARED)


def _failures(doc: Document) -> Iterator[str]:
    for cell in doc["cells"]:
        if cell["outcomes"]:
            stratum = cell["stratum"]
            where = f"{cell['endpoint']} ({stratum['kind']}, {stratum['connection']})"
            yield from _wrap(f"failures of {where}: {words.counts(cell['outcomes'])}", "", "    ")


def _dropped(doc: Document) -> Iterator[str]:
    for name, reason in dropped(doc).items():
        yield from _wrap(f"not measured: {name}: {reason}", "", "    ")


def _cautions(doc: Document) -> Iterator[str]:
    for caution in doc["cautions"]:
        if caution["code"] == "not_measured":
            continue
        yield from _wrap(caution["text"], "! ", "  ")
        yield from _wrap(caution["advice"], "  → ", "    ")
