"""Words that fit a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import words

_SIZES = {"k": 1e3, "M": 1e6, "G": 1e9}


@given(st.integers(0, 999 * 10**9))
def test_an_amount_has_four_letters_at_most_and_never_says_more_than_there_is(n: int) -> None:
    """Nor less than it is by more than a tenth: a column of five holds it uncut."""
    text = words.amount(n)
    said = float(text.rstrip("kMG")) * _SIZES.get(text[-1], 1)
    assert len(text) <= 4
    assert said <= n < said * 1.1 + 1


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0"), (9_999, "9999"), (10_000, "10k"), (999_600, "999k"), (1_250_000, "1.2M")],
)
def test_amounts_are_plain_where_that_fits(n: int, text: str) -> None:
    """Exact up to four digits."""
    assert words.amount(n) == text


def test_many_runs_are_the_first_and_the_last_and_how_many() -> None:
    """A year of watching is no hundred lines of names."""
    runs = [f"run-{n}" for n in range(300)]
    assert words.named(runs) == "300 runs, run-0 to run-299"
    assert words.named(runs[:2]) == "run-0, run-1"
    assert words.named([]) == "no run"
    assert "\x1b" not in words.named(["\x1b[31m"] * 9)
