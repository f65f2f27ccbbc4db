"""When did the mixture change? Shares over time, and bursts in which another region took over.

Each answered request of global has a probability of having been served by each region
(`bench.stats.routing.posterior`). A burst is a stretch in which one region's part is far above its
part in the rest, and more so than in any stretch of the same requests in a random order.

Source: M. Kulldorff, A Spatial Scan Statistic, Communications in Statistics 26 (1997), in time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.stats import encode
from bench.stats.metrics import bare
from bench.stats.quantiles import Values
from bench.stats.routing import Routing, posterior

ALPHA = 0.05
PERMUTATIONS = 199
FEWEST = 40
"""With fewer answers no stretch can stand out."""

PER_WINDOW = 12
MOST_WINDOWS = 30
SMALLEST_RISE = 0.20
"""A burst raises a region's part by at least so much."""

MOST_BURSTS = 12
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Window:
    """Some consecutive rounds of global requests; ``shares`` by group with their intervals."""

    first_round: int
    last_round: int
    first_at: str | None
    last_at: str | None
    n: int
    shares: dict[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Burst:
    """``region`` served ``share`` of these ``n`` requests, and ``outside`` of the others.

    ``p`` is how often a random order of the same requests has a stretch that stands out as much.
    """

    region: str
    first_round: int
    last_round: int
    first_at: str | None
    last_at: str | None
    n: int
    share: float
    outside: float
    p: float


@dataclass(frozen=True, slots=True)
class Spillover:
    """``known`` is False, with the ``reason``, when the rows cannot tell.

    ``clustered_p``: how often a random order keeps requests of one region together as much as they
    were; small means that spilling comes in spells, be they too short to be found one by one.
    ``stays`` is the chance that the request after one that left ``home`` left it too.
    """

    known: bool
    reason: str = ""
    home: str = ""
    n: int = 0
    away: float | None = None
    stays: float | None = None
    clustered_p: float | None = None
    windows: tuple[Window, ...] = ()
    bursts: tuple[Burst, ...] = ()

    def worst(self) -> Burst:
        """The burst that moved most requests; there must be one."""
        return max(self.bursts, key=lambda burst: (burst.share - burst.outside) * burst.n)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        found: dict[str, Any] = encode.plain(self)
        return found | {"words": self.words()}

    def words(self) -> str:
        """The answer for people, in one or two sentences."""
        if not self.known:
            return f"Whether the mixture changed over time cannot be told: {self.reason}."
        return f"{self._spells()} {self._stretches()}".strip()

    def _spells(self) -> str:
        if (self.away or 0) < 0.005:
            return f"None of {self.n} global requests seems to have left {self.home}."
        text = f"{100 * (self.away or 0):.0f} % of {self.n} global requests left {self.home}"
        if self.clustered_p is None or self.clustered_p > ALPHA or self.stays is None:
            return f"{text}, with no sign that this came in spells."
        again = f"after one that left, the next did too in {100 * self.stays:.0f} %"
        return f"{text}, in spells: {again} (p = {self.clustered_p:.2g})."

    def _stretches(self) -> str:
        if not self.bursts:
            return ""
        worst = self.worst()
        count = len(self.bursts)
        text = "One stretch stands out" if count == 1 else f"{count} stretches stand out"
        rounds = f"rounds {worst.first_round} to {worst.last_round}"
        part = f"{100 * worst.share:.0f} % {worst.region} instead of {100 * worst.outside:.0f} %"
        return f"{text}{'' if count == 1 else ', most of all'}: {rounds}, {part}."


def spillover(df: pd.DataFrame, routing: Routing, *, seed: int = 0) -> Spillover:
    """How the shares of ``routing`` (of the same frame) moved over its rounds."""
    if not routing.identifiable:
        return Spillover(False, routing.reason)
    chances = posterior(df, routing)
    if len(chances) < FEWEST:
        reason = f"{len(chances)} answers of the global endpoint are too few (at least {FEWEST})"
        return Spillover(False, reason, n=len(chances))
    rows = bare(df).loc[chances.index, ["round", "started_at"]]
    p = chances.to_numpy(dtype=np.float64)
    home = int(np.argmax(p.mean(axis=0)))
    left = 1 - p[:, home]
    rng = np.random.default_rng(seed)
    return Spillover(
        known=True,
        home=str(chances.columns[home]),
        n=len(p),
        away=float(left.mean()),
        stays=_stays(left),
        clustered_p=_clustered(left, rng),
        windows=tuple(_windows(chances, rows)),
        bursts=_bursts(chances.drop(columns=chances.columns[home]), rows, rng),
    )


def _stays(left: Values) -> float | None:
    """P(left | the one before left), from probabilities: Σ lᵢlᵢ₊₁ / Σ lᵢ."""
    total = float(left[:-1].sum())
    return float(left[:-1] @ left[1:]) / total if total > 0.5 else None


def _clustered(left: Values, rng: np.random.Generator) -> float | None:
    """One-sided permutation test of Σ lᵢlᵢ₊₁ (Wald and Wolfowitz's serial statistic)."""
    if float(left.var()) < 1e-9:
        return None
    seen = float(left[:-1] @ left[1:])
    orders = (rng.permutation(left) for _ in range(PERMUTATIONS))
    more = sum(float(order[:-1] @ order[1:]) >= seen - 1e-12 for order in orders)
    return (1 + more) / (1 + PERMUTATIONS)


def _windows(chances: pd.DataFrame, rows: pd.DataFrame) -> Iterator[Window]:
    count = min(MOST_WINDOWS, max(1, len(chances) // PER_WINDOW))
    for places in np.array_split(np.arange(len(chances)), count):
        part = chances.iloc[places]
        shares = {str(name): _wilson(float(part[name].mean()), len(part)) for name in part}
        yield Window(**_when(rows, places[0], places[-1]), n=len(part), shares=shares)


def _wilson(share: float, n: int) -> tuple[float, float, float]:
    """A share with Wilson's 95 % interval; probabilities count as parts of a request."""
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return share, max(0.0, middle - half), min(1.0, middle + half)


def _when(rows: pd.DataFrame, first: int, last: int) -> dict[str, Any]:
    part = rows.iloc[[first, last]]
    rounds = [-1 if pd.isna(r) else int(r) for r in part["round"]]
    times = [None if pd.isna(t) else _utc(t) for t in part["started_at"]]
    return {
        "first_round": rounds[0],
        "last_round": rounds[1],
        "first_at": times[0],
        "last_at": times[1],
    }


def _utc(moment: pd.Timestamp) -> str:
    """Milliseconds count: a burst may last two seconds."""
    return moment.tz_convert(None).isoformat(timespec="milliseconds") + "Z"


def _bursts(away: pd.DataFrame, rows: pd.DataFrame, rng: np.random.Generator) -> tuple[Burst, ...]:
    """Stretches that stand out, none inside another, in order of time."""
    p = away.to_numpy(dtype=np.float64)
    starts, ends = _stretches(len(p))
    score = _scores(p, starts, ends)
    orders = (rng.permutation(p) for _ in range(PERMUTATIONS))
    chance = np.array([_scores(order, starts, ends).max() for order in orders])
    taken = np.zeros(len(p), dtype=bool)
    found: list[tuple[int, Burst]] = []
    for flat in np.argsort(-score, axis=None, kind="stable")[:5000]:
        at, group = np.unravel_index(flat, score.shape)
        low, high, best = int(starts[at]), int(ends[at]), float(score[at, group])
        likely = (1 + int((chance >= best).sum())) / (1 + PERMUTATIONS)
        if likely > ALPHA or len(found) == MOST_BURSTS:
            break
        inside, outside = _inside_outside(p[:, group], low, high)
        if taken[low:high].any() or inside - outside < SMALLEST_RISE:
            continue
        taken[low:high] = True
        when = _when(rows, low, high - 1)
        name = str(away.columns[group])
        found.append((low, Burst(name, **when, n=high - low, share=inside, outside=outside,
                                 p=likely)))  # fmt: skip
    return tuple(burst for _, burst in sorted(found, key=lambda pair: pair[0]))


def _stretches(n: int) -> tuple[Any, Any]:
    """Starts and ends of the stretches looked at: lengths from 3 (or n / 500) to n / 2, each a
    fifth longer than the one before, an eighth of a length apart."""
    starts, ends = [], []
    length = max(3, n // 500)
    while length <= n // 2:
        begin = np.arange(0, n - length + 1, max(1, length // 8))
        starts.append(begin)
        ends.append(begin + length)
        length = max(length + 1, round(length * 1.2))
    return np.concatenate(starts), np.concatenate(ends)


def _scores(p: Values, starts: Any, ends: Any) -> Values:
    """Kulldorff's log-likelihood ratio of each stretch and group, 0 where the part is lower.

    With c of m inside and C of n in all: m·H(c/m) + (n − m)·H((C − c)/(n − m)) − n·H(C/n), where
    H(q) = q log q + (1 − q) log(1 − q).
    """
    n = len(p)
    sums = np.vstack([np.zeros(p.shape[1]), np.cumsum(p, axis=0)])
    m = (ends - starts)[:, None]
    c, total = sums[ends] - sums[starts], sums[-1]
    inside, outside = c / m, (total - c) / (n - m)
    more = inside > outside
    at, group = np.nonzero(more)
    m = (ends - starts)[at]
    found = np.zeros(more.shape)
    found[more] = m * _h(inside[more]) + (n - m) * _h(outside[more]) - n * _h(total / n)[group]
    return found


def _h(q: Values) -> Values:
    q = np.clip(q, 1e-12, 1 - 1e-12)
    return np.asarray(q * np.log(q) + (1 - q) * np.log(1 - q))


def _inside_outside(p: Values, low: int, high: int) -> tuple[float, float]:
    inside = float(p[low:high].sum())
    return inside / (high - low), (float(p.sum()) - inside) / (len(p) - high + low)
