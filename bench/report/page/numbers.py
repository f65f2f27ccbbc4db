"""The numbers that each figure draws, as rows: for whoever cannot see it, or wants to compute.

One function per figure, in `NUMBERS`; their rows go into the document, from where the page takes
them as it takes every number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench import words
from bench.plots.phases import SEGMENTS, typical
from bench.plots.view import View, view
from bench.report.document import Document
from bench.report.page.markup import data, escape, table
from bench.stats import quantile
from bench.stats.encode import plain
from bench.stats.metrics import countable, latency_ms
from bench.stats.vantages import by_vantage

SHAPE = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
TAIL = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
SPANS = 12
"""A run is cut into so many equal spans of time."""

Columns = tuple[tuple[str, str], ...]
Rows = list[list[Any]]

_UNITS: Mapping[str, Callable[[Any], str]] = {
    "ms": words.ms_or_dash,
    "count": words.count,
    "percent": lambda value: words.UNKNOWN if value is None else f"{value:.0f} %",
    "share": lambda value: words.UNKNOWN if value is None else words.percent(value),
}


def numbers_of(doc: Document, df: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """``columns``, each with its name and unit, and ``rows`` of the figures with these names."""
    found = {name: NUMBERS[name](doc, df) for name in names}
    return {
        name: {
            "columns": [{"name": column, "unit": unit} for column, unit in columns],
            "rows": plain(rows),
        }
        for name, (columns, rows) in found.items()
    }


def numbers_table(doc: Document, key: str, name: str) -> str:
    """The rows of one figure, as a table of the page."""
    found = doc["figures"][key]
    head = [column["name"] for column in found["columns"]]
    rows = [
        [_cell(doc, f"figures.{key}.rows.{i}.{j}", column["unit"], value)
         for j, (column, value) in enumerate(zip(found["columns"], row, strict=True))]
        for i, row in enumerate(found["rows"])
    ]  # fmt: skip
    return table(f"Numbers of the figure {name}", head, rows)


def _cell(doc: Document, key: str, unit: str, value: Any) -> str:
    return data(doc, key, _UNITS[unit](value)) if unit in _UNITS else escape(value)


def _quantiles(df: pd.DataFrame, levels: Mapping[str, float]) -> tuple[Columns, Rows]:
    """Of each endpoint; a quantile among failures is not known."""
    columns: Columns = (("endpoint", "text"), ("n", "count"), ("failed", "count"))
    columns += tuple((name, "ms") for name in levels)
    seen = view(df)
    return columns, [
        [name, len(ms), int(np.isinf(ms).sum()), *(quantile(ms, q) for q in levels.values())]
        for name, ms in (seen.series if seen else {}).items()
        if len(ms)
    ]


def _difference(doc: Document, _: pd.DataFrame) -> tuple[Columns, Rows]:
    columns: Columns = (("endpoint", "text"), ("rounds", "count"), ("less global", "ms"))
    columns += (("from", "ms"), ("to", "ms"), ("in percent", "percent"))
    mine = [d for d in doc["differences"] if d["stratum"] == doc["answer"]["stratum"]]
    return columns, [
        [d["endpoint"], d["n_pairs"], *(d["ms"][k] for k in ("value_ms", "low_ms", "high_ms")),
         d["percent"]["value_percent"]]
        for d in mine
    ]  # fmt: skip


def _times(_: Document, df: pd.DataFrame) -> tuple[Columns, Rows]:
    """In equal spans of time."""
    times = df["started_at"].dropna()
    if times.empty:
        return _grid(df, "from", times)
    edges = pd.date_range(times.min(), times.max(), SPANS + 1)
    day = "%H:%M:%S" if edges[0].date() == edges[-1].date() else "%Y-%m-%d %H:%M"
    place = np.searchsorted(edges[1:-1], times, side="right")
    return _grid(df, "from", pd.Series(edges[place].strftime(day), times.index))


def _hours(_: Document, df: pd.DataFrame) -> tuple[Columns, Rows]:
    return _grid(df, "hour", df["started_at"].dropna().dt.strftime("%H"))


def _vantages(_: Document, df: pd.DataFrame) -> tuple[Columns, Rows]:
    """In the work of the answer, as the figure has it."""
    names, parts = _asked(df), by_vantage(df)
    columns = (("vantage", "text"), *((name, "ms") for name in names), ("failed", "count"))
    seen = {place: view(part) for place, part in parts.items()}
    return columns, [
        [place, *_medians(one, one.rows, names)] for place, one in seen.items() if one is not None
    ]


def _asked(df: pd.DataFrame) -> list[str]:
    present = set(countable(df)["endpoint"].astype(str))
    return [str(name) for name in df["endpoint"].cat.categories if str(name) in present]


def _grid(df: pd.DataFrame, label: str, keys: pd.Series[Any]) -> tuple[Columns, Rows]:
    """One row for each of ``keys``, which name rows of the frame: the endpoints' medians, failures
    as slower than any answer, and how many failed."""
    seen = view(df)
    names = list(seen.series) if seen else []
    columns = ((label, "text"), *((name, "ms") for name in names), ("failed", "count"))
    if seen is None:
        return columns, []
    own = keys.reindex(seen.rows.index)
    return columns, [
        [str(key), *_medians(seen, part, names)] for key, part in seen.rows.groupby(own)
    ]


def _medians(seen: View, part: pd.DataFrame, names: Sequence[str]) -> list[Any]:
    ms = latency_ms(part, seen.stratum.metric)
    own = [ms[(part["endpoint"] == name).to_numpy()] for name in names]
    known = [values[~np.isnan(values)] for values in own]
    return [
        *(quantile(values, 0.5) if len(values) else None for values in known),
        int(np.isinf(ms).sum()),
    ]


def _phases(_: Document, df: pd.DataFrame) -> tuple[Columns, Rows]:
    columns = (("endpoint", "text"), *((label, "ms") for label, *_ in SEGMENTS.values()))
    seen = view(df)
    return (*columns, ("together", "ms")), [
        [f"{name}, {connection}", *(float(parts[s]) for s in SEGMENTS), float(parts.sum())]
        for name, connection, _, parts in (typical(seen) if seen else ())
    ]


def _routing(doc: Document, _: pd.DataFrame) -> tuple[Columns, Rows]:
    columns = (("answered by", "text"), ("share", "share"), ("from", "share"), ("to", "share"))
    return columns, [
        [share["name"], share["value"], share["low"], share["high"]]
        for share in doc["routing"]["shares"]
    ]


def _spillover(doc: Document, _: pd.DataFrame) -> tuple[Columns, Rows]:
    windows = doc["spillover"]["windows"]
    names = list(windows[0]["shares"]) if windows else []
    columns = (("rounds", "text"), ("n", "count"), *((name, "share") for name in names))
    return columns, [
        [f"{w['first_round']} to {w['last_round']}", w["n"], *(w["shares"][n][0] for n in names)]
        for w in windows
    ]


NUMBERS: Mapping[str, Callable[[Document, pd.DataFrame], tuple[Columns, Rows]]] = {
    "ecdf": lambda _, df: _quantiles(df, SHAPE),
    "tail": lambda _, df: _quantiles(df, TAIL),
    "difference": _difference,
    "vantages": _vantages,
    "timeline": _times,
    "smoke": _times,
    "hours": _hours,
    "phases": _phases,
    "routing": _routing,
    "spillover": _spillover,
}
