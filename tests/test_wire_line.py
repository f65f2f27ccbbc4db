"""The wire over a path of known length: 10 ms to the name server, a round trip of 20 ms.

The line is never early, so the lower bounds are exact. A busy host adds to times, and to some more
than to others; a phase that holds another's has it every time. So the upper bounds are for the
shortest of several, and as wide as another phase is long.
"""

from __future__ import annotations

import pytest

from tests.lab.delay_line import FAR
from tests.lab.inside import call_inside, no_line, require
from tests.lab.journeys import DNS_MS, RTT_MS


@pytest.fixture(autouse=True)
def _line() -> None:
    require(no_line())


_PHASES = {
    "dns_ns": (DNS_MS, RTT_MS),
    "tcp_ns": (RTT_MS, DNS_MS),
    "tls_ns": (RTT_MS, DNS_MS),
}
"""Each phase's length, and the shortest that could be merged into it."""


@pytest.mark.parametrize(("family", "address"), [("4", FAR[0]), ("6", FAR[1])])
def test_cold_phases_are_told_apart(family: str, address: str) -> None:
    """DNS is DNS, TCP one round trip, TLS another: nothing merged, nothing missing."""
    rows = call_inside("tests.lab.journeys:cold", count=16, family=family)
    assert {row["outcome"] for row in rows} == {"ok"}
    assert {row["peer_ip"] for row in rows} == {address}
    for name, (true_ms, other_ms) in _PHASES.items():
        shortest_ms = min(row[name] for row in rows) / 1e6
        assert true_ms <= shortest_ms < true_ms + other_ms, name


def test_the_handshake_costs_a_round_trip_and_the_servers_work() -> None:
    """Not this process's: checking the certificate is outside of ``tls_ns``."""
    rows = call_inside("tests.lab.journeys:cold", count=16)
    for row in rows:
        assert row["tls_ns"] >= RTT_MS * 1e6 + row["handshake_ns"]
    assert min(row["tls_ns"] - row["rtt_ns"] - row["handshake_ns"] for row in rows) < 1.5e6


def test_the_kernels_round_trip_is_the_lines() -> None:
    """TCP_INFO right after connecting, and its minimum."""
    rows = call_inside("tests.lab.journeys:cold", count=16)
    for name in ("rtt_ns", "min_rtt_ns"):
        assert RTT_MS - 0.1 <= min(row[name] for row in rows) / 1e6 < RTT_MS + DNS_MS


def test_think_time_is_the_servers_own() -> None:
    """Kernel TTFB less the shortest round trip: what the server says it took."""
    rows = call_inside("tests.lab.journeys:think", count=20, delay_ms=40.0)
    thought = [row["ttfb_kernel_ns"] - row["min_rtt_ns"] for row in rows]
    assert min(abs(ns - row["true_ns"]) for ns, row in zip(thought, rows, strict=True)) < 5e6
