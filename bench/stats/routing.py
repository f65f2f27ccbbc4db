"""Where did the global endpoint send its requests? Shares of the regions in its traffic.

No response names its region, so the global endpoint's requests are taken as a mixture of those of
the regional endpoints (`bench.stats.mixture`), over first byte and network time together. Distance
tells regions apart and work does not: without network time there is mostly no answer, and then
that is said (reference: "Where did the global endpoint send its requests?").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bench.stats import encode, routing_words
from bench.stats.kernels import Component, component, overlap, thin_rows
from bench.stats.metrics import bare, countable
from bench.stats.mixture import Mixture, fit, interval, unlisted
from bench.stats.quantiles import LEVEL, Values
from bench.stats.rates import rate
from bench.stats.routing_words import PROBES
from bench.stats.strata import Stratum
from bench.stats.travel import Axes, Source, Travel, travel
from bench.stats.vantages import by_vantage, vantages_of

ELSEWHERE = "elsewhere"
EVIDENCE = ("edge", "peer_ip")
"""Columns that say by what way an answer came."""

WIDEN = 0.05
"""Added at both ends: plain intervals cover in 72 to 98 % of cases only (reference)."""

SAME = 0.80
"""Regions whose distributions overlap by more are one group: nothing here can tell them apart."""

METHODS: Mapping[Axes, str] = {
    "both": "EM over (TTFB, network time)",
    "network": "EM over network time",
    "ttfb": "EM over TTFB alone",
}
SOURCES: Mapping[Source, str] = {"server": "the server's own word", "probe": PROBES, "": ""}
COUNTED = "counted by name"
CONTRADICTED = "cheap probes of the global endpoint did not go where its questions went"


@dataclass(frozen=True, slots=True)
class Share:
    """The part of global's answered requests that one group of regions served, from 0 to 1."""

    name: str
    regions: tuple[str, ...]
    value: float
    low: float
    high: float
    n_references: int


@dataclass(frozen=True, slots=True)
class Routing:
    """Shares by size, elsewhere last; intervals at 95 %.

    ``identifiable``: whether they may be believed; if not, ``reason`` says why and ``instead`` is
    what to run. ``offset_ms`` is by how much the global path is longer than the regional ones;
    its low and high are the ends of what the likelihood leaves possible. ``failures`` of global
    were routed nowhere that is known, and are part of no share. ``evidence`` counts what the rows
    say of edge and address, per endpoint.
    """

    identifiable: bool
    reason: str = ""
    instead: str = ""
    method: str = ""
    network_from: str = ""
    shares: tuple[Share, ...] = ()
    merged: tuple[tuple[str, ...], ...] = ()
    offset_ms: float | None = None
    offset_low_ms: float | None = None
    offset_high_ms: float | None = None
    n_global: int = 0
    n_regions: Mapping[str, int] = field(default_factory=dict)
    too_few: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    stratum: Stratum | None = None
    evidence: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    level: float = LEVEL

    @property
    def n_failed(self) -> int:
        """How many requests of global failed."""
        return sum(self.failures.values())

    def share(self, region: str) -> Share | None:
        """The share of the group that ``region`` is in, or None where it is in none."""
        return next((s for s in self.shares if region in (s.name, *s.regions)), None)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        found: dict[str, Any] = encode.plain(self)
        return found | {"n_failed": self.n_failed, "words": self.words()}

    def words(self) -> str:
        """The answer for people, in one or two sentences."""
        return routing_words.words(self)

    def _repr_html_(self) -> str:
        from bench.stats import cards  # knows every result, so none of them may know it earlier

        return cards.routing_card(self)


def route(
    df: pd.DataFrame, *, seed: int = 0, resamples: int = 200, stratum: Stratum | None = None
) -> Routing:
    """Where the requests of a tidy frame's global endpoint went; never raises for want of rows.

    ``stratum`` defaults to the one that can tell most. Equal frames and seeds give equal answers.
    Rows of several vantages have no one answer: `routes` gives each its own.
    """
    if stratum is None and len(places := vantages_of(df)) > 1:
        return Routing(False, f"these rows are of several vantages ({', '.join(places)})")
    answer = _route(df, travel(df, stratum), seed, resamples)
    if answer.reason != CONTRADICTED:
        return answer
    # Streams may show the way by their first byte alone.
    without = _route(df, travel(df, stratum, probes=False), seed, resamples)
    return without if without.identifiable else answer


