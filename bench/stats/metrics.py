"""What can be read from a request, and which requests count.

A metric is one function of a frame and one line of `METRICS`. All are milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.model import ASKING, NOT_KEPT, PHASES
from bench.stats.quantiles import Values
from bench.units import NS_PER_MS

Flags = npt.NDArray[np.bool_]

_FEW = 4
"""Names up to which a comparison for each is faster than a look-up for every row."""

NOBODYS_FAULT = ("cancelled", "client_fault")
"""Outcomes that say nothing about an endpoint: they stay out of every number and are counted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One time that a request has; ``column`` is the frame's, in ns or, by its name, in ms."""

    name: str
    column: str
    label: str
    meaning: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("ttft", "ttft_ns", "time to first token (ms)", "from the start to the first token"),
        Metric("total", "total_ns", "total time (ms)", "from the start to the last byte"),
        Metric("ttfb", "ttfb_ns", "time to first byte (ms)", "from the last byte sent"),
        Metric("dns", "dns_ns", "name lookup (ms)", "resolving the host name"),
        Metric("tcp", "tcp_ns", "TCP connect (ms)", "one round trip to the edge"),
        Metric("tls", "tls_ns", "TLS handshake (ms)", "agreeing on keys with the edge"),
        Metric("send", "send_ns", "send (ms)", "handing the request to the kernel"),
        Metric("first_event", "first_event_ns", "first event (ms)", "from the start"),
        Metric("first_reasoning", "first_reasoning_ns", "first reasoning (ms)", "from the start"),
        Metric("last_token", "last_token_ns", "last token (ms)", "from the start"),
        Metric("rtt", "min_rtt_ns", "smallest round trip (ms)", "the kernel's, to the edge"),
        Metric("server", "server_ms", "server time (ms)", "the server's own word"),
        Metric("network", "network_ms", "network time (ms)", "total less the server's own word"),
        Metric("think", "think_ms", "wait beyond the network (ms)", "first byte less a round trip"),
    )
}


MAIN_COLUMNS = ("ttft_ns", "total_ns")
"""What the main metrics are read from: with `bench.frame.KEYS`, all that quantiles take."""


def main_metric(kind: str, streamed: bool) -> str:
    """The one metric that answers for a stratum: what its user waits for."""
    return "ttft" if kind in ASKING and streamed else "total"


def countable(df: pd.DataFrame) -> pd.DataFrame:
    """The rows that say something about an endpoint: no warm-up, nobody's-fault or torn rows.

    Without attrs: pandas copies them deeply at every step, and they are large.
    """
    return bare(df)[counts(df)]


def bare(df: pd.DataFrame) -> pd.DataFrame:
    """The same rows without attrs."""
    return pd.DataFrame(df)


def counts(df: pd.DataFrame) -> Flags:
    """Which rows `countable` keeps, shape (rows,)."""
    df = bare(df)
    unfit = _named(df["outcome"], lambda name: name in NOBODYS_FAULT, unnamed=True)
    return np.asarray(~_warmup(df) & ~unfit & df["endpoint"].notna().to_numpy())


def left_out(df: pd.DataFrame) -> dict[str, int]:
    """How many rows `countable` leaves out, by reason."""
    df = bare(df)
    warmup = _warmup(df)
    found = {"warmup": int(warmup.sum())}
    for name in NOBODYS_FAULT:
        found[name] = int((~warmup & _named(df["outcome"], name.__eq__)).sum())
    found["incomplete"] = len(df) - int(counts(df).sum()) - sum(found.values())
    return found


def _warmup(df: pd.DataFrame) -> Flags:
    return df["warmup"].to_numpy(dtype=np.bool_, na_value=False)


