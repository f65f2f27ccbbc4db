"""The wire against a server that knows the truth of every request.

All stamps are of one host's clock, so some things hold exactly: a request cannot arrive before it
left. The rest is held to with generous room; figures are `tests.benchmarks.fidelity`'s business.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bench.clients.http import HttpClient
from bench.model import Reply
from bench.simulator import Fleet
from bench.wire.record import Record
from bench.wire.transport import Route, Wire
from tests.benchmarks.fidelity_load import busy
from tests.lab.inside import call_inside, no_namespace, require
from tests.lab.keeping import (
    connections_to_fleet,
    connections_to_lab,
    fast_fleet,
    fleet_request,
    http2_settings,
)
from tests.lab.lab import HOST, LOOPBACK, Lab, lab_request, start_lab
from tests.lab.truth import Truth

SLEW_NS = 20_000
"""What slewing may move CLOCK_REALTIME against CLOCK_MONOTONIC during one short request."""

MUCH_NS = 1_500_000
"""Far more than a kernel bias is (some 15 µs), far less than any delay here."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all."""
    with start_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def by_wire(lab: Lab, scheme: str, address: str, names: list[str]) -> list[Record]:
    """Requests over one `Wire`, in the clear or under TLS."""
    port = lab.tls_port if scheme == "https" else lab.plain_port
    host = f"[{address}]" if ":" in address else address
    wire = Wire(lab.context, Route(f"{host}:{port}", clear=scheme == "http"))
    records = []
    with httpx.Client(transport=wire.transport, trust_env=False) as client:
        for name in names:
            wire.begin(time.monotonic_ns() + 5_000_000_000)
            client.get(f"{scheme}://{HOST}/v1/models?id={name}&delay_ms=4")
            records.append(wire.finish())
    return records


@pytest.mark.parametrize("address", LOOPBACK)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_kernel_ttfb_is_the_true_delay(lab: Lab, scheme: str, address: str) -> None:
    """Never shorter, hardly longer; over both families, in the clear and under TLS."""
    names = [f"{scheme}-{address}-{number}" for number in range(30)]
    records, truths = by_wire(lab, scheme, address, names), lab.truths()
    biases = []
    for name, record in zip(names, records, strict=True):
        assert record.layer == "kernel"
        assert record.first is not None
        ttfb_ns = record.since_sent_ns(record.arrivals[record.first], "kernel")
        assert ttfb_ns is not None
        biases.append(ttfb_ns - truths[name][0].delay_ns)
    assert min(biases) >= 0
    assert statistics.median(biases) < MUCH_NS
    assert [record.reused for record in records] == [False] + [True] * 29
    assert {record.peer_ip for record in records} == {address}


def ask(lab: Lab, prefix: str, count: int, *, stamps: bool = True) -> list[tuple[Reply, Truth]]:
    """Rows of the default client on a warm connection, each with its truth."""
    with closing(HttpClient(lab.settings(stamps=stamps))) as client:
        rows = [
            client.send(lab.endpoint(), lab_request(f"{prefix}-{number}", 4.0), "warm")
            for number in range(count)
        ]
    truths = lab.truths()
    return [(row, truths[f"{prefix}-{number}"][0]) for number, row in enumerate(rows)]


def layers(reply: Reply) -> tuple[int, int, int]:
    """Kernel, socket, application."""
    found = (reply.ttfb_kernel_ns, reply.ttfb_socket_ns, reply.ttfb_app_ns)
    assert None not in found
    return found  # type: ignore[return-value]  # asserted above


def test_each_layer_lies_within_the_next(lab: Lab) -> None:
    """True delay ≤ kernel ≤ socket ≤ application, in every single row."""
    for reply, truth in ask(lab, "layers", 30):
        kernel, socket, application = layers(reply)
        assert truth.delay_ns <= kernel <= socket + SLEW_NS
        assert socket <= application
        assert reply.ttfb_layer == "kernel"
        assert (reply.wakeup_late_ns or 0) > 0