def routes(df: pd.DataFrame, *, seed: int = 0, resamples: int = 200) -> dict[str, Routing]:
    """Vantage → where the requests went that it sent to the global endpoint, as `route`."""
    parts = by_vantage(df).items()
    return {name: route(part, seed=seed, resamples=resamples) for name, part in parts}


def _route(df: pd.DataFrame, found: Travel | None, seed: int, resamples: int) -> Routing:
    facts: dict[str, Any] = {"evidence": evidence(df)}
    if found is None:
        return _unknown(df, None, "the global endpoint was not asked to answer a model's question",
                        facts)  # fmt: skip
    facts |= {"stratum": found.stratum, "failures": found.failures, "n_global": len(found.seen)}
    facts |= {"too_few": found.too_few}
    facts |= {"n_regions": {name: len(points) for name, points in found.points.items()}}
    if len(named := _named(found)):
        return _counted(named, facts)
    if reason := routing_words.too_little(found):
        return _unknown(df, found, reason, facts)
    return _fitted(df, found, facts, seed, resamples)


def _unknown(
    df: pd.DataFrame, found: Travel | None, reason: str, facts: Mapping[str, Any]
) -> Routing:
    return Routing(False, reason, routing_words.instead(df, found), **facts)


def _named(found: Travel) -> pd.Series[str]:
    """The regions that answers name themselves; none does today."""
    return found.answered["region"].dropna().astype(str)


def _counted(named: pd.Series[str], facts: Mapping[str, Any]) -> Routing:
    rates = {str(name): rate(int(n), len(named)) for name, n in named.value_counts().items()}
    shares = tuple(
        Share(name, (name,), r.share or 0.0, r.low or 0.0, r.high or 0.0, 0)
        for name, r in sorted(rates.items(), key=lambda pair: (-pair[1].failed, pair[0]))
    )
    shares += (Share(ELSEWHERE, (), 0.0, 0.0, 0.0, 0),)
    return Routing(True, method=COUNTED, shares=shares, **{**facts, "n_global": len(named)})


def _fitted(
    df: pd.DataFrame, found: Travel, facts: dict[str, Any], seed: int, resamples: int
) -> Routing:
    groups = alike(found)
    parts = grouped(found, groups)
    mixture = fit(found.seen, tuple(parts.values()), seed=seed, resamples=resamples)
    shares = _shares(parts, groups, found, mixture)
    contradicted = _contradicted(found, parts, mixture)
    reason = CONTRADICTED if contradicted else routing_words.untold(found, groups, shares)
    return Routing(
        identifiable=not reason,
        reason=reason,
        instead=routing_words.instead(df, found) if reason else "",
        method=METHODS[found.axes],
        network_from=SOURCES[found.source],
        shares=shares,
        merged=tuple(group for group in groups if len(group) > 1),
        offset_ms=mixture.offset_ms,
        offset_low_ms=min(mixture.offsets_ms),
        offset_high_ms=max(mixture.offsets_ms),
        **facts,
    )


def _shares(
    parts: Mapping[str, Component],
    groups: tuple[tuple[str, ...], ...],
    found: Travel,
    mixture: Mixture,
) -> tuple[Share, ...]:
    ends = [interval(column, WIDEN) for column in mixture.resampled.T]
    counts = [sum(len(found.points[name]) for name in group) for group in groups]
    # The estimate need not lie between the quantiles of its resamples when a share is near 0.
    made = [
        Share(name, group, value, min(low, value), max(high, value), n)
        for name, group, value, (low, high), n in zip(
            [*parts, ELSEWHERE],
            [*groups, ()],
            map(float, mixture.weights),
            ends,
            [*counts, 0],
            strict=True,
        )
    ]
    return (*sorted(made[:-1], key=lambda s: (-s.value, s.name)), made[-1])


