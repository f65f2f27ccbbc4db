"""Rows of one batch from three vantages, as their three runs would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from bench.frame import tidy
from tests.synthetic import START, rows, run

APART: Mapping[str, Mapping[str, float]] = {
    "fra": {"us-east-1": 400.0, "eu-west-1": 120.0, "us-west-2": 560.0, "us": 260.0},
    "iad": {"us-east-1": 120.0, "eu-west-1": 420.0, "us-west-2": 300.0, "us": 200.0},
    "sea": {"us-east-1": 320.0, "eu-west-1": 600.0, "us-west-2": 120.0, "us": 220.0},
}
"""Medians in ms by vantage and endpoint: another one is fastest from each, and us costs least."""

ALIKE = {name: {"us-east-1": 150.0, "eu-west-1": 300.0, "us": 330.0} for name in APART}


def parts(
    medians: Mapping[str, Mapping[str, float]] = APART,
    rounds: int = 80,
    shift: Mapping[str, timedelta] | None = None,
    **changes: Any,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and runs; ``shift`` is by how much a vantage's clock is wrong."""
    made: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    for seed, (name, own) in enumerate(medians.items()):
        late = (shift or {}).get(name, timedelta())
        mine: dict[str, Any] = {"run_id": f"run-{name}", "vantage": name}
        for row in rows(rounds, [*own], seed=seed, medians_ms=own, **{**mine, **changes}):
            began = START + timedelta(seconds=row["seq"] * 0.5) + late
            made.append(row | {"started_at": began.isoformat()})
        mine |= {"started_at": (START + late).isoformat()}
        told.append(run([*own], plan={"batch": "tour", "rounds": rounds}, **mine))
    return made, told


def tour(*given: Any, **changes: Any) -> pd.DataFrame:
    """The frame of `parts`."""
    return tidy(*parts(*given, **changes))
