"""What a notebook shows of a result: the verdict first, then the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench import words
from bench.html import card, listed, paragraph, table
from bench.model import Caution
from bench.stats import encode, places_words, verdict_words
from bench.stats.answer import answer
from bench.stats.places import Places
from bench.stats.race_verdict import RaceVerdict
from bench.stats.rates import Rate
from bench.stats.routing import Routing
from bench.stats.routing_words import span
from bench.stats.strata import Stratum
from bench.stats.summary import Summary
from bench.stats.verdict import Judged, Verdict

_ENDPOINTS = ("endpoint", "place", "n", "failed", "p50", "95 % interval", "p90", "p95", "p99")
_CELLS = ("cell", "state", "baseline", "now", "change", "detectable", "n")
_BAR = "background:#3A8FC4;height:.7em;min-width:1px"


def summary_card(summary: Summary) -> str:
    """The answer, each stratum's endpoints, and the cautions."""
    found, doc = answer(summary), summary.to_dict()
    tables = [_stratum(doc, stratum, i) for i, stratum in enumerate(summary.strata)]
    where = paragraph(words.circumstances(doc))
    return card(found.state, found.sentence, where, *filter(None, tables), _cautions(summary))


def _stratum(doc: dict[str, Any], stratum: Stratum, place: int) -> str:
    """Fastest first, as in a report."""
    named = doc["strata"][place]
    cells = [cell for cell in doc["cells"] if cell["stratum"] == named and cell["n"]]
    cells.sort(key=lambda cell: (cell["median_ms"] is None, cell["median_ms"] or 0.0))
    ranks = {rank["endpoint"]: rank for rank in doc["ranks"] if rank["stratum"] == named}
    rows = [_endpoint(cell, ranks.get(cell["endpoint"])) for cell in cells]
    title = f"{stratum}: {stratum.metric}"
    return table(_ENDPOINTS, rows, title) if rows else ""


def _endpoint(cell: dict[str, Any], rank: dict[str, Any] | None) -> list[str]:
    found = cell["quantiles"]
    return [
        cell["endpoint"],
        words.place(rank),
        words.count(cell["n"]),
        words.share(cell["failures"]),
        words.value(found["p50"]),
        words.interval(found["p50"]),
        *(words.value(found[name]) for name in ("p90", "p95", "p99")),
    ]


def verdict_card(verdict: Verdict) -> str:
    """The sentence that every output carries, and the cells behind it."""
    return card(verdict.state, verdict_words.sentence([verdict]), *judged(verdict))


def judged(verdict: Verdict) -> Iterator[str]:
    """What was judged by what: the cells of each stratum, the worst first, and the cautions."""
    yield paragraph(f"{verdict.b} against {verdict.a}")
    found = verdict_words.cells([verdict])
    for stratum in dict.fromkeys(one.stratum for one in found):
        rows = [_judged(one) for one in found if one.stratum == stratum]
        yield table(_CELLS, rows, str(stratum), names=2)
    yield _cautions(verdict)


def _judged(one: Judged) -> list[str]:
    return [
        verdict_words.short(one),
        verdict_words.because(one),
        verdict_words.value(one, one.baseline),
        verdict_words.value(one, one.observed),
        verdict_words.change(one, one.change),
        verdict_words.change(one, one.detectable),
        words.count(one.n),
    ]


def race_card(verdict: RaceVerdict) -> str:
    """Who is to be taken, and who dropped out when."""
    named = words.clean(verdict.best) if verdict.best else " or ".join(verdict.endpoints)
    sentence = f"{verdict.kind}: {named or 'nobody'}, after {verdict.requests} requests."
    out = {one.endpoint: f"{one.reason} (round {one.round})" for one in verdict.eliminations}
    rows = [
        [name, out.get(name, "in the race"), _failed(rate)]
        for name, rate in verdict.failures.items()
    ]
    return card(verdict.kind, sentence, table(("endpoint", "standing", "failed"), rows, names=2))


def _failed(rate: Rate) -> str:
    return words.UNKNOWN if rate.share is None else words.percent(rate.share)


def routing_card(routing: Routing) -> str:
    """The answer in words, and each share as a bar with its interval."""
    rows = [[s.name, words.percent(s.value), span(s), s.n_references] for s in routing.shares]
    head = ("served by", "share of global", "95 % interval", "known from")
    state = "identifiable" if routing.identifiable else "not identifiable"
    shown = [*_bars(routing), table(head, rows)] if routing.identifiable else []
    how = paragraph(f"{routing.method}, {routing.n_global} answers" if routing.method else "")
    return card(state, routing.words(), *shown, how)


def _bars(routing: Routing) -> Iterator[str]:
    yield '<div style="width:24em;max-width:100%" aria-hidden="true">'
    yield from (
        f'<div style="{_BAR};width:{100 * s.value:.1f}%;margin:.2em 0"></div>'
        for s in routing.shares
    )
    yield "</div>"


def places_card(places: Places) -> str:
    """The answer, each vantage's own, and what the compromises cost there."""
    rows = [
        [name, places_words.choice(race), places_words.chance(race.wrong)]
        for name, race in places.races.items()
    ]
    each = table(("from", "fastest", "risk"), rows, str(places.stratum), names=2)
    costs = [_cost(cost) for cost in encode.plain(places.costs)]
    head = ("from", "endpoint", "over the fastest, p50", "together 95 %", "p95", "together 95 %")
    both = table(head, costs, "What one endpoint costs", names=2)
    return card(places.kind, places.sentence, each, listed(places_words.rules(places)), both)


def _cost(cost: dict[str, Any]) -> list[str]:
    sides = (part for key in ("p50", "p95") for part in words.cost(cost[key]))
    return [cost["vantage"], cost["endpoint"], *sides]


def _cautions(of: Summary | Verdict) -> str:
    return listed(map(_told, of.cautions))


def _told(caution: Caution) -> str:
    return " ".join(filter(None, (caution.text, caution.advice)))
