"""Hodges and Lehmann's estimate, the memory of a series, and the places that follow."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from bench.stats import memory as memory_module
from bench.stats.memory import effective_n
from bench.stats.pairs import Paired, paired
from bench.stats.ranks import Rank, ranks
from bench.stats.strata import Stratum
from bench.stats.walsh import cut_off, middle

STRATUM = Stratum("chat", True, "warm", "httpx", "grok")
numbers = st.floats(-20, 20, allow_nan=False)


@given(st.lists(numbers, min_size=6, max_size=60))
def test_the_middle_is_the_median_of_all_walsh_averages(differences: list[float]) -> None:
    """By halving the same as by listing them; the interval's ends are averages too."""
    d = np.array(differences)
    i, j = np.triu_indices(len(d))
    averages = np.sort((d[i] + d[j]) / 2)
    found, cut = middle(d), cut_off(len(d), 0.95)
    assert found.value == pytest.approx(float(np.median(averages)), abs=1e-9)
    assert found.low == pytest.approx(averages[cut - 1], abs=1e-9)
    assert found.high == pytest.approx(averages[len(averages) - cut], abs=1e-9)


@given(st.lists(st.integers(-999, 999).filter(bool), min_size=6, max_size=25, unique_by=abs))
def test_the_interval_holds_what_the_signed_rank_test_does_not_reject(values: list[int]) -> None:
    """Nought lies outside exactly when Wilcoxon's exact test at 5 % says so."""
    d = np.array(values, dtype=np.float64)
    found = middle(d)
    assert found.low is not None
    assert found.high is not None
    outside = found.low > 0 or found.high < 0
    assert outside == (wilcoxon(d, method="exact").pvalue <= 0.05)


@given(st.lists(numbers | st.sampled_from([math.inf, -math.inf]), min_size=6, max_size=40))
def test_the_middle_mirrors_and_is_never_nan(values: list[float]) -> None:
    """Failures on either side are ranks like any other."""
    one, other = middle(np.array(values)), middle(-np.array(values))
    assert one.value is not None
    assert other.value is not None
    assert not math.isnan(one.value)
    assert one.value == pytest.approx(-other.value, abs=1e-9)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_differences_have_no_interval(n: int) -> None:
    """Six signs all alike are the first that chance gives in less than one case of twenty."""
    assert middle(np.ones(n)).value is None
    assert middle(np.ones(6)).value == 1.0


def test_a_third_of_failures_carries_the_estimate_away_and_a_quarter_does_not() -> None:
    """The estimate breaks down at 29 %: then it says so instead of a number."""
    d = np.zeros(100)
    d[:25] = math.inf
    assert middle(d).value == pytest.approx(0)
    d[:34] = math.inf
    assert middle(d).value == math.inf


def test_independent_values_are_worth_their_number_and_copies_are_not() -> None:
    """Each value five times in a row is worth about a fifth."""
    rng = np.random.default_rng(5)
    noise = rng.normal(size=400)
    assert effective_n(noise) > 300
    assert 50 < effective_n(np.repeat(noise[:80], 5)) < 120


@pytest.mark.parametrize("memory", [1, 4_000, 50_000])
def test_many_values_are_worth_the_same_by_few_lags_as_by_all(
    memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether what resembles each other ends within an eighth of them, or does not."""
    noise = np.random.default_rng(6).normal(size=60_000)
    series = noise + 3 * np.sin(np.arange(60_000) / memory)
    found = effective_n(series)
    lags = memory_module._autocorrelation
    monkeypatch.setattr(memory_module, "_autocorrelation", lambda x, _: lags(x, len(x)))
    assert found == pytest.approx(effective_n(series), rel=1e-9)


def test_two_are_the_same_at_whatever_level_and_in_whatever_order_they_were_asked() -> None:
    """What is kept of an earlier comparison changes nothing of a later one."""
    rounds = _rounds(4, a=100.0, b=101.0)
    kept = Paired(rounds, STRATUM)
    for one, other, level in (("a", "b", 0.95), ("b", "a", 0.99), ("a", "b", 0.99)):
        assert kept(one, other, level) == paired(rounds, STRATUM, one, other, level)


@given(st.lists(st.floats() | st.just(math.nan), max_size=80))
def test_effective_n_never_exceeds_what_is_known(values: list[float]) -> None:
    """Between 1 and n, whatever the values; nothing is worth nothing."""
    series = np.array(values, dtype=np.float64)
    known = int((~np.isnan(series)).sum())
    assert min(known, 1) <= effective_n(series) <= known


def _rounds(seed: int, **columns: float) -> pd.DataFrame:
    """Log-normal requests with a drift that all share; ``columns`` are medians in ms."""
    rng, n = np.random.default_rng(seed), 120
    shared = np.exp(0.1 * np.cumsum(rng.normal(size=n)) / 10)
    return pd.DataFrame(
        {name: ms * shared * np.exp(0.2 * rng.normal(size=n)) for name, ms in columns.items()}
    )


def test_percent_and_ms_of_a_difference_agree() -> None:
    """Both come from one estimate, so they have one sign; the truth lies in the interval."""
    d = paired(_rounds(1, a=110.0, b=100.0), STRATUM, "a", "b")
    assert d.percent.value_percent is not None
    assert d.percent.value_percent == pytest.approx(10, abs=6)
    assert d.percent.low_percent is not None
    assert d.percent.high_percent is not None
    assert d.percent.low_percent < 10 < d.percent.high_percent
    assert d.ms.value_ms is not None
    assert d.ms.value_ms / d.percent.value_percent == pytest.approx(1, rel=0.3)
    assert d.faster.value_percent == pytest.approx(36, abs=12)  # Φ(−log 1.1 / (0.2 √2))


def test_who_fails_in_a_third_of_the_rounds_has_no_number() -> None:
    """The difference then says that it fails, and is not faster."""
    rounds = _rounds(2, a=50.0, b=100.0)
    rounds.loc[:40, "a"] = math.inf
    d = paired(rounds, STRATUM, "a", "b")
    assert d.endpoint_fails
    assert d.direction == 0
    rounds["a"] = math.inf
    assert paired(rounds, STRATUM, "a", "b").ms.value_ms == math.inf
    assert paired(rounds, STRATUM, "b", "a").ms.value_ms == -math.inf


def test_places_are_a_ranking_only_as_far_as_the_rows_tell() -> None:
    """Two alike share places 1 and 2; the slow one is third; alone is first."""
    found = {r.endpoint: (r.best, r.worst) for r in _ranked(a=100.0, b=101.0, c=200.0)}
    assert found == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert [(r.best, r.worst) for r in _ranked(a=1.0)] == [(1, 1)]


def _ranked(**medians: float) -> tuple[Rank, ...]:
    return ranks(Paired(_rounds(3, **medians), STRATUM), STRATUM, list(medians))
