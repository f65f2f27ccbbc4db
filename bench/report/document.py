"""The one truth behind every output: what a report says, as strict JSON types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import pandas as pd

from bench.model import ASKING, SCHEMA_VERSION, Plan
from bench.report import again
from bench.report.mends import mend
from bench.stats import METRICS, Summary, answer
from bench.stats.encode import plain
from bench.stats.routing import route
from bench.stats.spillover import spillover

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
        caution["command"] = mend(caution["code"], runs, found["cells"])
    return {
        "schema_version": SCHEMA_VERSION,
        **found,
        "settings": [setting for run in runs for setting in _settings(run)],
        "runs": [plain(_about(run)) for run in runs],
    }


def with_routing(doc: Document, df: pd.DataFrame) -> Document:
    """The document and what only rows can tell: ``routing`` and its ``spillover`` in time.

    It takes seconds on a long run, which not every output has a use for.
    """
    found = route(df)
    spilled = spillover(df, found)
    return {**doc, "routing": plain(found.to_dict()), "spillover": plain(spilled.to_dict())}


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
    return f"{streamed}{stratum['kind']}, {stratum['connection']}, {stratum['client']}{model}{arm}"


def metric_label(stratum: Mapping[str, Any]) -> str:
    """The name of a stratum's main metric, without its unit."""
    chat = stratum["kind"] in ASKING and stratum["streamed"]
    return METRICS["ttft" if chat else "total"].label.removesuffix(" (ms)")


def dropped(doc: Document) -> dict[str, str]:
    """Endpoints that were asked for and never measured in any stratum, with the reason."""
    measured = {cell["endpoint"] for cell in doc["cells"] if cell["n"]}
    return {c["endpoint"]: c["reason"] or "" for c in doc["cells"] if c["endpoint"] not in measured}
