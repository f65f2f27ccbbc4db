"""The wire over a path of known length: 10 ms to the name server, a round trip of 20 ms.

The line is never early, so the lower bounds are exact; the upper ones leave room for a busy host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.lab.delay_line import FAR
from tests.lab.inside import call_inside, no_line, require
from tests.lab.journeys import DNS_MS, RTT_MS

ROOM_MS = 15.0
"""Above the truth, for a median: less than any phase is long, more than a host's stumble."""


@pytest.fixture(autouse=True)
def _line() -> None:
    require(no_line())


def quarter_ns(values: Iterable[float]) -> float:
    """The lower quartile: a machine at work adds to times, and to some more than to others; a phase
    that holds another's round trip has it every time."""
    ordered = sorted(values)
    return ordered[len(ordered) // 4]


def quarter_ms(rows: list[dict[str, Any]], name: str) -> float:
    """Of one column."""
    return quarter_ns(row[name] for row in rows) / 1e6


@pytest.mark.parametrize(("family", "address"), [("4", FAR[0]), ("6", FAR[1])])
def test_cold_phases_are_told_apart(family: str, address: str) -> None:
    """DNS is DNS, TCP one round trip, TLS another: nothing merged, nothing missing."""
    rows = call_inside("tests.lab.journeys:cold", count=8, family=family)
    assert {row["outcome"] for row in rows} == {"ok"}
    assert {row["peer_ip"] for row in rows} == {address}
    for name, true_ms in {"dns_ns": DNS_MS, "tcp_ns": RTT_MS, "tls_ns": RTT_MS}.items():
        assert min(row[name] for row in rows) >= true_ms * 1e6, name
        assert quarter_ms(rows, name) < true_ms + ROOM_MS, name


def test_the_handshake_costs_a_round_trip_and_the_servers_work() -> None:
    """Not this process's: checking the certificate is outside of ``tls_ns``."""
    rows = call_inside("tests.lab.journeys:cold", count=8)
    for row in rows:
        assert row["tls_ns"] >= RTT_MS * 1e6 + row["handshake_ns"]
    left = [row["tls_ns"] - row["rtt_ns"] - row["handshake_ns"] for row in rows]
    assert quarter_ns(left) < 1.5e6


def test_the_kernels_round_trip_is_the_lines() -> None:
    """TCP_INFO right after connecting, and its minimum."""
    rows = call_inside("tests.lab.journeys:cold", count=8)
    for name in ("rtt_ns", "min_rtt_ns"):
        assert min(row[name] for row in rows) >= (RTT_MS - 0.1) * 1e6
        assert quarter_ms(rows, name) < RTT_MS + ROOM_MS


def test_think_time_is_the_servers_own() -> None:
    """Kernel TTFB less the shortest round trip: what the server says it took."""
    rows = call_inside("tests.lab.journeys:think", count=20, delay_ms=40.0)
    thought = [row["ttfb_kernel_ns"] - row["min_rtt_ns"] for row in rows]
    errors = [abs(ns - row["true_ns"]) for ns, row in zip(thought, rows, strict=True)]
    assert quarter_ns(errors) < 5e6
