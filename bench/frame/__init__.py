"""Rows → one tidy DataFrame: one row per request, whatever became of it.

The columns are those of the row (`bench.model.COLUMNS`) and, after them, what can be derived
(`DERIVED`). Everything above this floor reads requests only through such a frame.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.errors import UsageError
from bench.frame.gathered import Gathered, Instants, Names, Numbers, Others, encoded, indices
from bench.model import COLUMNS, CONNECTIONS, GLOBAL, KINDS, OUTCOMES, Caution
from bench.store.columns import Column, arrow_type
from bench.store.lines import column_types
from bench.store.tables import StoredTable, of_rows
from bench.units import NS_PER_MS

if TYPE_CHECKING:
    import pyarrow as pa

DERIVED = ("server_ms", "network_ms", "think_ms")
"""What the frame adds, in milliseconds.

``server_ms``   the server's own word for how long it worked (``server_e2e_ms``)
``network_ms``  the client's total less ``server_ms``: everything outside the server
``think_ms``    first byte less one network round trip: the wait that distance does not explain
"""

KEYS = (
    *("run_id", "round", "endpoint", "kind", "streamed", "client", "connection", "arm"),
    *("warmup", "vantage", "started_at", "outcome", "reused", "model", "flags"),
)
"""What says which rows may be compared, and which count. A frame always has them."""

_FLOAT: Any = "float64"
_INTEGERS: Any = pd.Int64Dtype()
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "server_ms": ("server_e2e_ms",),
    "network_ms": ("total_ns", "server_e2e_ms"),
    "think_ms": ("run_id", "endpoint", "peer_ip", "min_rtt_ns", "ttfb_kernel_ns", "ttfb_ns"),
}
"""What a derived column is made of."""

_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "connection": CONNECTIONS,
    "outcome": OUTCOMES,
    **dict.fromkeys(("run_id", "region", "client", "arm", "vantage", "model", "flags"), ()),
    **dict.fromkeys(("failed_phase", "ttfb_layer", "http_version", "peer_ip", "edge"), ()),
    **dict.fromkeys(("tls_version", "fingerprint"), ()),
}
"""Columns of few values, and those that are known; a code a row instead of a text."""


def tidy(rows: Iterable[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """One row per request: `COLUMNS` in order, then `DERIVED`.

    ``*_ns`` and counts are Int64, other numbers Float64, flags boolean, ``started_at`` is
    datetime64[ns, UTC], ``endpoint`` an ordered category (global first, then as the runs list
    them), other names of few values categories, lists Arrow's: as Python objects they would take
    six times the memory. What is unknown is NA. A column that a row lacks becomes NA and one that
    this version does not know is dropped, so files of other versions stay readable; a value that
    is not of its column's type becomes NA.

    ``attrs["runs"]`` holds the given ``run.json`` contents, ``attrs["cautions"]`` is a list of
    ``{"code", "text", "advice"}``.
    """
    df = joined([of_rows({}, list(rows))], None, runs)
    df.attrs = {"runs": [dict(run) for run in runs], "cautions": []}
    return df


def needed(columns: Sequence[str] | None) -> tuple[str, ...]:
    """The stored columns that a frame of ``columns`` takes; None is all of them.

    Raises UsageError for a name that is no column.
    """
    wanted = _shown(columns)
    parts = [part for name in wanted for part in _NEEDS.get(name, (name,))]
    return tuple(name for name in COLUMNS if name in parts)


def _shown(columns: Sequence[str] | None) -> list[str]:
    """The frame's columns, in its order."""
    every = (*COLUMNS, *DERIVED)
    if columns is None:
        return list(every)
    for name in columns:
        if name not in every:
            near = difflib.get_close_matches(name, every, 1)
            raise UsageError(f"there is no column {name!r}" + (f"; {near[0]}?" if near else ""))
    return [name for name in every if name in columns or name in KEYS]


