"""Latency as the reference assumes it: the worlds in which the product's decisions are judged.

log latency = base + shared drift + own drift + run effect + noise, then stalls, spillover and
distance in milliseconds on top; a share of the requests fails (statistics.md, "Generators").
Whole batches of tournaments are drawn at once, from one seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """The assumptions of one generator; times in ms, drifts and effects as shares.

    Correlation times count rounds, or requests where one endpoint is asked alone.
    """

    base_ms: float = 450.0
    sigma: float = 0.28
    tail: float = 0.04
    pareto: float = 2.2
    spill: float = 0.08
    spill_ms: float = 90.0
    spill_stay: float = 15.0
    stall: float = 0.007
    stall_ms: float = 4000.0
    fail: float = 0.01
    drift: float = 0.08
    own_drift: float = 0.08
    drift_time: float = 60.0
    run_effect: float = 0.02
    diurnal: float = 0.06
    day: float = 2000.0


REAL = World()
HARSH = World(
    sigma=0.35,
    tail=0.06,
    pareto=1.8,
    spill=0.15,
    spill_ms=120.0,
    spill_stay=25.0,
    stall=0.015,
    fail=0.03,
    drift=0.15,
    own_drift=0.15,
    drift_time=120.0,
    run_effect=0.04,
    diurnal=0.10,
)
IID = World(fail=0.0, drift=0.0, own_drift=0.0, run_effect=0.0, diurnal=0.0)

RACE = World(base_ms=400.0, spill_ms=30.0, own_drift=0.02, run_effect=0.0, diurnal=0.0)
"""The setting of "Which region? A paired race": regions differ by distance only."""

SETTINGS: dict[str, tuple[float, ...]] = {
    "easy4": (407, 488, 508, 568),
    "easy8": (409, 488, 498, 508, 528, 569, 609, 658),
    "mid4": (408, 454, 468, 508),
    "mid8": (412, 456, 462, 471, 491, 511, 571, 612),
    "hard4": (410, 437, 445, 469),
    "hard8": (409, 437, 441, 444, 469, 490, 509, 570),
}
"""True p50 of each region in ms (reference, the table of the race)."""

TIMEOUT_MS = 30_000.0


def draw(world: World, p50_ms: tuple[float, ...], rounds: int, runs: int, seed: int) -> Values:
    """Latencies in ms, +inf for failures, shape (runs, rounds, endpoints).

    Endpoint k has the true p50 ``p50_ms[k]``: its distance is what that leaves above `floor_ms`.
    """
    rng = np.random.default_rng(seed)
    return _requests(world, rng, (runs, rounds, len(p50_ms))) + (np.array(p50_ms) - floor_ms(world))


def draw_arms(world: World, endpoints: int, rounds: int, runs: int, seed: int) -> Values:
    """Two arms of one plan in the same rounds, shape (runs, rounds, endpoints, 2), as `draw`.

    Each endpoint has one series of requests, and the arms take turns in it in random order: what
    drifts, spills or stalls there happens to both.
    """
    rng = np.random.default_rng(seed)
    series = _requests(world, rng, (runs, 2 * rounds, endpoints))
    turns = np.moveaxis(series.reshape(runs, rounds, 2, endpoints), 2, 3)
    swapped = rng.random(turns.shape[:3]) < 0.5
    return np.where(swapped[..., None], turns[..., ::-1], turns)


def draw_blocks(world: World, rounds: int, runs: int, seed: int) -> Values:
    """One endpoint asked ``rounds`` times for A, then as often for B: shape (runs, rounds, 2)."""
    series = _requests(world, np.random.default_rng(seed), (runs, 2 * rounds, 1))
    return np.moveaxis(series.reshape(runs, 2, rounds), 1, 2)


@dataclass(frozen=True)
class Days:
    """How a history is measured: ``sittings`` a batch, so many rounds each.

    The sittings are spread evenly over the day and at the same hours each day, as a schedule does
    it; with ``any_hour`` each is at an hour of its own. The run effect is the batch's.
    """

    sittings: int = 3
    rounds: int = 100
    any_hour: bool = False


def draw_days(
    world: World, endpoints: int, batches: int, runs: int, seed: int, days: Days
) -> Values:
    """Histories, oldest batch first: shape (runs, batches, sittings · rounds, endpoints).

    Drift is stationary and forgotten between two sittings: they are hours apart.
    """
    rng = np.random.default_rng(seed)
    still = replace(world, run_effect=0.0, diurnal=0.0)
    shape = (runs * batches * days.sittings, days.rounds, endpoints)
    requests = _requests(still, rng, shape).reshape(runs, batches, days.sittings, *shape[1:])
    effect = world.run_effect * rng.standard_normal((runs, batches, 1, 1, 1))
    hours = rng.random((runs, 1, 1, 1, 1)) + np.arange(days.sittings)[:, None, None] / days.sittings
    if days.any_hour:
        hours = rng.random((runs, batches, days.sittings, 1, 1))
    turn = hours + np.arange(days.rounds)[:, None] / world.day
    slow = np.exp(effect + world.diurnal * np.sin(2 * np.pi * turn))
    return (requests * slow).reshape(runs, batches, days.sittings * days.rounds, endpoints)


@lru_cache(maxsize=16)
def floor_ms(world: World) -> float:
    """The true p50 at distance nought, from two million requests: to 0.3 ms."""
    rng = np.random.default_rng(20260314)
    return float(np.median(_requests(world, rng, (2000, 1000, 1))))


@lru_cache(maxsize=16)
def tail_ms(world: World) -> float:
    """How far the true p90 lies above the true p50, the same at every distance."""
    rng = np.random.default_rng(20260314)
    sample = _requests(world, rng, (2000, 1000, 1))
    return float(np.quantile(sample, 0.9) - np.median(sample))


def _requests(world: World, rng: np.random.Generator, shape: tuple[int, int, int]) -> Values:
    log = world.sigma * rng.standard_normal(shape) + _drifts(world, rng, shape)
    slow = 1 + rng.pareto(world.pareto, shape)
    tailed = np.where(rng.random(shape) < world.tail, slow, 1.0)
    stalled = (rng.random(shape) < world.stall) * rng.exponential(world.stall_ms, shape)
    spilled = world.spill_ms * _spilling(world, rng, shape)
    found = world.base_ms * np.exp(log) * tailed + stalled + spilled
    return np.where(rng.random(shape) < world.fail, np.inf, found)


def _drifts(world: World, rng: np.random.Generator, shape: tuple[int, int, int]) -> Values:
    """Shared and own drift, the effect of the run, the time of day: shape ``shape``."""
    runs, rounds, _ = shape
    shared = world.drift * _ar1(world.drift_time, rng, (runs, rounds, 1))
    own = world.own_drift * _ar1(world.drift_time, rng, shape)
    run = world.run_effect * rng.standard_normal((runs, 1, 1))
    phase = rng.uniform(0, 2 * np.pi, (runs, 1, 1))
    turn = 2 * np.pi * np.arange(rounds)[None, :, None] / world.day
    return np.asarray(shared + own + run + world.diurnal * np.sin(turn + phase))


def _ar1(time: float, rng: np.random.Generator, shape: tuple[int, int, int]) -> Values:
    """A stationary AR(1) of sd 1 along axis 1 whose correlation falls to 1/e in ``time`` steps."""
    keep = np.exp(-1 / time)
    noise = rng.standard_normal(shape)
    noise[:, 1:] *= np.sqrt(1 - keep**2)
    for step in range(1, shape[1]):
        noise[:, step] += keep * noise[:, step - 1]
    return noise


def _spilling(world: World, rng: np.random.Generator, shape: tuple[int, int, int]) -> Values:
    """A two-state Markov chain along axis 1: 1 while spilling, a share ``spill`` of the time."""
    leave = 1 / world.spill_stay
    enter = leave * world.spill / (1 - world.spill)
    luck = rng.random(shape)
    state = np.empty(shape)
    state[:, 0] = luck[:, 0] < world.spill
    for step in range(1, shape[1]):
        chance = np.where(state[:, step - 1] > 0, 1 - leave, enter)
        state[:, step] = luck[:, step] < chance
    return state


def tied(endpoints: int, p50_ms: float = 410.0) -> tuple[float, ...]:
    """A setting in which no region is better than another."""
    return (p50_ms,) * endpoints


def one_drift(world: World) -> World:
    """The same world with the drift that the reference states for an endpoint, once and not twice.

    Half of its variance is shared by all endpoints and half is the endpoint's own. What the
    reference measured of stored baselines and of mode B comes out so, and not with both in full.
    """
    half = world.drift / 2**0.5
    return replace(world, drift=half, own_drift=half)


def without_drift(world: World) -> World:
    """The same world standing still."""
    return replace(world, drift=0.0, own_drift=0.0, run_effect=0.0, diurnal=0.0)
