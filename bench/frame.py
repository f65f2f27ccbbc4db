"""Rows → one tidy DataFrame: one row per request, whatever became of it.

The columns are those of the row (`bench.model.COLUMNS`) and, after them, what can be derived
(`DERIVED`). Everything above this floor reads requests only through such a frame.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from bench.errors import UsageError
from bench.model import COLUMNS, CONNECTIONS, GLOBAL, KINDS, OUTCOMES, Caution
from bench.store.columns import Column, arrow_type, instants
from bench.store.lines import column_types, item_types
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

_DTYPES: Mapping[type, Any] = {
    int: pd.Int64Dtype(),
    float: pd.Float64Dtype(),
    bool: pd.BooleanDtype(),
    str: pd.StringDtype(),
}


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

    Takes one table after the other and keeps none of them, and at the end one column after the
    other: what is in memory twice is one column. ``listed`` are runs whose endpoints come first.
    """
    import pyarrow as pa

    shown, heads, told, missed = _shown(columns), list[Any](), list[Caution](), 0
    parts: dict[str, list[Any]] = {name: [] for name in shown}
    for one in tables:
        table = _derived(one.table, shown)
        table = table if one.kept is None or not len(table) else table.filter(one.kept)
        for name, chunks in parts.items():
            chunks += _small(name, table[name])
        missed += one.missed
        if not one.missed:
            heads.append(one.run)
            told += one.cautions
    made = {name: _column(name, parts.pop(name), [*listed, *heads]) for name in shown}
    pa.default_memory_pool().release_unused()
    frame = pd.DataFrame(made, copy=False)
    told += [_filtered_out(missed, missed + len(heads))] if missed else []
    frame.attrs = {"runs": heads, "cautions": [asdict(caution) for caution in told]}
    return frame


def _filtered_out(missed: int, of: int) -> Caution:
    text = f"{missed} of {of} runs have no row that was asked for: they are not in the frame."
    return Caution("filtered_out", text)


def _small(name: str, column: Column) -> list[Any]:
    """What is kept of a run's column until all are there: names as codes, instants as numbers."""
    if name == "started_at":
        return list(instants(column).chunks)
    if name == "endpoint" or name in _CATEGORIES:
        return [_Coded.of(chunk) for chunk in column.chunks]
    return [_plain(chunk) for chunk in column.chunks]


@dataclass(frozen=True, slots=True)
class _Coded:
    """Names as places in a list, -1 for none; what is in no row is in no list."""

    codes: Any
    names: list[str | None]

    @classmethod
    def of(cls, chunk: Column) -> Self:
        found = _encoded(chunk)
        names = found.dictionary.to_pylist()
        if found.null_count == len(found):
            return cls(np.full(len(found), -1, np.int8), [])
        if len(names) == 1 and not found.null_count:
            return cls(np.zeros(len(found), np.int8), names)
        codes = _indices(found).astype(np.min_scalar_type(-max(1, len(names))))
        used = np.bincount(codes[codes >= 0], minlength=len(names))
        return cls(codes, [name if n else None for name, n in zip(names, used, strict=True)])


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
    rtt_ns = _DTYPES[int].__from_arrow__(table["min_rtt_ns"])
    shortest = pd.Series(rtt_ns).groupby(keys).transform("min")
    first_byte = pc.coalesce(table["ttfb_kernel_ns"], table["ttfb_ns"])
    think_ns = pc.subtract(first_byte, shortest.array.__arrow_array__())
    return pc.divide(think_ns.cast(_FLOAT, safe=False), float(NS_PER_MS))


def _codes(names: Column) -> Any:
    return _indices(_encoded(names.combine_chunks()))


_DERIVATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "server_ms": lambda _, table: table["server_e2e_ms"],
    "network_ms": _network_ms,
    "think_ms": _think_ms,
}


def _column(name: str, chunks: list[Any], runs: Sequence[Mapping[str, Any]]) -> Any:
    import pyarrow as pa

    if name == "endpoint":
        return _endpoints(chunks, runs)
    if name in _CATEGORIES:
        return _category(chunks, _CATEGORIES[name])
    if name in item_types():
        return pd.arrays.ArrowExtensionArray(pa.chunked_array(chunks, arrow_type(name)))
    if name == "started_at":
        kind: Any = pa.timestamp("ns", "UTC")
        whole = pa.chunked_array(chunks, kind)
        return whole.to_pandas().astype("datetime64[ns, UTC]")
    python = float if name in DERIVED else column_types()[name]
    plain: Any = pa.float64() if name in DERIVED else arrow_type(name)
    # In one piece: pandas would copy it chunk by chunk, and then all of it
    return _DTYPES[python].__from_arrow__(pa.chunked_array(chunks, plain).combine_chunks())


def unrolled(lists: pd.Series[Any]) -> tuple[Any, Any]:
    """All items of a column of lists, one list after the other, and how many each row has, 0 for
    none: two arrays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole: Any = pa.array(lists, arrow_type(str(lists.name)), from_pandas=True)
    items, sizes = pc.list_flatten(whole), pc.fill_null(pc.list_value_length(whole), 0)
    return items.to_numpy(zero_copy_only=False), sizes.to_numpy(zero_copy_only=False)


def _plain(chunk: Column) -> Column:
    return chunk.dictionary_decode() if hasattr(chunk, "dictionary_decode") else chunk


def _category(chunks: list[_Coded], known: Sequence[str], ordered: bool = False) -> pd.Categorical:
    """Known names keep their order; names this version has not met follow as they appear."""
    places = {name: place for place, name in enumerate(known)}
    for name in (name for chunk in chunks for name in chunk.names if name is not None):
        places.setdefault(name, len(places))
    smallest = np.min_scalar_type(-max(1, len(places)))
    whole = np.empty(sum(len(chunk.codes) for chunk in chunks), smallest)
    done = 0
    for chunk in chunks:
        new = [-1 if name is None else places[name] for name in chunk.names]
        whole[done : done + len(chunk.codes)] = np.array([*new, -1], smallest)[chunk.codes]
        done += len(chunk.codes)
    of_codes: Any = pd.Categorical.from_codes
    found: pd.Categorical = of_codes(whole, categories=list(places), ordered=ordered)
    return found


def _encoded(chunk: Column) -> Column:
    return chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()


def _indices(chunk: Column) -> Any:
    """Of each value in the dictionary; -1 for none."""
    found = chunk.indices
    return (found.fill_null(-1) if found.null_count else found).to_numpy(zero_copy_only=False)


def _endpoints(chunks: list[_Coded], runs: Sequence[Mapping[str, Any]]) -> pd.Categorical:
    told = (run.get("endpoints") for run in runs)
    items = (item for items in told if isinstance(items, list | tuple) for item in items)
    listed = [str(item.get("name")) for item in items if isinstance(item, Mapping)]
    found = _category(chunks, list(dict.fromkeys(listed)), ordered=True)
    names = list(found.categories)
    if GLOBAL not in names:
        return found
    return found.reorder_categories([GLOBAL, *(name for name in names if name != GLOBAL)])
