"""Quantiles with failures, and intervals that keep their word."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from bench.stats.quantiles import estimate, interval_ranks, quantile, smallest_n
from bench.stats.rates import fails_more, rate

_MS = st.floats(0.01, 1e5)
_SAMPLES = st.lists(st.one_of(_MS, st.just(math.inf)), min_size=1, max_size=120).map(np.array)
_QS = st.integers(4, 196).map(lambda q: q / 200)


@given(_SAMPLES, _QS)
def test_an_interval_contains_its_estimate(values: np.ndarray, q: float) -> None:
    """And no interval means no number."""
    found = estimate(values, q)
    if found.value_ms is None:
        assert found.note
        return
    assert found.low_ms is not None
    assert found.high_ms is not None
    assert found.low_ms <= found.value_ms <= found.high_ms


@given(_SAMPLES, _QS, _QS)
def test_quantiles_are_monotone(values: np.ndarray, one: float, other: float) -> None:
    """A higher quantile is never a smaller number."""
    low, high = sorted((one, other))
    assert quantile(values, low) <= quantile(values, high)


@given(st.lists(_MS, min_size=1, max_size=60).map(np.array))
def test_the_median_mirrors(values: np.ndarray) -> None:
    """A against B is minus B against A."""
    assert quantile(-values, 0.5) == -quantile(values, 0.5)


@given(st.integers(1, 100), st.integers(0, 100), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_exists_while_the_failure_share_is_below_one_minus_q(
    answered: int, failed: int, q: float
) -> None:
    """The reference's rule, exactly."""
    values = np.array([1.0] * answered + [math.inf] * failed)
    share_is_below = round(failed - (1 - q) * len(values), 9) < 0
    assert math.isfinite(quantile(values, q)) == share_is_below


@given(_SAMPLES, _QS)
def test_a_quantile_is_the_same_of_values_in_any_order(values: np.ndarray, q: float) -> None:
    """What is picked out of the unordered is what stands there in order."""
    assert quantile(values, q) == quantile(np.sort(values), q)
    assert estimate(values, q) == estimate(np.sort(values), q)


@given(st.integers(1, 2_000_000), _QS, st.sampled_from([0.9, 0.95, 0.99, 0.9875]))
def test_the_ranks_of_an_interval_are_those_of_scipys_binomial(
    n: int, q: float, level: float
) -> None:
    """Where both tails have room; `scipy.stats` itself takes too long to import."""
    tail = (1 - level) / 2
    low, high = int(binom.ppf(tail, n, q)), int(binom.ppf(1 - tail, n, q)) + 1
    if low >= 1 and high <= n:
        assert interval_ranks(n, q, level) == (low, high)


@given(st.integers(1, 1_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_rate_is_scipys_wilson(counts: tuple[int, int]) -> None:
    """To the last digits, and nought and one where nothing or everything failed."""
    found = rate(*counts)
    wilson = binomtest(*counts).proportion_ci(method="wilson")
    assert found.low == pytest.approx(max(0.0, wilson.low), rel=1e-12, abs=1e-15)
    assert found.high == pytest.approx(min(1.0, wilson.high), rel=1e-12)


def test_the_statistics_do_without_what_takes_long_to_import() -> None:
    """`scipy.stats` costs as much as reading a hundred runs, and pydantic half of that; what needs
    them, a test that is rarely made or a file of another tool, loads them then."""
    code = """if True:
        import sys, bench
        bench.load, bench.summarise
        print(sorted({"scipy.stats", "pydantic", "matplotlib"} & {*sys.modules}))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(("q", "least"), [(0.5, 6), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_p99_needs_299_values(q: float, least: int) -> None:
    """The smallest n is where order statistics first reach 95 %."""
    assert smallest_n(q) == least
    assert interval_ranks(least - 1, q) is None
    assert estimate(np.ones(least - 1), q).note == f"n too small: {least - 1} of {least}"


@given(st.integers(1, 600), _QS, st.sampled_from([0.9, 0.95, 0.99]))
def test_ranks_cover_what_they_promise(n: int, q: float, level: float) -> None:
    """The exact binomial coverage of the chosen ranks is at least the level."""
    ranks = interval_ranks(n, q, level)
    if ranks is not None:
        low, high = ranks
        assert 1 <= low <= high <= n
        assert binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q) >= level - 1e-9


@pytest.mark.parametrize(("n", "q"), [(30, 0.5), (30, 0.9), (100, 0.95), (320, 0.99)])
def test_simulated_coverage(n: int, q: float) -> None:
    """On skewed data the true quantile lies inside in at least 95 % of 2,000 runs (3 sd slack)."""
    data = np.sort(np.random.default_rng(7).exponential(size=(2000, n)), axis=1)
    ranks = interval_ranks(n, q)
    assert ranks is not None
    truth = -math.log(1 - q)
    inside = (data[:, ranks[0] - 1] <= truth) & (truth <= data[:, ranks[1] - 1])
    assert inside.mean() >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_a_quantile_among_failures_is_no_number() -> None:
    """Half failed: the median is "> timeout"."""
    found = estimate(np.array([1.0] * 10 + [math.inf] * 10), 0.5)
    assert found.value_ms == math.inf
    assert found.note == "> timeout"


def test_an_interval_may_reach_into_failures() -> None:
    """The upper end is then not a number, and says so."""
    found = estimate(np.array([1.0] * 14 + [math.inf] * 6), 0.5)
    assert found.value_ms == 1.0
    assert found.note == "upper end > timeout"


@settings(max_examples=50)
@given(st.integers(0, 50), st.integers(1, 50))
def test_rates_lie_in_their_intervals(failed: int, more: int) -> None:
    """And stay between 0 and 1."""
    found = rate(failed, failed + more)
    assert found.low is not None
    assert found.high is not None
    assert found.share is not None
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_a_failure_rate_is_higher_only_beyond_chance_and_two_points() -> None:
    """Three failures of a hundred are chance; one point in ten thousand is nothing."""
    assert not fails_more(rate(3, 100), rate(0, 100))
    assert fails_more(rate(12, 100), rate(0, 100))
    assert not fails_more(rate(300, 20_000), rate(100, 20_000))
    assert not fails_more(rate(0, 0), rate(0, 100))
