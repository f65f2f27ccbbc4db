"""The behaviour of regions: pure, seeded, and with the shares that the profile asks for."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from bench.simulator import service
from bench.simulator.profile import Drift, Load, Outage, Region, Service

SEEDS = st.integers(0, 2**32)
TIMES = st.floats(0, 1e5)


def region(**settings: object) -> Region:
    values: dict[str, object] = {
        "name": "here",
        "latitude": 0.0,
        "longitude": 0.0,
        "rtt_ms": 10.0,
        "service": Service(ttft_ms=100.0, tail_share=0.05, stall_share=0.01),
        "models": ("m",),
    }
    return Region(**values | settings)  # type: ignore[arg-type]  # of any field


loads = st.builds(
    Load,
    calm=st.floats(0, 0.5),
    share=st.floats(0, 1),
    low=st.floats(0.6, 0.9),
    high=st.floats(0.9, 1.2),
    seconds=st.floats(0.1, 10),
)


@given(SEEDS, st.integers(0, 10**6), st.integers(1, 50), st.booleans(), TIMES)
def test_the_same_request_always_meets_the_same(
    seed: int, count: int, tokens: int, cached: bool, t_s: float
) -> None:
    def once() -> service.Draw:
        here = region(failure_rate=0.1)
        return service.draw(here, seed=seed, count=count, tokens=tokens, cached=cached, t_s=t_s)

    drawn = once()
    assert drawn == once()
    assert drawn.ttft_ms > 0
    assert len(drawn.gaps_ms) == tokens - 1
    assert all(gap > 0 for gap in drawn.gaps_ms)


@given(SEEDS, st.integers(0, 10**6))
def test_a_cached_prompt_is_faster_by_the_cache_factor(seed: int, count: int) -> None:
    here = region(service=Service(ttft_ms=100.0), cache_factor=0.5)
    cold, hot = (
        service.draw(here, seed=seed, count=count, tokens=2, cached=cached, t_s=0.0)
        for cached in (False, True)
    )
    assert abs(hot.ttft_ms - cold.ttft_ms / 2) < 1e-9
    assert hot.gaps_ms == cold.gaps_ms


def test_the_median_of_many_draws_is_the_profiles() -> None:
    here = region(service=Service(ttft_ms=100.0, sigma=0.3))
    ttfts = [
        service.draw(here, seed=1, count=n, tokens=1, cached=False, t_s=0.0).ttft_ms
        for n in range(2000)
    ]
    assert 97 < statistics.median(ttfts) < 103


def test_failures_come_at_their_rates() -> None:
    here = region(failure_rate=0.1, truncated_rate=0.2)
    kinds = [
        service.draw(here, seed=1, count=n, tokens=1, cached=False, t_s=0.0).failure
        for n in range(2000)
    ]
    assert 150 < kinds.count("server_error") < 250
    assert 330 < kinds.count("truncated") < 470
    assert kinds.count("stream_error") == 0


@given(loads, SEEDS, TIMES)
def test_the_background_stays_as_it_is_until_it_says(load: Load, seed: int, t_s: float) -> None:
    here = region(background_load=load, capacity=100)
    until = service.background_until(here, seed, t_s)
    assert t_s < until <= t_s + load.seconds + 1e-6 * t_s + 1e-9
    middle = t_s + (until - t_s) / 2
    assert service.background(here, seed, t_s) == service.background(here, seed, middle)


@given(loads, SEEDS, st.integers(1, 50))
def test_every_block_of_twenty_stretches_has_its_share_of_bursts(
    load: Load, seed: int, block: int
) -> None:
    here = region(background_load=load, capacity=1000)
    levels = service._block(here, seed, block)
    assert sum(level > 0.55 for level in levels) == round(load.share * 20)


@given(SEEDS, TIMES)
def test_a_load_without_bursts_is_constant(seed: int, t_s: float) -> None:
    assert service.background(region(background_load=Load(calm=0.5)), seed, t_s) == 32


def test_drift_goes_from_one_to_its_factor_within_the_ramp() -> None:
    here = region(drift=Drift(start_s=10, ramp_s=10, factor=2.0))
    factors = [service.drift_factor(here, t) for t in (0, 10, 15, 20, 1000)]
    assert factors == [1.0, 1.0, 1.5, 2.0, 2.0]
    assert service.drift_factor(region(drift=Drift(5, 0, 3.0)), 5.0) == 3.0


def test_an_outage_comes_back_every_so_often() -> None:
    here = region(outages=(Outage(start_s=10, seconds=5, every_s=60),))
    gone = [service.in_outage(here, t) for t in (0, 10, 14.9, 15, 69, 70, 74, 75)]
    assert gone == [False, True, True, False, False, True, True, False]