def test_a_busy_host_bends_the_socket_layer_and_not_the_kernel(lab: Lab) -> None:
    """The worst tenth of the kernel's biases is small against that of the socket's."""
    with busy():
        rows = ask(lab, "busy", 100)
    kernel = [
        reply.ttfb_kernel_ns - truth.delay_ns for reply, truth in rows if reply.ttfb_kernel_ns
    ]
    socket = [
        reply.ttfb_socket_ns - truth.delay_ns for reply, truth in rows if reply.ttfb_socket_ns
    ]
    assert len(kernel) == len(socket) == 100
    assert statistics.quantiles(kernel, n=10)[-1] < statistics.quantiles(socket, n=10)[-1] / 2


def test_without_stamps_the_row_says_so_and_falls_back(lab: Lab) -> None:
    """The time is the socket boundary's, the layer is named, the kernel's fields are empty."""
    for reply, truth in ask(lab, "fallback", 10, stamps=False):
        assert reply.ttfb_layer == "socket"
        assert (reply.ttfb_kernel_ns, reply.wakeup_late_ns) == (None, None)
        assert reply.ttfb_ns == reply.ttfb_socket_ns
        assert (reply.ttfb_ns or 0) + SLEW_NS >= truth.delay_ns


def test_tokens_arrive_when_the_server_sent_them(lab: Lab) -> None:
    """By kernel stamps: none before it was sent, the median hardly after."""
    late = []
    with closing(HttpClient(lab.settings())) as client:
        client.send(lab.endpoint(), lab_request("stream-first", 1.0), "warm")
        for number in range(10):
            asked = lab_request(f"stream-{number}", 4.0, stream=True, tokens=5, gap_ms=4.0)
            reply = client.send(lab.endpoint(), asked, "warm")
            sent = lab.truth(f"stream-{number}").tokens_ns
            shared = reply.token_coalesced or ()
            seen = zip(reply.token_offsets_ns or (), sent, shared, strict=True)
            late += [at - true for at, true, together in seen if not together]
    assert len(late) > 10
    assert min(late) >= 0
    assert statistics.median(late) < MUCH_NS


def test_threads_do_not_blur_the_kernel_layer(lab: Lab) -> None:
    """Ten clients in ten threads: every row still has its true delay."""
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda number: ask(lab, f"thread-{number}", 8), range(10)))
    biases = [layers(reply)[0] - truth.delay_ns for rows in found for reply, truth in rows]
    assert min(biases) >= 0
    assert statistics.median(biases) < MUCH_NS


def test_http2_frames_before_the_answer_are_not_the_answer(tmp_path: Path) -> None:
    """SETTINGS and WINDOW_UPDATE come at once; the answer does not, on a new connection or a kept
    one."""
    with fast_fleet(tmp_path, 20.0) as fleet, closing(HttpClient(http2_settings(fleet))) as client:
        for connection in ("cold", "warm", "warm", "warm"):
            asked = fleet_request(stream=False)
            reply = client.send(fleet.endpoints[1], asked, connection)
            assert (reply.outcome, reply.http_version) == ("ok", "HTTP/2")
            assert reply.ttfb_layer == "kernel"
            assert (reply.ttfb_ns or 0) > 15e6


@pytest.fixture(scope="module")
def quick_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that speaks HTTP/2 and does not dawdle."""
    with fast_fleet(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "not streamed"])
def test_one_warm_connection_serves_a_thousand_requests(
    lab: Lab, quick_fleet: Fleet, stream: bool
) -> None:
    """Counted on the server over HTTP/1.1, and by each row's word over HTTP/2."""
    assert connections_to_lab(lab, 1000, stream=stream) == 1
    assert connections_to_fleet(quick_fleet, 1000, stream=stream) == 1


def test_a_warm_connection_survives_pauses_of_six_seconds(lab: Lab, quick_fleet: Fleet) -> None:
    """No expiry of ours ends it; waiting stamps are not taken for an end."""
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(connections_to_lab, lab, 3, stream=True, pause_s=6.0)
        two = pool.submit(connections_to_fleet, quick_fleet, 3, stream=True, pause_s=6.0)
        assert (one.result(), two.result()) == (1, 1)


def test_kernel_stamps_equal_a_packet_capture() -> None:
    """Of the same requests, seen by AF_PACKET on the namespace's loopback."""
    require(no_namespace())
    pairs = call_inside("tests.lab.capture:compare", count=50)
    assert statistics.median(abs(kernel - capture) for kernel, capture in pairs) < 50_000
