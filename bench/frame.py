"""Rows → one tidy DataFrame: one row per request, whatever became of it.

The columns are those of the row (`bench.model.COLUMNS`) and, after them, what can be derived from
one row alone (`DERIVED`). Everything above this floor reads requests only through such a frame.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.model import COLUMNS, CONNECTIONS, GLOBAL, KINDS, OUTCOMES
from bench.units import NS_PER_MS

DERIVED = ("server_ms", "network_ms", "think_ms")
"""What the frame adds, in milliseconds.

``server_ms``   the server's own word for how long it worked (``server_e2e_ms``)
``network_ms``  the client's total less ``server_ms``: everything outside the server
``think_ms``    first byte less one network round trip: the wait that distance does not explain
"""

_LISTS = frozenset({"token_offsets_ns", "token_coalesced"})
_FLAGS = frozenset({"streamed", "warmup", "reused", "clock_step"})
_FLOATS = frozenset({"retry_after_s", "server_ttft_ms", "server_e2e_ms", "cost_usd", *DERIVED})
_COUNTS = frozenset({"seq", "round", "status", "retransmits", "bytes"}) | {
    f"{kind}_tokens" for kind in ("prompt", "completion", "reasoning", "cached")
}
_SCALARS = frozenset({int, float, bool, str, type(None)})
"""Nearly every value: asking numpy of each took half of the time to make a frame."""

_YEARS = pd.Timestamp("1678-01-01", tz="UTC"), pd.Timestamp("2262-01-01", tz="UTC")
"""What 64 bits of nanoseconds can hold."""

_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "connection": CONNECTIONS,
    "client": (),
    "arm": (),
    "outcome": OUTCOMES,
}


def tidy(rows: Iterable[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """One row per request: `COLUMNS` in order, then `DERIVED`.

    ``*_ns`` and counts are Int64, other numbers Float64, flags boolean, ``started_at`` is
    datetime64[ns, UTC], ``endpoint`` an ordered category (global first, then as the runs list
    them), list columns are objects. What is unknown is NA. A column that a row lacks becomes NA
    and one that this version does not know is dropped, so files of other versions stay readable;
    a value that is not of its column's type becomes NA.

    ``attrs["runs"]`` holds the given ``run.json`` contents, ``attrs["cautions"]`` is a list of
    ``{"code", "text", "advice"}``.
    """
    table = list(rows)
    columns: dict[str, Any] = {
        name: _column(name, [row.get(name) for row in table]) for name in COLUMNS
    }
    columns["endpoint"] = _endpoints([row.get("endpoint") for row in table], runs)
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(table)))
    _derive(frame)
    frame.attrs["runs"] = [dict(run) for run in runs]
    frame.attrs["cautions"] = []
    return frame


def _column(name: str, values: list[Any]) -> Any:
    if name in _LISTS:
        return pd.Series(values, dtype=object)
    if name == "started_at":
        return _instants(values)
    if name in _CATEGORIES:
        return _category(values, _CATEGORIES[name])
    if name in _FLAGS:
        return _typed(values, "boolean", _as_flag)
    if name in _FLOATS:
        return _typed(values, "Float64", _as_float)
    if name in _COUNTS or name.endswith("_ns"):
        return _typed(values, "Int64", _as_int)
    return _typed(values, "string", str)


def _typed(values: list[Any], dtype: Any, parse: Callable[[Any], Any]) -> Any:
    """An array of ``dtype``; value by value, and NA for what does not parse, if some are odd."""
    single = [v if type(v) in _SCALARS or np.isscalar(v) else None for v in values]
    try:
        with np.errstate(invalid="raise"):  # a float beyond 64 bits would become a wrong integer
            return pd.array(single, dtype=dtype)
    except (TypeError, ValueError, ArithmeticError):
        return pd.array([_or_none(parse, value) for value in single], dtype=dtype)


def _or_none(parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else parse(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _as_int(value: Any) -> int:
    if not -(2**63) <= (whole := int(value)) < 2**63:
        raise OverflowError(value)
    return whole


def _as_float(value: Any) -> float:
    return float(value)


def _as_flag(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, np.bool_)) else None


def _instants(values: list[Any]) -> pd.Series[Any]:
    texts = [value if isinstance(value, (str, dt.datetime)) else None for value in values]
    raw = pd.Series(texts, dtype=object)
    parsed = pd.to_datetime(raw, utc=True, format="ISO8601", errors="coerce")
    return parsed.where(parsed.between(*_YEARS)).astype("datetime64[ns, UTC]")


def _category(values: list[Any], known: Sequence[str], ordered: bool = False) -> pd.Categorical:
    """Known names keep their order; names this version has not met follow as they appear."""
    texts = [value if isinstance(value, str) else None for value in values]
    names = list(dict.fromkeys([*known, *(text for text in texts if text is not None)]))
    return pd.Categorical(texts, categories=names, ordered=ordered)


def _endpoints(values: list[Any], runs: Sequence[Mapping[str, Any]]) -> pd.Categorical:
    listed = [
        str(item.get("name"))
        for run in runs
        for item in (run.get("endpoints") or ())
        if isinstance(item, Mapping)
    ]
    present = GLOBAL in listed or GLOBAL in values
    return _category(values, [GLOBAL, *listed] if present else listed, ordered=True)


def _derive(frame: pd.DataFrame) -> None:
    first_byte = frame["ttfb_kernel_ns"].fillna(frame["ttfb_ns"])
    frame["server_ms"] = frame["server_e2e_ms"]
    frame["network_ms"] = frame["total_ns"].astype("Float64") / NS_PER_MS - frame["server_ms"]
    # One connection's minimum rests on its SYN alone, since later round trips carry delayed ACKs;
    # the path's is the smallest of all connections that took it.
    path = frame.groupby(["run_id", "endpoint", "peer_ip"], observed=True, dropna=False)
    shortest = path["min_rtt_ns"].transform("min")
    frame["think_ms"] = (first_byte - shortest).astype("Float64") / NS_PER_MS
