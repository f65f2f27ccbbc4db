"""From where: each vantage's own answer, and what one endpoint for all of them costs there."""

from __future__ import annotations

from collections.abc import Iterator

from bench import words
from bench.report.document import Document, metric_label, title
from bench.report.page.markup import data, ends, escape, number, table

_RACE = ("from", "fastest", "risk", "rounds")
_COST = ("endpoint", "from", "p50 over the fastest", "together 95 %", "p95", "together 95 % ")


def places(doc: Document) -> Iterator[str]:
    """Two tables and the compromises; nothing for one vantage."""
    if not (found := doc.get("places")):
        return
    what = f"{metric_label(found['stratum'])}, {title(found['stratum'])}"
    rows = [_race(doc, i) for i in range(len(found["races"]))]
    yield table(f"Each vantage by itself: {what}", _RACE, rows)
    items = "".join(f"<li>{escape(text)}.</li>" for text in found["rules"])
    yield f"<ul>{items}</ul>"
    order = sorted(range(len(found["costs"])), key=lambda i: _name(found["costs"][i]))
    yield table("What one endpoint for all costs", _COST, [_cost(doc, i) for i in order])


def _race(doc: Document, i: int) -> list[str]:
    race, key = doc["places"]["races"][i], f"places.races.{i}"
    return [
        escape(race["vantage"]),
        escape(race["words"]),
        data(doc, f"{key}.wrong", race["chance"]),
        number(doc, f"{key}.rounds"),
    ]


def _name(cost: Document) -> tuple[str, str]:
    return cost["endpoint"], cost["vantage"]


def _cost(doc: Document, i: int) -> list[str]:
    one, key = doc["places"]["costs"][i], f"places.costs.{i}"
    numbers = []
    for name in ("p50", "p95"):
        found, at = one[name], f"{key}.{name}"
        size, apart = words.cost(found)
        numbers.append(data(doc, f"{at}.value_ms", size))
        numbers.append(ends(at, found["low_ms"], found["high_ms"], apart))
    return [escape(one["endpoint"]), escape(one["vantage"]), *numbers]
