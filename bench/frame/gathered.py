"""One column of many runs, that grows in place as each of them comes.

Parts kept until all are there would be in memory twice while they are joined, and the holes that
they leave are of no use to anybody: of ten million rows that had been as much again as the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from bench.store.columns import Column, instants

_ROOM = 8
"""A column grows by one in so many of its values more than it must."""


class Gathered(Protocol):
    """A column in the making."""

    def add(self, column: Column) -> None:
        """Its values in one more run."""

    def whole(self) -> Any:
        """All of them, for a frame; nothing can be added any more."""


class _Growing:
    """An array that is long enough for what is put at its end."""

    def __init__(self, dtype: Any) -> None:
        self._values = np.empty(0, dtype)
        self.used = 0

    def add(self, values: Any, n: int) -> None:
        """``n`` values, or one that stands for as many."""
        end = self.used + n
        if end > len(self._values):
            self._values.resize(end + end // _ROOM, refcheck=False)
        self._values[self.used : end] = values
        self.used = end

    def widen(self, dtype: Any) -> None:
        """What comes next may be larger."""
        if self._values.dtype != dtype:
            self._values = self._values.astype(dtype)

    def whole(self) -> Any:
        """All that was added, and no room beyond it."""
        self._values.resize(self.used, refcheck=False)
        return self._values


class Numbers:
    """Integers, numbers or flags, some of them unknown: pandas' arrays of a value and a mask."""

    def __init__(self, kind: type) -> None:
        self._make, dtype, self._blank = _MASKED[kind]
        self._values, self._unknown = _Growing(dtype), _Growing(bool)

    def add(self, column: Column) -> None:
        """See `Gathered.add`."""
        for chunk in column.chunks:
            if chunk.null_count:
                self._unknown.add(False, self._values.used - self._unknown.used)
                self._unknown.add(chunk.is_null().to_numpy(zero_copy_only=False), len(chunk))
                chunk = chunk.fill_null(self._blank)
            self._values.add(chunk.to_numpy(zero_copy_only=False), len(chunk))

    def whole(self) -> Any:
        """See `Gathered.whole`."""
        n = self._values.used
        if not self._unknown.used:  # zeros that nobody wrote are in no memory
            return self._make(self._values.whole(), np.zeros(n, np.bool_))
        self._unknown.add(False, n - self._unknown.used)
        return self._make(self._values.whole(), self._unknown.whole())


_MASKED: dict[type, tuple[Any, Any, Any]] = {
    int: (pd.arrays.IntegerArray, np.int64, 0),
    float: (pd.arrays.FloatingArray, np.float64, 0.0),
    bool: (pd.arrays.BooleanArray, np.bool_, False),
}


class Instants:
    """ISO 8601 texts, as datetime64[ns, UTC]."""

    def __init__(self) -> None:
        self._ns = _Growing(np.int64)

    def add(self, column: Column) -> None:
        """See `Gathered.add`."""
        for chunk in instants(column).chunks:
            ns = chunk.cast("int64").fill_null(pd.NaT.value)
            self._ns.add(ns.to_numpy(), len(ns))

    def whole(self) -> Any:
        """See `Gathered.whole`."""
        return pd.Series(self._ns.whole().view("datetime64[ns]")).dt.tz_localize("UTC")


class Names:
    """Names of which there are few, as places in a list of them: the known ones in their order,
    and behind them others as they appear. What is in no row is in no list, unless it is known."""

    def __init__(self, known: Sequence[str] = ()) -> None:
        self._places = {name: place for place, name in enumerate(known)}
        self._codes = _Growing(self._dtype())

    def add(self, column: Column) -> None:
        """See `Gathered.add`."""
        for chunk in column.chunks:
            found = encoded(chunk)
            places = [self._place(name) for name in _used(found)]
            self._codes.widen(self._dtype())
            # The last is for those that have no name
            self._codes.add(np.array([*places, -1], self._dtype())[indices(found)], len(found))

    @property
    def names(self) -> list[str]:
        """The known ones, and all that were met."""
        return list(self._places)

    def whole(self) -> pd.Categorical:
        """See `Gathered.whole`."""
        return self._categorical(ordered=False)

    def ordered(self, names: list[str]) -> pd.Categorical:
        """As `whole`, and the names have an order: this one, which may have more."""
        return self._categorical(ordered=True).set_categories(names)

    def _categorical(self, *, ordered: bool) -> pd.Categorical:
        of_codes: Any = pd.Categorical.from_codes
        found: pd.Categorical = of_codes(self._codes.whole(), self.names, ordered=ordered)
        return found

    def _place(self, name: str | None) -> int:
        return -1 if name is None else self._places.setdefault(name, len(self._places))

    def _dtype(self) -> Any:
        return np.min_scalar_type(-max(1, len(self._places)))


_TEXTS: Any = pd.StringDtype()


class Others:
    """Texts and lists: Arrow's own, run after run."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._chunks: list[Column] = []

    def add(self, column: Column) -> None:
        """See `Gathered.add`."""
        self._chunks += map(_plain, column.chunks)

    def whole(self) -> Any:
        """See `Gathered.whole`."""
        import pyarrow as pa

        found = pa.chunked_array(self._chunks, self._kind)
        if self._kind == pa.string():
            # In one piece: pandas would copy it chunk by chunk, and then all of it
            return _TEXTS.__from_arrow__(found.combine_chunks())
        return pd.arrays.ArrowExtensionArray(found)


def encoded(chunk: Column) -> Column:
    """Texts as places in a list of them, if they are not yet."""
    return chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()


def indices(chunk: Column) -> Any:
    """Of each value in the dictionary; -1 for none."""
    found = chunk.indices
    return (found.fill_null(-1) if found.null_count else found).to_numpy(zero_copy_only=False)


def _used(chunk: Column) -> list[str | None]:
    """The names in a dictionary, None for one that no row has."""
    names = chunk.dictionary.to_pylist()
    at = indices(chunk)
    counts = np.bincount(at[at >= 0], minlength=len(names))
    return [name if n else None for name, n in zip(names, counts, strict=True)]


def _plain(chunk: Column) -> Column:
    return chunk.dictionary_decode() if hasattr(chunk, "dictionary_decode") else chunk
