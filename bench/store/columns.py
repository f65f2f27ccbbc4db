"""Rows as Arrow columns: what is read by column instead of row by row, and which rows are meant."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.model import COLUMNS
from bench.store.lines import column_types, item_types

if TYPE_CHECKING:
    import pyarrow as pa

Column = Any
"""An Arrow array or several in a row: the stubs name types for each kind of value, which of a
column that is read from a file nobody knows."""

Where = Mapping[str, Any]
"""Column → the value, or the list of values, that a row must have (None: it says nothing); and
``since`` and ``until``, from and before which it must have started."""

_WINDOW = ("since", "until")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def table_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> pa.Table:
    """Rows of any origin as a table; what a row lacks, or is not of its column's type, is null."""
    import pyarrow as pa

    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in columns})


def _column(name: str, values: list[Any]) -> Column:
    import pyarrow as pa

    kind = arrow_type(name)
    try:
        return pa.array(values, kind, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        parse = _PARSERS[column_types()[name]] if name not in item_types() else _parse_items(name)
        return pa.array([_or_none(parse, value) for value in values], kind, from_pandas=True)


def arrow_type(name: str) -> Any:
    """How a column is stored. One that has no value at all has it too."""
    import pyarrow as pa

    plain: dict[type, Any] = {
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        str: pa.string(),
    }
    item = item_types().get(name)
    return pa.list_(plain[item]) if item else plain[column_types()[name]]


def _or_none(parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else parse(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _as_int(value: Any) -> int:
    if not -(2**63) <= (whole := int(value)) < 2**63:
        raise OverflowError(value)
    return whole


def _as_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _as_text(value: Any) -> str:
    text = value.isoformat() if isinstance(value, dt.datetime) else str(value)
    return text.encode("utf-8", "replace").decode()


_PARSERS: Mapping[type, Callable[[Any], Any]] = {
    int: _as_int,
    float: float,
    bool: _as_flag,
    str: _as_text,
}


def _parse_items(name: str) -> Callable[[Any], list[Any]]:
    parse = _PARSERS[item_types()[name]]
    return lambda values: [parse(value) for value in values]


def instants(texts: Column) -> Column:
    """ISO 8601 texts as timestamp[ns, UTC]; null for what names no instant, UTC where no zone is
    named."""
    import pyarrow as pa

    kind: Any = pa.timestamp("ns", "UTC")
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return pa.chunked_array([pa.array(map(_instant_ns, texts.to_pylist()), kind)], kind)


def _instant_ns(text: str | None) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    ns = (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
    return ns if -(2**63) < ns < 2**63 else None


def checked(where: Where) -> Where:
    """``where`` with its instants read. UsageError names what is no column, or no instant."""
    for name in where:
        if name not in {*COLUMNS, *_WINDOW} - {*item_types()}:
            near = difflib.get_close_matches(name, [*COLUMNS, *_WINDOW], 1)
            hint = f"did you mean {near[0]}?" if near else f"give columns, or {', '.join(_WINDOW)}"
            raise UsageError(f"rows cannot be chosen by {name!r}; {hint}")
    read = {name: _moment if name in _WINDOW else _values for name in where}
    return {name: read[name](name, wanted) for name, wanted in where.items()}


def _values(name: str, wanted: Any) -> list[Any]:
    many = isinstance(wanted, Iterable) and not isinstance(wanted, str)
    values = list(wanted) if many else [wanted]
    read = _column(name, values).to_pylist()
    if wrong := [one for one, got in zip(values, read, strict=True) if got is None is not one]:
        raise UsageError(f"{name}: {wrong[0]!r} is no value of it; it holds {arrow_type(name)}")
    return values


def _moment(name: str, value: Any) -> dt.datetime:
    try:
        found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError as error:
        raise UsageError(
            f"{name}: {value!r} is no instant; write 2026-03-14 or 2026-03-14T09:00:00+00:00"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def asked_of(where: Where) -> tuple[str, ...]:
    """The columns that a choice looks at."""
    named = ["started_at" if name in _WINDOW else name for name in where]
    return tuple(dict.fromkeys(named))


def chosen(table: pa.Table, where: Where) -> Column:
    """Which rows of a table with the columns `asked_of` are meant: booleans, none of them null."""
    import pyarrow.compute as pc

    kept: Column = None
    for name, wanted in where.items():
        one = _holds(table, name, wanted)
        kept = one if kept is None else pc.and_(kept, one)
    return kept


def any_of(kept: Column) -> bool:
    """Whether any row is meant."""
    import pyarrow.compute as pc

    return bool(pc.any(kept).as_py())


def _holds(table: pa.Table, name: str, wanted: Any) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    if name in _WINDOW:
        moment = pa.scalar(wanted, pa.timestamp("ns", "UTC"))
        compare: Any = pc.greater_equal if name == "since" else pc.less
        return pc.fill_null(compare(instants(table["started_at"]), moment), False)
    return pc.is_in(table[name], value_set=_column(name, wanted))
