"""Verdicts for github-action-benchmark, tool ``customSmallerIsBetter``: dashboards keep working."""

from __future__ import annotations

import json
import math
from typing import Any

from bench.stats import verdict_words as words
from bench.stats.verdict import Judged
from bench.stats.verdict_words import Verdicts
from bench.words import clean


def render(verdicts: Verdicts) -> str:
    """A JSON array of {name, unit, value, range, extra}, a cell once however often it was judged.

    JSON has no infinity: a quantile that lies among the failures has no entry of its own, the
    cell's failure rate tells of it.
    """
    found = {one.name: one for one in reversed([o for v in verdicts for o in v.judged])}
    entries = [_entry(one) for one in reversed(found.values()) if _finite(one.observed)]
    return json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _entry(one: Judged) -> dict[str, Any]:
    value, unit = _scaled(one, one.observed or 0.0)
    spread = _spread(one)
    return {
        "name": clean(one.name),
        "unit": unit,
        "value": float(f"{value:.6g}"),
        **({} if spread is None else {"range": f"± {spread:.2f}"}),
        "extra": f"n = {one.n}\n{words.because(one)}",
    }


def _scaled(one: Judged, number: float) -> tuple[float, str]:
    return (100 * number, "%") if one.measure == "failure_rate" else (number, "ms")


def _spread(one: Judged) -> float | None:
    """Half the width of the change's interval, in the entry's unit."""
    if not (_finite(one.low) and _finite(one.high) and _finite(one.baseline)):
        return None
    low, high, baseline = one.low or 0.0, one.high or 0.0, one.baseline or 0.0
    half = (high - low) / 2
    return 100 * half if one.measure == "failure_rate" else half * baseline


def _finite(number: float | None) -> bool:
    return number is not None and math.isfinite(number)
