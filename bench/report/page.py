"""The report as one page: no network, no script that runs, no style but its own.

Every number stands in ``<data data-key=…>`` whose key leads to it in the JSON the page carries.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from html import escape as _escape
from typing import Any

import pandas as pd

from bench.plots import PLOTS, finding, to_png, to_svg
from bench.report import words
from bench.report.document import Document, at, dropped, metric_label, rank_of, strata, title
from bench.report.style import CSS

_JSON_UNSAFE = "<>&\u2028\u2029"

_VECTOR = frozenset({"ecdf"})
"""Figures of few lines are vectors; where every request is a mark, pixels take less room."""


def escape(text: object) -> str:
    """Text that HTML shows as it is, in text and in attributes."""
    return _escape(words.clean(text), quote=True)


def render(doc: Document, df: pd.DataFrame) -> str:
    """The whole page, in the order in which a reader needs it."""
    parts = [
        *_verdict(doc),
        *_cautions(doc),
        *_ranked(doc),
        *_figures(doc, df, "Distribution", ("ecdf", "ridgeline", "difference")),
        *_figures(doc, df, "Over time", ("timeline",)),
        *_figures(doc, df, "Phases", ("phases",)),
        *_phases(doc),
        *_failures(doc),
        *_method(doc),
        *_dropped(doc),
    ]
    return _page(doc, "\n".join(parts))


def _page(doc: Document, body: str) -> str:
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(doc['answer']['sentence'])}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n"
        f'<script type="application/json" id="data">{embedded(doc)}</script>\n</body>\n</html>\n'
    )


def embedded(doc: Document) -> str:
    """The document as JSON that cannot end its script element."""
    text = json.dumps(doc, allow_nan=False, separators=(",", ":"))
    for char in _JSON_UNSAFE:
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _data(doc: Document, key: str, text: str) -> str:
    """A number of the page, tied to its place in the JSON."""
    found = at(doc, key)
    exact = "" if found is None else json.dumps(found)
    return f'<data data-key="{escape(key)}" value="{escape(exact)}">{escape(text)}</data>'


def _number(doc: Document, key: str) -> str:
    return _data(doc, key, words.count(at(doc, key)))


def _verdict(doc: Document) -> Iterator[str]:
    found = doc["answer"]
    yield "<header>"
    yield f'<p class="state">{escape(found["state"])}</p>'
    yield f"<h1>{escape(found['sentence'])}</h1>"
    yield f"<p>{escape(words.circumstances(doc))}</p>"
    if found["stratum"]:
        sizes = " · ".join(_sizes(doc))
        yield f"<p>{escape(title(found['stratum']))} · n: {sizes}</p>"
    yield "</header>"


def _sizes(doc: Document) -> Iterator[str]:
    for i, cell in enumerate(doc["cells"]):
        if cell["stratum"] == doc["answer"]["stratum"]:
            yield f"{escape(cell['endpoint'])} {_number(doc, f'cells.{i}.n')}"


def _cautions(doc: Document) -> Iterator[str]:
    if not doc["cautions"]:
        return
    yield '<section class="cautions"><h2>Cautions</h2><ul>'
    for caution in doc["cautions"]:
        advice = f" <em>{escape(caution['advice'])}</em>" if caution["advice"] else ""
        yield f"<li>{escape(caution['text'])}{advice}</li>"
    yield "</ul></section>"


def _ranked(doc: Document) -> Iterator[str]:
    head = ("endpoint", "place", "n", "failed", "p50", "95 % interval", "p90", "p95", "p99")
    for stratum, cells, differences in strata(doc):
        shown = [i for i in cells if doc["cells"][i]["n"]]
        if not shown:
            continue
        name = f"{title(stratum)}: {metric_label(stratum)}"
        yield f"<section><h2>{escape(name)}</h2>"
        yield _table(name, head, [_cell(doc, i) for i in shown])
        if differences:
            columns = (
                *("region", "less global, paired by round", "95 % interval"),
                *("sooner in", "of rounds", "so"),
            )
            rows = [_difference(doc, i) for i in differences]
            yield _table(f"Difference to global: {title(stratum)}", columns, rows)
        yield "</section>"


def _cell(doc: Document, i: int) -> list[str]:
    cell, key = doc["cells"][i], f"cells.{i}"
    found = cell["quantiles"]
    tails = [
        _data(doc, f"{key}.quantiles.{name}.value_ms", words.value(found[name]))
        for name in ("p90", "p95", "p99")
    ]
    return [
        escape(cell["endpoint"]),
        _place(doc, rank_of(doc, cell)),
        _number(doc, f"{key}.n"),
        _data(doc, f"{key}.failures.share", words.share(cell["failures"])),
        _data(doc, f"{key}.quantiles.p50.value_ms", words.value(found["p50"])),
        _span(doc, f"{key}.quantiles.p50"),
        *tails,
    ]


def _place(doc: Document, i: int | None) -> str:
    if i is None:
        return words.UNKNOWN
    rank = doc["ranks"][i]
    return _ends(f"ranks.{i}", rank["best"], rank["worst"], words.place(rank))


def _span(doc: Document, key: str) -> str:
    found = at(doc, key)
    return _ends(key, found["low_ms"], found["high_ms"], words.interval(found))


def _ends(key: str, low: Any, high: Any, text: str) -> str:
    """An interval; its two ends are two numbers under the one key."""
    exact = json.dumps([low, high])
    return f'<data data-key="{escape(key)}" data-ends="{escape(exact)}">{escape(text)}</data>'


def _difference(doc: Document, i: int) -> list[str]:
    d, key = doc["differences"][i], f"differences.{i}"
    return [
        escape(d["endpoint"]),
        _data(doc, f"{key}.ms.value_ms", words.signed(d["ms"], d["percent"])),
        _span(doc, f"{key}.ms"),
        _data(doc, f"{key}.faster.value_percent", words.sooner(d)),
        _number(doc, f"{key}.n_pairs"),
        escape(words.direction(d)),
    ]


def _figures(doc: Document, df: pd.DataFrame, heading: str, names: Sequence[str]) -> Iterator[str]:
    yield f"<section><h2>{escape(heading)}</h2>"
    for name in names:
        figure = PLOTS[name](df)
        says = escape(finding(figure))
        yield (
            f'<figure><img alt="{says}" src="{_image(figure, name in _VECTOR)}">'
            f"<figcaption>{says}</figcaption></figure>"
        )
    yield "</section>"


def _image(figure: Any, vector: bool) -> str:
    kind, content = ("svg+xml", to_svg(figure).encode()) if vector else ("png", to_png(figure))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _phases(doc: Document) -> Iterator[str]:
    names = ("dns", "tcp", "tls", "send", "ttfb", "ttft", "total", "rtt", "server", "network")
    for stratum, cells, _ in strata(doc):
        shown = [i for i in cells if any(_phase(doc, i, name) is not None for name in names)]
        if not shown:
            continue
        known = [n for n in names if any(_phase(doc, i, n) is not None for i in shown)]
        rows = [
            [
                escape(doc["cells"][i]["endpoint"]),
                *(
                    _data(doc, f"cells.{i}.phases.{n}", words.ms_or_dash(_phase(doc, i, n)))
                    for n in known
                ),
            ]
            for i in shown
        ]
        yield _table(f"Median of each phase: {title(stratum)}", ("endpoint", *known), rows)


def _phase(doc: Document, i: int, name: str) -> Any:
    return doc["cells"][i]["phases"][name]


def _failures(doc: Document) -> Iterator[str]:
    rows = [
        [escape(c["endpoint"]), escape(title(c["stratum"])), escape(name), _number(doc, key)]
        for i, c in enumerate(doc["cells"])
        for name in c["outcomes"]
        for key in (f"cells.{i}.outcomes.{name}",)
    ]
    yield "<section><h2>Failures by outcome</h2>"
    if rows:
        yield _table("Failures by outcome", ("endpoint", "stratum", "outcome", "count"), rows)
    else:
        yield "<p>No request failed.</p>"
    yield "</section>"


def _method(doc: Document) -> Iterator[str]:
    yield "<section><h2>Method and settings</h2>"
    yield (
        "<p>A failed request counts as slower than every answer. Quantiles are order statistics "
        "with distribution-free intervals; differences are Hodges and Lehmann's estimate on "
        "logarithms, paired by round, with the signed-rank interval, wider where requests resemble "
        "those before them; all at 95 %. Places hold together at 95 %. Times are UTC. "
        "TCP and TLS end at the edge; which region served a request is unknown.</p>"
    )
    yield f"<p>{_number(doc, 'rows')} rows; left out: {_left_out(doc)}; spent: {_spent(doc)}.</p>"
    changed = [s for s in doc["settings"] if s["changed"]]
    usual = [s for s in doc["settings"] if not s["changed"]]
    if changed:
        rows = [
            [escape(_name(doc, s)), *map(_setting, (s["value"], s["default"]))] for s in changed
        ]
        yield _table("Settings that are not the default", ("setting", "value", "default"), rows)
    if usual:
        rows = [[escape(_name(doc, s)), _setting(s["value"])] for s in usual]
        yield "<details><summary>All other settings</summary>"
        yield _table("Settings at their default", ("setting", "value"), rows)
        yield "</details>"
    yield from _runs(doc)
    yield "</section>"


def _name(doc: Document, setting: Document) -> str:
    many = len(doc["runs"]) > 1
    return f"{setting['name']} ({setting['run_id']})" if many else str(setting["name"])


def _setting(value: object) -> str:
    return escape(words.setting(value))


def _left_out(doc: Document) -> str:
    parts = [
        f"{escape(name)} {_number(doc, f'left_out.{name}')}"
        for name, n in doc["left_out"].items()
        if n
    ]
    return ", ".join(parts) or "none"


def _spent(doc: Document) -> str:
    tokens = [
        f"{_number(doc, f'totals.{name}')} {name.replace('_', ' ')}"
        for name in ("prompt_tokens", "completion_tokens")
    ]
    cost = _data(doc, "totals.cost_usd", words.money(doc["totals"]["cost_usd"]))
    return ", ".join([*tokens, cost])


def _runs(doc: Document) -> Iterator[str]:
    for run in doc["runs"]:
        facts = [[escape(k), _setting(v)] for k, v in run.items() if v not in (None, {}, [])]
        yield f"<details><summary>Run {escape(run['run_id'])}</summary>"
        yield _table(f"Facts of run {run['run_id']}", ("fact", "value"), facts)
        yield "</details>"


def _dropped(doc: Document) -> Iterator[str]:
    if lost := dropped(doc):
        rows = [[escape(name), escape(reason)] for name, reason in lost.items()]
        yield "<section><h2>Not measured</h2>"
        yield _table("Endpoints that were not measured", ("endpoint", "reason"), rows)
        yield "</section>"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells of ``rows`` are HTML already; the first of each row is its header."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = [
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    ]
    label = escape(caption)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<caption>{label}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
