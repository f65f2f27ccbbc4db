"""A column that grows run by run is what all its values at once would be."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.frame.gathered import Gathered, Instants, Names, Numbers, Others

KINDS: dict[type, tuple[Any, str, Any]] = {
    int: (st.integers(-(2**63), 2**63 - 1), "Int64", pa.int64()),
    float: (st.floats(allow_nan=False), "Float64", pa.float64()),
    bool: (st.booleans(), "boolean", pa.bool_()),
}


def many(values: Any) -> Any:
    """Runs of chunks of values, some unknown; any of them empty."""
    chunk = st.lists(st.none() | values, max_size=5)
    return st.lists(st.lists(chunk, max_size=3), max_size=8)


def fill(column: Gathered, runs: list[list[list[Any]]], kind: Any) -> list[Any]:
    """Everything that it was given, in order."""
    for run in runs:
        column.add(pa.chunked_array([pa.array(chunk, kind) for chunk in run], kind))
    return [value for run in runs for chunk in run for value in chunk]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_numbers_and_flags_are_what_they_were_and_unknown_where_they_were(
    kind: type, data: st.DataObject
) -> None:
    """Whatever comes in which part: 64 bits are kept, and what is unknown is no number."""
    values, dtype, stored = KINDS[kind]
    column = Numbers(kind)
    given_ = fill(column, data.draw(many(values)), stored)
    found = pd.Series(column.whole())
    pd.testing.assert_series_equal(found, pd.Series(given_, dtype=dtype))


@given(many(st.sampled_from(["global", "a", "b", ""])), st.booleans())
def test_names_keep_the_known_order_and_then_that_of_their_coming(
    runs: list[list[list[str | None]]], coded: bool
) -> None:
    """Alike for texts and for places in a list of them."""
    column = Names(("b", "never"))
    kind = pa.dictionary(pa.int32(), pa.string()) if coded else pa.string()
    given_ = fill(column, runs, kind)
    found = column.whole()
    met = list(dict.fromkeys(name for name in given_ if name is not None))
    assert list(found.categories) == list(dict.fromkeys(["b", "never", *met]))
    assert [None if pd.isna(name) else name for name in found] == given_


def test_a_name_that_no_row_has_is_none_of_the_columns() -> None:
    """A part of a file has the list of all its names."""
    whole = pa.array(["a", "b", "c"]).dictionary_encode()
    column = Names()
    column.add(pa.chunked_array([whole[1:2]]))
    assert list(column.whole().categories) == ["b"]


def test_names_may_become_many() -> None:
    """Beyond 128 of them, and beyond 32,768, places take more bytes, and stay what they were."""
    column, given_ = Names(), list[str | None]()
    for size in (100, 100, 40_000):
        names = [*(f"{len(given_) + k}" for k in range(size)), None]
        column.add(pa.chunked_array([names]))
        given_ += names
    found = column.whole()
    assert found.codes.dtype == np.int32
    assert [None if pd.isna(name) else name for name in found] == given_


@given(many(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))))
def test_instants_are_those_that_were_written(runs: list[list[list[dt.datetime | None]]]) -> None:
    """In UTC, to the microsecond; NaT where there is none."""
    texts = [[[at and f"{at.isoformat()}+00:00" for at in chunk] for chunk in run] for run in runs]
    column = Instants()
    fill(column, texts, pa.string())
    given_ = [at for run in runs for chunk in run for at in chunk]
    assert [None if pd.isna(at) else at.replace(tzinfo=None) for at in column.whole()] == given_


def test_texts_and_lists_are_as_they_came() -> None:
    """A text that was coded is a text again, and an empty list is not an unknown one."""
    texts, lists = Others(pa.string()), Others(pa.list_(pa.int64()))
    texts.add(pa.chunked_array([pa.array(["x", None, "x"]).dictionary_encode()]))
    fill(texts, [[["y"]]], pa.string())
    fill(lists, [[[[1, 2], None]], [[[]]]], pa.list_(pa.int64()))
    assert [None if pd.isna(one) else one for one in texts.whole()] == ["x", None, "x", "y"]
    assert lists.whole().__arrow_array__().to_pylist() == [[1, 2], None, []]


def test_what_is_held_beside_the_values_is_an_eighth_of_them() -> None:
    """Ten million rows shall take what their frame takes: nothing is kept of a run's own part, and
    a mask comes with the first unknown."""
    part = pa.chunked_array([np.arange(10_000)])
    column = Numbers(int)
    tracemalloc.start()
    for _ in range(100):
        column.add(part)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 8e6 <= held <= 8e6 * 1.13
