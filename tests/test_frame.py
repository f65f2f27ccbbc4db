"""Rows become one tidy frame, whatever version wrote them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.frame import DERIVED, tidy, unrolled
from bench.model import COLUMNS
from tests.synthetic import rows, run


def test_columns_are_the_rows_and_what_is_derived() -> None:
    """The frame's columns are the record's fields in order, then the derived ones."""
    assert tuple(tidy(rows(2), [run()]).columns) == COLUMNS + DERIVED


def test_no_rows_give_all_columns_with_their_types() -> None:
    """An empty run can be analysed without a special case."""
    empty, full = tidy([]), tidy(rows(2), [run()])
    kept = [name for name in full if not isinstance(full[name].dtype, pd.CategoricalDtype)]
    assert empty[kept].dtypes.equals(full[kept].dtypes)
    assert len(empty) == 0


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("total_ns", "Int64"),
        ("status", "Int64"),
        ("cost_usd", "Float64"),
        ("network_ms", "Float64"),
        ("reused", "boolean"),
        ("started_at", "datetime64[ns, UTC]"),
        ("token_offsets_ns", "list<item: int64>[pyarrow]"),
        ("error", "string"),
    ],
)
def test_types(column: str, dtype: str) -> None:
    """Unknown stays unknown: nullable types, and instants in UTC."""
    assert str(tidy(rows(2))[column].dtype) == dtype


def test_endpoints_are_ordered_global_first_then_as_the_run_lists_them() -> None:
    """Tables and colours agree in every output; who was dropped keeps its place."""
    frame = tidy(rows(1), [run(("us-west-2", "global"), {"eu-north-1": "dns_fail"})])
    names = list(frame["endpoint"].cat.categories)
    assert names[:3] == ["global", "us-west-2", "eu-north-1"]
    assert frame["endpoint"].cat.ordered


def test_no_global_is_invented() -> None:
    """A catalogue without a global endpoint has none in the frame."""
    frame = tidy(rows(1, ["us-east-1"]), [run(["us-east-1"])])
    assert list(frame["endpoint"].cat.categories) == ["us-east-1"]


def test_derived_times_follow_their_definitions() -> None:
    """network = total − server, think = first byte (the kernel's if known) − round trip."""
    row = {"total_ns": 90_000_000, "server_e2e_ms": 60.0, "min_rtt_ns": 10_000_000}
    kernel = row | {"ttfb_ns": 50_000_000, "ttfb_kernel_ns": 40_000_000}
    frame = tidy([row | {"ttfb_ns": 50_000_000}, kernel, {}])
    assert frame["network_ms"].tolist()[:2] == [30.0, 30.0]
    assert frame["think_ms"].tolist()[:2] == [40.0, 30.0]
    assert frame[list(DERIVED)].iloc[2].isna().all()


def test_other_versions_files_are_readable() -> None:
    """Columns that are missing become NA, unknown ones and unknown names do no harm."""
    frame = tidy([{"endpoint": "mars", "outcome": "eaten", "new_column": 1}])
    assert "new_column" not in frame
    assert frame["outcome"].tolist() == ["eaten"]
    assert frame["total_ns"].isna().all()


def test_nanoseconds_keep_every_digit() -> None:
    """No detour through floating point."""
    exact = 2**62 + 1
    assert tidy([{"total_ns": exact}, {"total_ns": None}])["total_ns"][0] == exact


def test_runs_and_cautions_travel_with_the_frame() -> None:
    """What is true of all rows is not lost on the way."""
    frame = tidy(rows(1), [run()])
    assert frame.attrs["runs"][0]["simulated"] is True
    assert frame.attrs["cautions"] == []


_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers()),
)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), _JUNK, max_size=8), max_size=5))
def test_no_value_breaks_the_frame(table: list[dict[str, Any]]) -> None:
    """A value that is not of its column's type becomes NA, never an exception."""
    frame = tidy(table)
    assert len(frame) == len(table)
    assert str(frame["total_ns"].dtype) == "Int64"


def test_lists_are_arrows_and_unroll_with_none_of_what_is_not_known() -> None:
    """Also once they are objects again, which is what a file of pandas' own can hold."""
    frame = tidy([{"token_offsets_ns": (5, 7)}, {}, {"token_offsets_ns": ()}])
    objects = frame["token_offsets_ns"].astype(object)
    for lists in (frame["token_offsets_ns"], objects):
        items, sizes = unrolled(lists)
        assert (items.tolist(), sizes.tolist()) == ([5, 7], [2, 0, 0])
    assert frame["token_offsets_ns"].explode().dropna().tolist() == [5, 7]
