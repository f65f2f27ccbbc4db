"""A distribution as a mixture of known ones: EM for the weights, a profile, a bootstrap.

Sources: A. P. Dempster, N. M. Laird and D. B. Rubin, Maximum Likelihood from Incomplete Data via
the EM Algorithm, JRSS B 39 (1977); R. Varadhan and C. Roland, Simple and Globally Convergent
Methods for Accelerating the Convergence of Any EM Algorithm, Scandinavian Journal of Statistics 35
(2008), scheme S3; B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993),
chapter 13 for the intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.stats.kernels import (
    SMALLEST_WIDTH_MS,
    TINY,
    Component,
    Floor,
    Matrix,
    densities,
    elsewhere,
    floor_of,
    kernels,
    shifted,
    thin_rows,
)
from bench.stats.quantiles import LEVEL, Values

OFFSETS_MS = tuple(float(ms) for ms in range(13))
"""The offsets between the global path and the regional ones that are tried (0 to 12 ms)."""

MOST_RESAMPLED = 1000
"""More points in a resample cost time and tell little more."""

MOST_CANDIDATES = 3
LIKELIHOOD_DROP = 1.92
"""Offsets whose log-likelihood lies within χ²₁(.95) / 2 of the best stay possible."""

HUMP_GAIN = 6.0
HUMP_CLEARANCE = 3.5
WIDEST_HUMP_MS = 20.0
"""When an unlisted region may be held to be at one distance: see `unlisted`."""

_STEPS = 120
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Mixture:
    """What was fitted: the components, what lies elsewhere, the offset and the weights.

    ``weights`` are of the components in order, and last of elsewhere. ``resampled`` has one row of
    weights per resample. ``offsets`` are all that the likelihood leaves possible, the best first.
    """

    components: tuple[Component, ...]
    floor: Floor
    offset_ms: float
    offsets_ms: tuple[float, ...]
    weights: Values
    resampled: Values

    def posterior(self, points: Values) -> Values:
        """For each point the probability of each component, elsewhere last: shape (n, k + 1)."""
        joint = densities(points, self.components, self.floor, self.offset_ms) * self.weights
        shares = joint / np.maximum(joint.sum(axis=1, keepdims=True), TINY)
        return np.asarray(shares, dtype=np.float64)


def em(density: Matrix, counts: Matrix, start: Values | None = None) -> Matrix:
    """Weights of greatest likelihood, shape (b, k), for ``density`` (b, n, k), ``counts`` (b, n).

    EM: w' = Σᵢ cᵢ wf(xᵢ) / Σ wf(xᵢ) / Σ cᵢ, accelerated by SQUAREM: with r = w' − w and
    v = w'' − w' − r, w ← w − 2αr + α²v, α = −|r| / |v|; then one plain step.
    """
    b, _, k = density.shape
    w = np.full((b, k), 1 / k) if start is None else np.tile(start, (b, 1))
    for _ in range(_STEPS):
        one = _em_step(w, density, counts)
        two = _em_step(one, density, counts)
        r, v = one - w, two - 2 * one + w
        size = np.linalg.norm(v, axis=1, keepdims=True)
        alpha = -np.maximum(np.linalg.norm(r, axis=1, keepdims=True) / (size + TINY), 1.0)
        leap = np.where(size > _TOLERANCE / 10, w - 2 * alpha * r + alpha**2 * v, two)
        leap = np.maximum(leap, 1e-6)
        new = _em_step(leap / leap.sum(axis=1, keepdims=True), density, counts)
        moved = float(np.abs(new - w).max())
        w = new
        if moved < _TOLERANCE:
            break
    return np.asarray(w, dtype=np.float32)


def _em_step(w: Values, density: Matrix, counts: Matrix) -> Values:
    """One step of EM for all resamples at once: as products of matrices, not element by element."""
    w32 = w.astype(np.float32)
    total = np.matmul(density, w32[:, :, None])[:, :, 0]
    pull = np.matmul((counts / np.maximum(total, TINY))[:, None, :], density)[:, 0, :]
    new = w32.astype(np.float64) * pull
    return np.asarray(new / new.sum(axis=1, keepdims=True), dtype=np.float64)


def likelihood(w: Matrix, density: Matrix, counts: Matrix) -> Values:
    """The log-likelihood of each resample, shape (b,)."""
    total = np.matmul(density, w.astype(np.float32)[:, :, None])[:, :, 0]
    found = (counts * np.log(np.maximum(total, TINY))).sum(axis=1)
    return np.asarray(found, dtype=np.float64)


def fit(points: Values, components: Sequence[Component], *, seed: int, resamples: int) -> Mixture:
    """Weights, offset and resampled weights for the global points, shape (n, d)."""
    parts, some = tuple(components), thin_rows(points, MOST_RESAMPLED)
    offsets = possible_offsets(some, parts, floor_of(points, parts))
    floor = unlisted(points, parts, offsets[0])
    density = densities(points, parts, floor, offsets[0])[None]
    weights = em(density, np.ones((1, len(points)), dtype=np.float32))[0].astype(np.float64)
    weights /= weights.sum()
    resampled = _bootstrap(points, parts, floor, offsets, weights, seed, resamples)
    return Mixture(parts, floor, offsets[0], offsets, weights, resampled)


def unlisted(points: Values, components: Sequence[Component], offset_ms: float) -> Floor:
    """Elsewhere, with the one hump that the points ask for most, if they ask loudly.

    It is as wide as a listed region, clear of all of them, and tried in steps of its width; it
    must raise the log-likelihood by `HUMP_GAIN`. Without it an unlisted region near a listed one
    is taken for that one's tail.
    """
    floor, points = floor_of(points, components), thin_rows(points, MOST_RESAMPLED)
    centres = [float(np.median(c.points[:, -1])) for c in components]
    spreads = [float(np.subtract(*np.percentile(c.points[:, -1], [75, 25]))) for c in components]
    width = max(1.5 * SMALLEST_WIDTH_MS, float(np.median(spreads)) / 1.34)
    tries = np.arange(width, floor.reach_ms, width)
    clear = np.abs(np.subtract.outer(tries, centres)).min(axis=1) >= HUMP_CLEARANCE * width
    if width > WIDEST_HUMP_MS or not clear.any():
        return floor
    known = densities(points, components, floor, offset_ms)
    options = [replace(floor, hump_ms=float(at), hump_width_ms=width) for at in tries[clear]]
    moved = shifted(points, offset_ms)
    tables = np.stack([known, *(_with_last(known, elsewhere(moved, o)) for o in options)])
    counts = np.ones(tables.shape[:2], dtype=np.float32)
    gains = likelihood(em(tables, counts), tables, counts)
    best = int(np.argmax(gains[1:]))
    return options[best] if gains[best + 1] - gains[0] >= HUMP_GAIN else floor


def _with_last(density: Matrix, last: Matrix) -> Matrix:
    return np.column_stack([density[:, :-1], last])


def possible_offsets(
    points: Values, components: Sequence[Component], floor: Floor
) -> tuple[float, ...]:
    """Offsets that the profile likelihood leaves possible, the best first."""
    tables = np.stack([densities(points, components, floor, ms) for ms in OFFSETS_MS])
    counts = np.ones(tables.shape[:2], dtype=np.float32)
    profile = likelihood(em(tables, counts), tables, counts)
    order = np.argsort(-profile, kind="stable")
    near = [i for i in order if profile[order[0]] - profile[i] <= LIKELIHOOD_DROP]
    return tuple(OFFSETS_MS[i] for i in _spread(near))


def _spread(order: Sequence[int]) -> list[int]:
    """The best, and the lowest and highest that stay possible: what lies between lies between."""
    return list(dict.fromkeys([order[0], min(order), max(order)]))[:MOST_CANDIDATES]


def _bootstrap(
    points: Values,
    components: Sequence[Component],
    floor: Floor,
    offsets: Sequence[float],
    start: Values,
    seed: int,
    resamples: int,
) -> Values:
    """Weights of each resample of the global points and of every reference, shape (b, k + 1).

    A resample is a vector of counts, so that no kernel is computed twice. Each resample takes the
    offset that is most likely for it.
    """
    rng = np.random.default_rng(seed)
    some = thin_rows(points, MOST_RESAMPLED)
    counts = _counts(rng, len(some), resamples)
    draws = [_counts(rng, len(c.points), resamples) for c in components]
    best, found = np.full(resamples, -np.inf), np.tile(start, (resamples, 1))
    for offset in offsets:
        density = _resampled(shifted(some, offset), components, draws, floor)
        weights = em(density, counts, np.maximum(start, 0.02) / np.maximum(start, 0.02).sum())
        score = likelihood(weights, density, counts)
        better = score > best
        best[better], found[better] = score[better], weights[better]
    return found


def _resampled(
    points: Values, components: Sequence[Component], draws: Sequence[Matrix], floor: Floor
) -> Matrix:
    columns = [
        draw @ kernels(points, c).T / np.float32(len(c.points))
        for c, draw in zip(components, draws, strict=True)
    ]
    flat = np.broadcast_to(elsewhere(points, floor), (len(draws[0]), len(points)))
    return np.stack([*columns, flat], axis=-1)


def _counts(rng: np.random.Generator, n: int, resamples: int) -> Matrix:
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float32)


def interval(resampled: Values, widen: float) -> tuple[float, float]:
    """The percentile interval of one weight, shape (b,), made wider and kept within 0 and 1."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return max(0.0, float(low) - widen), min(1.0, float(high) + widen)