def alike(found: Travel) -> tuple[tuple[str, ...], ...]:
    """Regions in groups that cannot be told apart, nearest group first.

    A group is a chain: each of its regions overlaps by more than `SAME` with another of them.
    """
    near = sorted(
        found.points, key=lambda name: (float(np.median(found.points[name][:, -1])), name)
    )
    parts = {name: component(found.points[name]) for name in near}
    groups: list[list[str]] = []
    for name in near:
        touching = [g for g in groups if any(overlap(parts[name], parts[o]) > SAME for o in g)]
        groups = [g for g in groups if g not in touching]
        groups.append([*(member for g in touching for member in g), name])
    groups.sort(key=lambda g: near.index(g[0]))
    return tuple(tuple(group) for group in groups)


def grouped(found: Travel, groups: tuple[tuple[str, ...], ...]) -> dict[str, Component]:
    """One reference per group, in which its regions stand alike."""
    fewest = {g: min(len(found.points[name]) for name in g) for g in groups}
    return {
        "+".join(group): component(
            np.vstack([thin_rows(found.points[name], fewest[group]) for name in group])
        )
        for group in groups
    }


def _contradicted(found: Travel, parts: Mapping[str, Component], mixture: Mixture) -> bool:
    """Cheap probes tell only if they go where questions go: then the times of questions agree.

    Kolmogorov-Smirnov distance between the first bytes of global and of the fitted mixture,
    against its .01 quantile, 1.63 √(1/n + 1/m), and .05 for what the densities smooth.
    """
    if found.source != "probe":
        return False
    seen = _ttfb(found.seen) - mixture.offset_ms
    grid = np.sort(seen)
    known = mixture.weights[:-1] / max(float(mixture.weights[:-1].sum()), 1e-9)
    expected = sum(
        weight * np.searchsorted(np.sort(_ttfb(part.points)), grid, side="right") / len(part.points)
        for weight, part in zip(known, parts.values(), strict=True)
    )
    distance = float(np.abs(np.arange(1, len(grid) + 1) / len(grid) - expected).max())
    fewest = min(len(part.points) for part in parts.values())
    return bool(distance > 1.63 * np.sqrt(1 / len(grid) + 1 / fewest) + 0.05)


def _ttfb(points: Values) -> Values:
    """First bytes in ms, from points as `bench.stats.travel` makes them."""
    if points.shape[1] == 1:
        return points[:, 0]
    return np.asarray(np.exp(points[:, 0]) + points[:, 1])


def posterior(df: pd.DataFrame, routing: Routing) -> pd.DataFrame:
    """For each answered request of global the probability of each group: one column per share.

    Rows are in order of time and keep the frame's index; empty without shares.
    """
    found = travel(df, routing.stratum, probes=routing.network_from == PROBES)
    names = [share.name for share in routing.shares]
    if found is None or not names or routing.stratum is None:
        return pd.DataFrame(columns=names, dtype=float)
    if routing.method == COUNTED:
        named = _named(found)
        return pd.DataFrame({name: (named == name).astype(float) for name in names})
    parts = grouped(found, tuple(s.regions for s in routing.shares[:-1]))
    weights = np.array([share.value for share in routing.shares])
    offset = routing.offset_ms or 0.0
    floor = unlisted(found.seen, tuple(parts.values()), offset)
    mixture = Mixture(tuple(parts.values()), floor, offset, (offset,), weights, weights[None])
    return pd.DataFrame(mixture.posterior(found.seen), found.answered.index, names)


def evidence(df: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """How often each endpoint's answers came through which edge and from which address."""
    rows = countable(bare(df)[["endpoint", "outcome", "warmup", *EVIDENCE]])
    return {
        str(name): {column: _counts(part[column]) for column in EVIDENCE}
        for name, part in sorted(
            rows.groupby("endpoint", observed=True), key=lambda one: str(one[0])
        )
    }


def _counts(values: pd.Series[str]) -> dict[str, int]:
    return {str(name): int(n) for name, n in values.dropna().value_counts().sort_index().items()}
