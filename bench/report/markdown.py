"""The report as Markdown that can be pasted into an issue."""

from __future__ import annotations

import re
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

_SPECIAL = re.compile(r"([\\`*_\[\]|~#!])")


def escape(text: object) -> str:
    """Text that Markdown and the HTML within it show as it is, on one line."""
    safe = words.clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", safe)


def render(doc: Document) -> str:
    """Verdict, cautions, ranked tables, failures, method, dropped endpoints."""
    parts = [
        f"# {escape(doc['answer']['sentence'])}",
        escape(words.circumstances(doc)),
        *_cautions(doc),
        *_tables(doc),
        *_places(doc),
        *_section("Failures by outcome", ("endpoint", "stratum", "failures"), _failures(doc)),
        *_routing(doc),
        *_section("Settings that are not the default", ("setting", "value", "default"), _set(doc)),
        *_method(doc),
        *_section("Not measured", ("endpoint", "reason"), _dropped(doc)),
    ]
    return "\n\n".join(parts) + "\n"


def _cautions(doc: Document) -> Iterator[str]:
    if doc["cautions"]:
        items = (f"- {escape(c['text'])} {escape(c['advice'])}".rstrip() for c in doc["cautions"])
        yield "\n".join(["**Cautions**", "", *items])


def _tables(doc: Document) -> Iterator[str]:
    head = ("endpoint", "place", "n", "failed", "p50", "95 % interval", "p90", "p95", "p99")
    for stratum, cells, differences in strata(doc):
        shown = [doc["cells"][i] for i in cells if doc["cells"][i]["n"]]
        if not shown:
            continue
        yield f"## {escape(title(stratum))}: {escape(metric_label(stratum))}"
        yield _table(head, [_cell(doc, cell) for cell in shown])
        pairs = [_difference(doc["differences"][i]) for i in differences]
        if pairs:
            yield _table(_PAIR, pairs)


_PAIR = ("less global", "paired by round", "95 % interval", "sooner in", "of rounds", "so")


def _cell(doc: Document, cell: Document) -> list[str]:
    found, rank = cell["quantiles"], rank_of(doc, cell)
    return [
        cell["endpoint"],
        words.place(None if rank is None else doc["ranks"][rank]),
        cell["n"],
        words.share(cell["failures"]),
        words.value(found["p50"]),
        words.interval(found["p50"]),
        *(words.value(found[name]) for name in ("p90", "p95", "p99")),
    ]


def _difference(d: Document) -> list[str]:
    span, size = words.interval(d["ms"]), words.signed(d["ms"], d["percent"])
    return [d["endpoint"], size, span, words.sooner(d), d["n_pairs"], words.direction(d)]


def _places(doc: Document) -> Iterator[str]:
    if not (found := doc.get("places")):
        return
    yield "## From where"
    yield escape(f"{title(found['stratum'])}: {metric_label(found['stratum'])}")
    races = [[race[key] for key in ("vantage", "words", "chance")] for race in found["races"]]
    yield _table(("from", "fastest", "risk"), races)
    costs = [
        [one["vantage"], one["endpoint"], *words.cost(one["p50"]), *words.cost(one["p95"])]
        for one in found["costs"]
    ]
    yield _table(("from", "endpoint", "p50 over the fastest", "together 95 %", "p95", ""), costs)
    yield "\n".join(f"- {escape(text)}." for text in found["rules"])


def _routing(doc: Document) -> Iterator[str]:
    asked = [one for one in routed(doc) if one[2]["stratum"] is not None]
    for vantage, _, found, spilled in asked:
        yield f"## Routing{f', from {escape(vantage)}' if vantage else ''}"
        if not found["identifiable"]:
            yield escape(found["words"])
            continue
        yield escape(f"{found['words']} {spilled['words']}")
        rows = [[s["name"], words.percent(s["value"]), words.ends(s)] for s in found["shares"]]
        yield _table(("answered by", "share", "95 % interval"), rows)


def _failures(doc: Document) -> list[list[str]]:
    return [
        [c["endpoint"], title(c["stratum"]), words.counts(c["outcomes"])]
        for c in doc["cells"]
        if c["outcomes"]
    ]


def _set(doc: Document) -> list[list[str]]:
    return [
        [s["name"], words.setting(s["value"]), words.setting(s["default"])]
        for s in doc["settings"]
        if s["changed"]
    ]


def _method(doc: Document) -> Iterator[str]:
    totals = doc["totals"]
    left_out = ", ".join(f"{name} {n}" for name, n in doc["left_out"].items() if n) or "none"
    spent = f"tokens {words.count(totals.get('completion_tokens'))} out"
    yield (
        "A failure counts as slower than every answer. Intervals are 95 %: of quantiles by order "
        "statistics, of differences by signed ranks of logarithms, paired by round. Places hold "
        "together at 95 %. "
        + escape(
            f"Rows: {doc['rows']}; left out: {left_out}; {spent}; "
            f"cost {words.money(totals.get('cost_usd'))}."
        )
    )


def _dropped(doc: Document) -> list[list[str]]:
    return [[name, reason] for name, reason in dropped(doc).items()]


def _section(heading: str, head: Sequence[str], rows: list[list[str]]) -> Iterator[str]:
    if rows:
        yield f"## {heading}"
        yield _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *([escape(item) for item in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