def failed(df: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are failures; every outcome but ``ok`` is."""
    return pd.Series(_named(df["outcome"], lambda name: name != "ok", unnamed=True), df.index)


def not_reused(df: pd.DataFrame) -> pd.Series[bool]:
    """Which answered rows were meant to be warm and yet opened a connection.

    Not those of a client that never keeps one: that is how it is, and a caution says so.
    """
    fresh = ~df["reused"].to_numpy(dtype=np.bool_, na_value=True)
    if fresh.any():
        warm = _named(df["connection"], "warm".__eq__)
        fresh &= warm & ~(never_kept(df) | failed(df)).to_numpy()
    return pd.Series(fresh, df.index)


def never_kept(df: pd.DataFrame) -> pd.Series[bool]:
    """Which rows were sent by a client that cannot keep a connection for the next request."""
    return flagged(df, NOT_KEPT)


def flagged(df: pd.DataFrame, flag: str) -> pd.Series[bool]:
    """Rows that carry a flag of `bench.model`."""
    worn = re.compile(rf"\b{flag}\b")
    return pd.Series(_named(df["flags"], lambda text: bool(worn.search(text))), df.index)


def _named(names: pd.Series[Any], test: Callable[[str], bool], unnamed: bool = False) -> Flags:
    """Which rows have a name that passes, shape (rows,): each name is asked once, not each row.

    ``unnamed`` is for rows that have none.
    """
    codes, known = coded(names)
    passing: Flags = np.asarray([*map(test, known), unnamed], dtype=np.bool_)
    usual = 2 * np.count_nonzero(passing) > len(passing)
    others = np.flatnonzero(passing != usual)
    if len(others) > _FEW:
        return np.asarray(passing[codes])
    found = np.full(len(codes), usual)
    for place in others:
        found ^= codes == (place if place < len(known) else -1)
    return found


def coded(names: pd.Series[Any]) -> tuple[npt.NDArray[np.signedinteger[Any]], list[str]]:
    """The place of each row's name, shape (rows,), -1 for none, and the names."""
    if not isinstance(names.dtype, pd.CategoricalDtype):
        names = names.astype("string").astype("category")
    return np.asarray(names.cat.codes), [str(name) for name in names.cat.categories]


def together(one: pd.Series[Any], other: pd.Series[Any]) -> list[tuple[str, str]]:
    """Each two names that some row has both of: of ``one``, and of ``other``."""
    (codes, names), (others, values) = coded(one), coded(other)
    both = (codes >= 0) & (others >= 0)
    places = codes[both] * np.int64(len(values)) + others[both]
    found = (divmod(int(at), len(values)) for at in np.flatnonzero(np.bincount(places)))
    return [(names[place], values[at]) for place, at in found]


def plain_ms(df: pd.DataFrame, name: str) -> Values:
    """The metric of every row in ms, shape (rows,); NaN where a row has none."""
    column = METRICS[name].column
    if column not in df:  # a frame of some columns
        return np.full(len(df), np.nan)
    scale = NS_PER_MS if column.endswith("_ns") else 1
    return df[column].to_numpy(dtype=np.float64, na_value=np.nan) / scale


FATE = ("outcome", "reused", "connection", "flags")
"""What `latency_ms` looks at besides the metric's own column: what became of a request."""


def latency_ms(df: pd.DataFrame, name: str) -> Values:
    """The metric of every row in ms, shape (rows,): +inf for a failure, NaN for "no value".

    NaN are answered rows without this metric and rows of the warm stratum that opened a
    connection: they are not warm measurements. A failure stays a failure in either stratum.
    """
    values = plain_ms(df, name)
    values[not_reused(df).to_numpy()] = np.nan
    values[failed(df).to_numpy()] = np.inf
    return values


SEGMENT_COLUMNS = (*MAIN_COLUMNS, "dns_ns", "tcp_ns", "tls_ns", "send_ns", "ttfb_ns")
"""What `segments_ms` reads."""


def segments_ms(df: pd.DataFrame) -> pd.DataFrame:
    """Each row's total time cut into parts that follow each other, in ms; NA parts are 0.

    Columns: ``dns tcp tls send``, ``wait`` (last byte sent to first byte back), ``think`` (on to
    the first token, streams only) and ``rest`` (to the last byte). They add up to the total.
    """
    parts = {name: _or_nothing(df, name) for name in PHASES[:4]}
    parts["wait"] = _or_nothing(df, "ttfb")
    so_far = np.asarray(sum(parts.values()))
    first, total = _or_nothing(df, "ttft"), _or_nothing(df, "total")
    parts["think"] = np.clip(np.minimum(first, total) - so_far, 0, None)
    parts["rest"] = np.clip(total - so_far - parts["think"], 0, None)
    return pd.DataFrame(parts, df.index, copy=False)


def _or_nothing(df: pd.DataFrame, name: str) -> Values:
    column = METRICS[name].column
    if column not in df:  # a frame of some columns
        return np.zeros(len(df))
    return df[column].to_numpy(dtype=np.float64, na_value=0) / NS_PER_MS
