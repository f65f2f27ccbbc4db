"""Rows → what tells where a request went: its first byte and its time on the network.

Network time is the client's total less the server's own word for its work (unstreamed answers
only), or else the first byte of a cheap request that the same round sent to the same endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.frame import KEYS
from bench.model import ASKING, GLOBAL
from bench.stats.metrics import (
    MAIN_COLUMNS,
    bare,
    countable,
    failed,
    latency_ms,
    not_reused,
    plain_ms,
)
from bench.stats.quantiles import Values
from bench.stats.strata import Stratum, runs_of, stratify

Axes = Literal["both", "network", "ttfb"]
Source = Literal["server", "probe", ""]

FEWEST = 20
"""Fewer answers than this describe neither a region nor the global endpoint."""

WAY = ("seq", "region", "ttfb_ns", "dns_ns", "tcp_ns", "tls_ns", "network_ms")
"""What this reads, besides `bench.frame.KEYS` and the main metrics."""

_CHEAP = ("models", "edge")
_ROUND = ["run_id", "round", "endpoint"]


@dataclass(frozen=True)
class Travel:
    """One stratum, ready to be compared.

    ``points`` are each region's, shape (n, d): with both axes (log of TTFB less network, network
    time in ms), else one of the two times in ms. ``answered`` are the rows of global that
    ``seen``, shape (n, d), belongs to, in order of time; ``too_few`` regions have no ``points``.
    """

    stratum: Stratum
    axes: Axes
    source: Source
    points: Mapping[str, Values]
    too_few: Mapping[str, int]
    answered: pd.DataFrame
    seen: Values
    failures: Mapping[str, int]

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sort key: what can tell most stands highest."""
        axes: Sequence[Axes] = ("ttfb", "network", "both")
        return axes.index(self.axes), self.source == "server", min(len(self.seen), 300)


def travel(
    df: pd.DataFrame, stratum: Stratum | None = None, *, probes: bool = True
) -> Travel | None:
    """The given stratum's, or that of the stratum which can tell most; None: nobody asked global.

    Only requests that ask a model are routed by capacity, so only their strata are looked at.
    Without ``probes`` cheap requests tell nothing.
    """
    known = countable(bare(df)[[name for name in (*KEYS, *MAIN_COLUMNS, *WAY) if name in df]])
    groups = [
        (found, rows)
        for found, rows in stratify(known, runs_of(df))
        if found.kind in ASKING and stratum in (None, found) and (rows["endpoint"] == GLOBAL).any()
    ]
    cheap = _probes(known if probes else known[:0])
    made = [_travel(found, rows, cheap) for found, rows in groups]
    return max(made, key=lambda one: one.rank, default=None)


def _travel(stratum: Stratum, rows: pd.DataFrame, probes: pd.DataFrame) -> Travel:
    ok = rows[~(failed(rows) | not_reused(rows))]
    ok = ok.sort_values(["started_at", "run_id", "seq"], kind="stable")
    ttfb = latency_ms(ok, "ttfb")
    offers: list[tuple[Axes, Source, Values]] = []
    networks: list[tuple[Source, Values]] = [
        ("server", _by_server(ok)),
        ("probe", _by_probe(ok, probes)),
    ]
    for source, network in networks:
        offers += [("both", source, _both(ttfb, network)), ("network", source, network[:, None])]
    offers += [("ttfb", "", ttfb[:, None])]
    order: tuple[Axes, ...] = ("both", "network", "ttfb")
    offers.sort(key=lambda offer: order.index(offer[0]))
    axes, source, points = next((o for o in offers if _suffices(ok, o[2])), offers[-1])
    return _gathered(stratum, rows, ok, (axes, source, points))


def _gathered(
    stratum: Stratum, rows: pd.DataFrame, ok: pd.DataFrame, offer: tuple[Axes, Source, Values]
) -> Travel:
    axes, source, points = offer
    names = [str(name) for name in rows["endpoint"].unique() if str(name) != GLOBAL]
    found = {name: _of(ok, points, name) for name in names}
    lost = rows[failed(rows) & (rows["endpoint"] == GLOBAL)]["outcome"].astype("string")
    return Travel(
        stratum=stratum,
        axes=axes,
        source=source,
        points={name: p for name, p in found.items() if len(p) >= FEWEST},
        too_few={name: len(p) for name, p in found.items() if len(p) < FEWEST},
        answered=ok[_usable(ok, points, GLOBAL)],
        seen=_of(ok, points, GLOBAL),
        failures={str(name): int(n) for name, n in lost.value_counts().sort_index().items()},
    )


def _usable(ok: pd.DataFrame, points: Values, name: str) -> Any:
    return (ok["endpoint"] == name).to_numpy() & np.isfinite(points).all(axis=1)


def _of(ok: pd.DataFrame, points: Values, name: str) -> Values:
    return np.asarray(points[_usable(ok, points, name)])


def _suffices(ok: pd.DataFrame, points: Values) -> bool:
    """Whether global and some region have enough of these points."""
    usable = ok["endpoint"].take(np.flatnonzero(np.isfinite(points).all(axis=1))).value_counts()
    others = usable.drop(GLOBAL, errors="ignore")
    return int(usable.get(GLOBAL, 0)) >= FEWEST and bool((others >= FEWEST).any())


def _both(ttfb: Values, network: Values) -> Values:
    """(log(TTFB − network), network): work and way apart, so that an offset moves one column.

    The work of a request that was answered sooner than its probe is taken as 5 % of its TTFB.
    """
    work = np.maximum(ttfb - network, 0.05 * ttfb)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([np.log(work), network])


def _by_server(ok: pd.DataFrame) -> Values:
    """Total less the server's own word, and less what opening a connection took."""
    opening = sum(np.nan_to_num(plain_ms(ok, name)) for name in ("dns", "tcp", "tls"))
    network = plain_ms(ok, "network") - opening
    return np.where(network > 0, network, np.nan)


def _probes(rows: pd.DataFrame) -> pd.DataFrame:
    """The first byte of each round's cheap request to each endpoint; /models before the edge."""
    meant = rows["kind"].isin(_CHEAP) & (rows["connection"] == "warm")
    cheap = rows[meant & ~(failed(rows) | not_reused(rows))]
    table = cheap[_ROUND].astype({"endpoint": "string"})
    table["rank"] = cheap["kind"].astype("string") != _CHEAP[0]
    table["probe"] = plain_ms(cheap, "ttfb")
    return table.sort_values("rank", kind="stable").drop_duplicates(_ROUND)


def _by_probe(ok: pd.DataFrame, probes: pd.DataFrame) -> Values:
    if probes.empty:
        return np.full(len(ok), np.nan)
    keys = ok[_ROUND].astype({"endpoint": "string"})
    joined = keys.merge(probes, on=_ROUND, how="left")
    return np.asarray(joined["probe"].to_numpy(dtype=np.float64, na_value=np.nan))