def joined(
    tables: Iterable[StoredTable],
    columns: Sequence[str] | None = None,
    listed: Sequence[Mapping[str, Any]] = (),
) -> pd.DataFrame:
    """As `tidy`, of stored runs by column: `KEYS`, and ``columns`` if not all. Rows that a choice
    left out are left out; so are runs of which it left nothing, and a caution says how many.

    Takes one table after the other and keeps none of them. ``listed`` are runs whose endpoints come
    first.
    """
    shown, heads, told, missed = _shown(columns), list[Any](), list[Caution](), 0
    endpoints = Names()
    parts = {name: endpoints if name == "endpoint" else _part(name) for name in shown}
    for one in tables:
        table = _derived(one.table, shown)
        table = table if one.kept is None or not len(table) else table.filter(one.kept)
        for name, part in parts.items():
            part.add(table[name])
        missed += one.missed
        if not one.missed:
            heads.append(one.run)
            told += one.cautions
    order = _global_first([*_listed([*listed, *heads]), *endpoints.names])
    made = {
        name: endpoints.ordered(order) if name == "endpoint" else part.whole()
        for name, part in parts.items()
    }
    frame = pd.DataFrame(made, copy=False)
    told += [_filtered_out(missed, missed + len(heads))] if missed else []
    frame.attrs = {"runs": heads, "cautions": [asdict(caution) for caution in told]}
    return frame


def _filtered_out(missed: int, of: int) -> Caution:
    text = f"{missed} of {of} runs have no row that was asked for: they are not in the frame."
    return Caution("filtered_out", text)


def _part(name: str) -> Gathered:
    if name in _CATEGORIES:
        return Names(_CATEGORIES[name])
    if name == "started_at":
        return Instants()
    kind = float if name in DERIVED else column_types().get(name, list)
    return Numbers(kind) if kind in (int, float, bool) else Others(arrow_type(name))


def _derived(table: pa.Table, shown: Sequence[str]) -> pa.Table:
    import pyarrow.compute as pc

    for name in DERIVED:
        if name in shown:
            table = table.append_column(name, _DERIVATIONS[name](pc, table))
    return table


def _network_ms(pc: Any, table: pa.Table) -> Column:
    total_ms = pc.divide(table["total_ns"].cast(_FLOAT, safe=False), float(NS_PER_MS))
    return pc.subtract(total_ms, table["server_e2e_ms"])


def _think_ms(pc: Any, table: pa.Table) -> Column:
    """One connection's minimum rests on its SYN alone, since later round trips carry delayed ACKs;
    the path's is the smallest of all connections that took it."""
    keys = [_codes(table[name]) for name in ("run_id", "endpoint", "peer_ip")]
    rtt_ns = _INTEGERS.__from_arrow__(table["min_rtt_ns"])
    shortest = pd.Series(rtt_ns).groupby(keys).transform("min")
    first_byte = pc.coalesce(table["ttfb_kernel_ns"], table["ttfb_ns"])
    think_ns = pc.subtract(first_byte, shortest.array.__arrow_array__())
    return pc.divide(think_ns.cast(_FLOAT, safe=False), float(NS_PER_MS))


def _codes(names: Column) -> Any:
    return indices(encoded(names.combine_chunks()))


_DERIVATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "server_ms": lambda _, table: table["server_e2e_ms"],
    "network_ms": _network_ms,
    "think_ms": _think_ms,
}


def unrolled(lists: pd.Series[Any]) -> tuple[Any, Any]:
    """All items of a column of lists, one list after the other, and how many each row has, 0 for
    none: two arrays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole: Any = pa.array(lists, arrow_type(str(lists.name)), from_pandas=True)
    items, sizes = pc.list_flatten(whole), pc.fill_null(pc.list_value_length(whole), 0)
    return items.to_numpy(zero_copy_only=False), sizes.to_numpy(zero_copy_only=False)


def _listed(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    told = (run.get("endpoints") for run in runs)
    items = (item for items in told if isinstance(items, list | tuple) for item in items)
    return [str(item.get("name")) for item in items if isinstance(item, Mapping)]


def _global_first(names: Iterable[str]) -> list[str]:
    return sorted(dict.fromkeys(names), key=lambda name: name != GLOBAL)
