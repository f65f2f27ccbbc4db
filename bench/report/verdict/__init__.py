"""What a gate or a comparison found, where people and CI look for it. One table: `OUTPUTS`."""

from __future__ import annotations

import json as _json
from collections.abc import Callable

from bench.report.verdict import action_benchmark, annotate, junit, step_summary, text
from bench.stats import verdict_words as words
from bench.stats.verdict import Judged, Verdict
from bench.stats.verdict_words import Verdicts


def json(verdicts: Verdicts) -> str:
    """One JSON document: ``passed`` is true only when nothing regressed and nothing is open."""
    text = _json.dumps(document(verdicts), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(
        "utf-8", "backslashreplace"
    ).decode()  # half a pair is \\ud800 in JSON as well


def document(verdicts: Verdicts) -> dict[str, object]:
    """What `json` writes, as strict JSON types: see schema.json beside this file."""
    state = words.state(verdicts)
    return {
        "schema_version": 1,
        "passed": state == "ok",
        "state": state,
        "sentence": words.sentence(verdicts),
        "not_measured": words.missing(verdicts),
        "verdicts": [_with_units(verdict) for verdict in verdicts],
    }


def _with_units(verdict: Verdict) -> dict[str, object]:
    found = verdict.to_dict()
    for one in found["judged"]:
        one["unit"] = "share" if one["measure"] == "failure_rate" else "ms"
    return found


OUTPUTS: dict[str, Callable[[Verdicts], str]] = {
    "text": text.render,
    "json": json,
    "step-summary": step_summary.render,
    "annotations": annotate.render,
    "junit": junit.render,
    "github-action-benchmark": action_benchmark.render,
}
"""Name → the text of one output. A new one is a function, a line here and a golden file."""

__all__ = ["OUTPUTS", "Judged", "Verdict", "Verdicts", "document", "json"]
