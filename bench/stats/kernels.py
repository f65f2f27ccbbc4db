"""Kernel densities of points, and of what lies elsewhere.

Points are arrays of shape (n, d); the last column is a time in ms that an unknown offset shifts.

Source: B. W. Silverman, Density Estimation (1986), eq. 4.14 for the widths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.stats.quantiles import Values

Matrix = npt.NDArray[np.float32]
"""Densities: six digits are plenty, and half the memory is twice the speed."""

MOST_REFERENCES = 400
"""More points of a region cost time and tell no more."""

SMALLEST_WIDTH_MS = 2.0
"""Paths of one endpoint and of another differ by a millisecond or two for reasons of their own
(hosts, timers, edges): finer detail of a reference is never held to be evidence."""

FARTHEST_MS = 200.0
"""An unlisted region may be at least this far, however near the listed ones are."""

TINY = 1e-30
_FREEDOM = 4


@dataclass(frozen=True, slots=True)
class Component:
    """A region's reference points, shape (m, d), and the kernel's width in each column."""

    points: Values
    widths: Values


@dataclass(frozen=True, slots=True)
class Floor:
    """The density of "elsewhere": any distance alike up to ``reach_ms``, or half of it so and half
    around ``hump_ms``, where the points ask for an unlisted region; and where there is a second
    column, times as usual there: Student's t around ``centre``."""

    reach_ms: float
    centre: float = 0.0
    scale: float = 1.0
    hump_ms: float | None = None
    hump_width_ms: float = 3.0


def component(points: Values) -> Component:
    """A reference of at most `MOST_REFERENCES` points, evenly taken; widths by Silverman's rule.

    h = σ (4 / (d + 2))^(1 / (d + 4)) m^(−1 / (d + 4)), σ the smaller of the standard deviation and
    the interquartile range / 1.34, at least `SMALLEST_WIDTH_MS` in the last column.
    """
    m, d = points.shape
    quarter = np.subtract(*np.percentile(points, [75, 25], axis=0)) / 1.34
    spread = np.minimum(points.std(axis=0), np.where(quarter > 0, quarter, np.inf))
    widths = spread * (4 / (d + 2)) ** (1 / (d + 4)) * m ** (-1 / (d + 4))
    smallest = np.array([0.05] * (d - 1) + [SMALLEST_WIDTH_MS])
    return Component(thin_rows(points, MOST_REFERENCES), np.maximum(widths, smallest))


def thin_rows(points: Values, most: int) -> Values:
    """At most ``most`` rows, evenly spaced, so that all times of a run stay represented."""
    if len(points) <= most:
        return points
    places = np.linspace(0, len(points) - 1, most).round().astype(int)
    return np.take(points, places, axis=0)


def floor_of(points: Values, components: Sequence[Component]) -> Floor:
    """Elsewhere, made to reach a quarter beyond what was seen."""
    pooled = np.vstack([points, *(c.points for c in components)])
    reach = max(FARTHEST_MS, 1.25 * float(np.quantile(pooled[:, -1], 0.995)))
    if pooled.shape[1] == 1:
        return Floor(reach)
    centre = float(np.median(pooled[:, 0]))
    scale = 1.4826 * float(np.median(np.abs(pooled[:, 0] - centre)))
    return Floor(reach, centre, max(scale, 0.05))


def kernels(points: Values, reference: Component) -> Matrix:
    """The kernel of each point at each reference point, shape (n, m).

    Multivariate t with 4 degrees of freedom: Γ((4 + d) / 2) / (Γ(2) (4π)^(d/2) Π h) ·
    (1 + z² / 4)^(−(4 + d) / 2). Its tails keep a straggler with its region.
    """
    d = points.shape[1]
    scaled, other = points / reference.widths, reference.points / reference.widths
    square = np.zeros((len(points), len(other)), dtype=np.float32)
    for column in range(d):
        gap = np.subtract.outer(scaled[:, column], other[:, column]).astype(np.float32)
        square += gap * gap
    heights: Matrix = (1 + square / np.float32(_FREEDOM)) ** np.float32(-(_FREEDOM + d) / 2)
    constant = math.gamma((_FREEDOM + d) / 2) / (_FREEDOM * math.pi) ** (d / 2)
    return heights * np.float32(constant / np.prod(reference.widths))


def densities(
    points: Values, components: Sequence[Component], floor: Floor, offset_ms: float
) -> Matrix:
    """Each component's density at each point, elsewhere last, shape (n, k + 1)."""
    moved = shifted(points, offset_ms)
    columns = [
        np.concatenate([kernels(part, c).mean(axis=1) for part in _parts(moved)])
        for c in components
    ]
    return np.column_stack([*columns, elsewhere(moved, floor)]).astype(np.float32)


def _parts(points: Values) -> list[Values]:
    """Pieces small enough that a matrix of kernels stays in the cache."""
    return np.array_split(points, max(1, math.ceil(len(points) / 1000)))


def shifted(points: Values, offset_ms: float) -> Values:
    """The points as they would be without the offset."""
    moved = points.copy()
    moved[:, -1] -= offset_ms
    return moved


def elsewhere(points: Values, floor: Floor) -> Matrix:
    """The density of an unlisted region at each point, shape (n,): see `Floor`."""
    flat: Matrix = np.full(len(points), 1 / floor.reach_ms, dtype=np.float32)
    if floor.hump_ms is not None:
        hump = Component(np.array([[floor.hump_ms]]), np.array([floor.hump_width_ms]))
        flat = (flat + kernels(points[:, -1:], hump)[:, 0]) / np.float32(2)
    if points.shape[1] == 1:
        return flat
    centre = Component(np.array([[floor.centre]]), np.array([floor.scale]))
    return flat * kernels(points[:, :1], centre)[:, 0]


def overlap(one: Component, other: Component) -> float:
    """The overlapping coefficient ∫ min(f, g), between 0 and 1, from both samples.

    ∫ min(f, g) = E_f min(1, g / f); a point is left out of its own density, or no sample would
    look like another of the same distribution.
    """
    return (_covered(one, other) + _covered(other, one)) / 2


def _covered(one: Component, other: Component) -> float:
    own = kernels(one.points, one)
    np.fill_diagonal(own, 0)
    mine = own.sum(axis=1) / max(1, len(own) - 1)
    theirs = kernels(one.points, other).mean(axis=1)
    return float(np.minimum(1, theirs / np.maximum(mine, TINY)).mean())
