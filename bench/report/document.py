"""The one truth behind every output: what a report says, as strict JSON types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from bench.model import ASKING, SCHEMA_VERSION, Plan
from bench.report import again
from bench.report.mends import mend
from bench.stats import METRICS, Summary, answer
from bench.stats.answer import Answer, State
from bench.stats.encode import plain
from bench.stats.places import Places
from bench.stats.routing import Routing
from bench.stats.spillover import Spillover

_ELSEWHERE = ("messages", "objectives", "batch")
"""What a plan says besides how to measure: texts, what a gate judges, a name."""

Document = dict[str, Any]
Runs = Sequence[Mapping[str, Any]]


def document(summary: Summary, runs: Runs) -> Document:
    """``answer``, everything in ``summary``, ``settings`` and ``runs``; no NaN, no infinity.

    Each caution has the ``command`` that mends it, each run how to measure it ``again``. Outputs
    take every number from here, so they cannot disagree with each other or with the JSON that a
    page carries.
    """
    found = {"answer": plain(answer(summary)), **summary.to_dict()}
    for caution in found["cautions"]:
        place = caution["vantage"]
        own = [run for run in runs if place in ("", run.get("vantage"))]
        cells = [c for c in found["cells"] if not place or c["stratum"]["vantage"] == place]
        caution["command"] = mend(caution["code"], own, cells)
    return {
        "schema_version": SCHEMA_VERSION,
        **found,
        "settings": [setting for run in runs for setting in _settings(run)],
        "runs": [plain(_about(run)) for run in runs],
    }


def with_routing(doc: Document, found: Mapping[str, tuple[Routing, Spillover]]) -> Document:
    """The document and where each vantage's requests to global went, with its spillover in time.

    Of one vantage under ``routing`` and ``spillover``; of several under ``routes``, one each.
    """
    told = [
        {"vantage": name, "routing": plain(r.to_dict()), "spillover": plain(s.to_dict())}
        for name, (r, s) in found.items()
    ]
    if len(told) == 1:
        return {**doc, "routing": told[0]["routing"], "spillover": told[0]["spillover"]}
    return {**doc, "routing": None, "spillover": None, "routes": told}


def routed(doc: Document) -> list[tuple[str, str, Document, Document]]:
    """Vantage (empty: the only one), key, routing and spillover; nothing where it was not asked."""
    if doc.get("routing") is not None:
        return [("", "routing", doc["routing"], doc["spillover"])]
    return [
        (one["vantage"], f"routes.{i}.routing", one["routing"], one["spillover"])
        for i, one in enumerate(doc.get("routes") or ())
    ]


_STATES: Mapping[str, State] = {
    "one": "one for all",
    "each": "one each",
    "undecided": "undecided",
}


def with_places(doc: Document, found: Places | None) -> Document:
    """The document of several vantages: their answers are its answer, and no number is of two."""
    if found is None:
        text = "Not enough data: the vantages measured nothing in common."
        return {**doc, "answer": plain(Answer("not enough data", text)), "places": None}
    named = {race.best for race in found.races.values()} - {None}
    made = Answer(_STATES[found.kind], found.sentence, tuple(sorted(map(str, named))))
    return {**doc, "answer": plain(made), "places": found.to_dict()}


def _settings(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each setting of a run's plan, and whether it is the product's default."""
    plan, usual = run.get("plan") or {}, Plan()
    for name in (f.name for f in fields(Plan)):
        if name not in plan or name in _ELSEWHERE:
            continue
        value, default = plain(plan[name]), plain(getattr(usual, name))
        if name == "arms":
            value = {arm: _changed(parts) for arm, parts in value.items()}
        yield {
            "run_id": str(run.get("run_id") or ""),
            "name": name,
            "value": value,
            "default": default,
            "changed": value != default,
        }


def _changed(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What an arm asks otherwise; of its messages only that it has its own."""
    own = {"messages": "its own"} if arm.get("messages") else {}
    found = {name: arm[name] for name in ("model", "parameters") if arm.get(name)}
    return {**found, **own}


def _about(run: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        *("run_id", "status", "provider", "simulated", "vantage", "model", "scheduled"),
        *("plan_sha256", "versions", "clock", "platform"),
    )
    toml = again.plan_toml(run)
    how = None if toml is None else {"command": again.command(run), "plan_toml": toml}
    return {name: run.get(name) for name in names} | {"again": how}


def at(doc: Document, key: str) -> Any:
    """The value under a dotted key such as ``cells.0.quantiles.p50.value_ms``; the last name may
    hold dots itself."""
    value: Any = doc
    rest = key
    while rest:
        if isinstance(value, Mapping) and rest in value:
            return value[rest]
        part, _, rest = rest.partition(".")
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def strata(doc: Document) -> list[tuple[Mapping[str, Any], list[int], list[int]]]:
    """Each stratum with the positions of its cells, ranked, and of its differences."""
    return [
        (
            stratum,
            sorted(_where(doc["cells"], stratum), key=lambda i: _rank(doc["cells"][i])),
            _where(doc["differences"], stratum),
        )
        for stratum in doc["strata"]
    ]


def _where(items: Sequence[Mapping[str, Any]], stratum: Mapping[str, Any]) -> list[int]:
    return [i for i, item in enumerate(items) if item["stratum"] == stratum]


def _rank(cell: Mapping[str, Any]) -> tuple[bool, float]:
    median = cell["median_ms"]
    return median is None, median or 0.0


def rank_of(doc: Document, cell: Document) -> int | None:
    """The position in ``ranks`` of a cell's places; None for what fails or has too few rows."""
    key = (cell["stratum"], cell["endpoint"])
    ranks = enumerate(doc["ranks"])
    return next((i for i, rank in ranks if (rank["stratum"], rank["endpoint"]) == key), None)


def title(stratum: Mapping[str, Any]) -> str:
    """``streamed chat, warm, httpx, grok-4``."""
    streamed = "streamed " if stratum["streamed"] else ""
    model = f", {stratum['model']}" if stratum["model"] else ""
    arm = f", arm {stratum['arm']}" if stratum["arm"] else ""
    place = f", from {stratum['vantage']}" if stratum["vantage"] else ""
    work = f"{streamed}{stratum['kind']}, {stratum['connection']}, {stratum['client']}"
    return f"{work}{model}{arm}{place}"


def metric_label(stratum: Mapping[str, Any]) -> str:
    """The name of a stratum's main metric, without its unit."""
    chat = stratum["kind"] in ASKING and stratum["streamed"]
    return METRICS["ttft" if chat else "total"].label.removesuffix(" (ms)")


def dropped(doc: Document) -> dict[str, str]:
    """Endpoints that were asked for and never measured in any stratum, with the reason."""
    measured = {_who(cell) for cell in doc["cells"] if cell["n"]}
    return {_who(c): c["reason"] or "" for c in doc["cells"] if _who(c) not in measured}


def _who(cell: Document) -> str:
    place = cell["stratum"]["vantage"]
    return f"{cell['endpoint']} from {place}" if place else str(cell["endpoint"])
