"""The summary for a terminal: at most 80 columns, the verdict last."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from bench import words
from bench.report.document import (
    Document,
    dropped,
    metric_label,
    rank_of,
    routed,
    strata,
    title,
)

WIDTH = 80
_COLUMNS = (13, 5, 7, 9, 16, 10, 10, 10)
_COMPARED = (13, 17, 18, 12, 20)
_SHARES = (30, 10, 18)
_COSTS = (13, 11, 10, 18, 10, 18)
_TOGETHER = re.compile(r"(?<=\d) (?=%|ms\b|s\b)")
"""A number stays with its unit."""


def render(doc: Document) -> str:
    """The document as plain text that ends with the sentence of the answer."""
    blocks = [[*_head(doc)], *_tables(doc), [*_failures(doc)], [*_dropped(doc)], *_routing(doc)]
    blocks += [*places(doc), [*_cautions(doc)]]
    blocks.append(_wrap(doc["answer"]["sentence"]))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def chosen(doc: Document) -> str:
    """Only each vantage's answer and the compromise; it ends with the sentence of the answer."""
    blocks = [*places(doc), _wrap(doc["answer"]["sentence"])]
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
    yield from _wrap(words.named(doc["run_ids"]))
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
        words.amount(cell["n"]),
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
        sooner = f"{words.sooner(d)} of {words.amount(d['n_pairs'])}"
        sides = (words.signed(d["ms"], d["percent"]), words.interval(d["ms"]), sooner)
        yield _line((words.clean(d["endpoint"]), *sides, words.direction(d)), _COMPARED)


def _failures(doc: Document) -> Iterator[str]:
    for cell in doc["cells"]:
        if cell["outcomes"]:
            stratum = cell["stratum"]
            place = f", from {stratum['vantage']}" if stratum["vantage"] else ""
            where = f"{cell['endpoint']} ({stratum['kind']}, {stratum['connection']}{place})"
            yield from _wrap(f"failures of {where}: {words.counts(cell['outcomes'])}", "", "    ")


def _dropped(doc: Document) -> Iterator[str]:
    for name, reason in dropped(doc).items():
        yield from _wrap(f"not measured: {name}: {reason}", "", "    ")


def _routing(doc: Document) -> Iterator[list[str]]:
    """Who answered global's requests, or the command that would tell."""
    for vantage, _, found, spilled in routed(doc):
        if found["stratum"] is None:
            continue  # nobody asked global
        where = f" from {words.clean(vantage)}" if vantage else ""
        if not found["identifiable"]:
            yield [*_wrap(f"routing{where}: {found['words']}", "", "    ")]
            continue
        heading = f"who answered global's requests{where}, by {found['method']}"
        rows = [(s["name"], words.percent(s["value"]), words.ends(s)) for s in found["shares"]]
        lines = [("answered by", "share", "95 % interval"), *rows]
        shown = [_line([words.clean(cell) for cell in line], _SHARES) for line in lines]
        yield [*_wrap(heading), *shown, *_wrap(spilled["words"])]


def places(doc: Document) -> Iterator[list[str]]:
    """Each vantage's own answer, and what one endpoint for all of them costs where."""
    if not (found := doc.get("places")):
        return
    heading = f"from where: {title(found['stratum'])}, {metric_label(found['stratum'])}"
    lines = [*_wrap(f"{heading}; all of it together wrong in at most {100 * found['error']:g} %")]
    for race in found["races"]:
        wrong = "" if race["wrong"] is None else f"; risk {race['chance']}"
        lines += _wrap(f"{words.clean(race['vantage'])}: {race['words']}{wrong}", "", "    ")
    yield lines
    yield [*_costs(found)]
    yield [line for text in found["rules"] for line in _wrap(f"{text}.", "", "    ")]


def _costs(found: Document) -> Iterator[str]:
    """Of the endpoints that may be the compromise."""
    names = {n for rule in ("minimax", "mean") if found[rule] for n in found[rule]["candidates"]}
    shown = [one for one in found["costs"] if one["endpoint"] in names]
    if shown:
        yield from _wrap("slower than the fastest there, intervals hold together at 95 %")
        yield _line(("endpoint", "from", "p50", "interval", "p95", "interval"), _COSTS)
    for one in sorted(shown, key=lambda one: str(one["endpoint"])):
        sides = [part for key in ("p50", "p95") for part in words.cost(one[key])]
        cells = (one["endpoint"], _cut(words.clean(one["vantage"]), _COSTS[1]), *sides)
        yield _line([words.clean(cell) for cell in cells], _COSTS)


def _cautions(doc: Document) -> Iterator[str]:
    for caution in doc["cautions"]:
        if caution["code"] == "not_measured":
            continue
        yield from _wrap(caution["text"], "! ", "  ")
        yield from _wrap(caution["advice"], "  → ", "    ")
