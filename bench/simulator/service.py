"""The behaviour of a region as pure functions: no clock, no state, all chance from a seed.

Every draw hangs on (seed, region, number of the request at that region) or on (seed, region,
stretch of time), so a fleet with the same seed behaves the same however its requests interleave.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

from bench.simulator.profile import Region

Failure = Literal["server_error", "rate_limited", "stream_error", "truncated"]

_BLOCK = 20  # stretches of time among which the bursts are dealt out: each block has its share


@dataclass(frozen=True, slots=True)
class Draw:
    """What one request will meet: ``ttft_ms`` from the start of service to the first token, then
    the gap before each further token in ``gaps_ms``; ``failure`` is what goes wrong, if anything.
    """

    ttft_ms: float
    gaps_ms: tuple[float, ...]
    failure: Failure | None = None

    @property
    def service_ms(self) -> float:
        """From the start of service to the last token."""
        return self.ttft_ms + sum(self.gaps_ms)


def draw(region: Region, *, seed: int, count: int, tokens: int, cached: bool, t_s: float) -> Draw:
    """What the region's request number ``count`` meets, ``t_s`` seconds after the fleet's start."""
    chance = Random(f"{seed}/{region.name}/{count}")
    factor = drift_factor(region, t_s)
    ttft = _ttft_ms(region, chance) * factor * (region.cache_factor if cached else 1.0)
    gap, sigma = region.service.token_ms * factor, region.service.token_sigma
    gaps = tuple(gap * math.exp(chance.gauss(0.0, sigma)) for _ in range(max(0, tokens - 1)))
    return Draw(ttft, gaps, _failure(region, Random(f"{seed}/{region.name}/{count}/failure")))


def _ttft_ms(region: Region, chance: Random) -> float:
    service = region.service
    ttft = service.ttft_ms * math.exp(chance.gauss(0.0, service.sigma))
    if chance.random() < service.tail_share:
        ttft *= chance.paretovariate(service.tail_shape)
    if chance.random() < service.stall_share:
        ttft += 1000.0 * chance.expovariate(1.0) * service.stall_seconds
    return ttft


def _failure(region: Region, chance: Random) -> Failure | None:
    rates: tuple[tuple[Failure, float], ...] = (
        ("server_error", region.failure_rate),
        ("rate_limited", region.rate_limited_rate),
        ("stream_error", region.stream_error_rate),
        ("truncated", region.truncated_rate),
    )
    lot = chance.random()
    for failure, rate in rates:
        if lot < rate:
            return failure
        lot -= rate
    return None


def drift_factor(region: Region, t_s: float) -> float:
    """How many times slower than at the start the region is at ``t_s``."""
    drift = region.drift
    if drift is None or t_s < drift.start_s:
        return 1.0
    done = min(1.0, (t_s - drift.start_s) / drift.ramp_s) if drift.ramp_s else 1.0
    return 1.0 + (drift.factor - 1.0) * done


def in_outage(region: Region, t_s: float) -> bool:
    """Whether the region is gone at ``t_s``."""
    for outage in region.outages:
        since = t_s - outage.start_s
        if outage.every_s is not None and since >= 0:
            since %= outage.every_s
        if 0 <= since < outage.seconds:
            return True
    return False


def background(region: Region, seed: int, t_s: float) -> int:
    """Slots that others occupy at ``t_s``; more than the capacity means overload.

    Time is cut into stretches of ``seconds``; in every block of 20 of them exactly the profile's
    share, at random places, are bursts, so that the share shows within a short run too.
    """
    load = region.background_load
    stretch = int((t_s + _offset_s(region, seed)) // load.seconds)
    level = _block(region, seed, stretch // _BLOCK)[stretch % _BLOCK]
    return round(level * region.capacity)


def background_until(region: Region, seed: int, t_s: float) -> float:
    """The time, in seconds and after ``t_s``, until which `background` stays as it is."""
    seconds, offset = region.background_load.seconds, _offset_s(region, seed)
    until = ((t_s + offset) // seconds + 1) * seconds - offset
    return until if until > t_s else math.nextafter(t_s, math.inf) + seconds


@lru_cache(maxsize=256)
def _offset_s(region: Region, seed: int) -> float:
    return Random(f"{seed}/{region.name}/offset").random() * region.background_load.seconds


@lru_cache(maxsize=256)
def _block(region: Region, seed: int, block: int) -> tuple[float, ...]:
    load = region.background_load
    chance = Random(f"{seed}/{region.name}/block/{block}")
    bursts = round(load.share * _BLOCK)
    levels = [chance.uniform(load.low, load.high) for _ in range(bursts)]
    levels += [load.calm] * (_BLOCK - bursts)
    chance.shuffle(levels)
    return tuple(levels)
