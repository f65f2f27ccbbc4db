"""How exact the fleet's times are: timers, HTTP/1.1 and HTTP/2 streams, distance, 200 at once.

    python -m tests.benchmarks.fleet_timing [--json] [--quick]

The client is a bare TLS socket on the same clock. A token's lateness is the time from the send
of the request to the arrival of the token's bytes, less what the profile asked for. Two wake-ups
that no server can help are in it (the server's on the request, the client's on the token), so an
ideal server, one thread that spins until the very moment, takes turns with the fleet, and what
is held to the goal is the lateness beyond the ideal's at the same quantile: what a busy host does
to both is not the fleet's. The client collects no garbage meanwhile, and stamps before it parses.
The fleet's own log counts from the request's bytes to the hand-over to the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import numpy as np

from bench.interpreter import quiet_memory
from bench.model import Endpoint
from bench.simulator import Fleet
from tests.benchmarks import servers
from tests.benchmarks.figures import Figure, Result, run

TTFT_MS = 20.0
TOKENS = servers.TOKENS
PROFILE = """
about = "Exact times: no chance at all."
edge_rtt_ms = {edge_rtt_ms}
[[models]]
id = "exact"
created = 1
fingerprint = "fp_0"
usd_per_million = {{ input = 1, cached_input = 1, output = 1 }}
efforts = ["none"]
completion_tokens = {tokens}
[[regions]]
name = "here"
latitude = 0
longitude = 0
rtt_ms = {rtt_ms}
models = ["exact"]
capacity = 1000
cache_factor = 1.0
background_load = {{ calm = 0.0 }}
service = {{ ttft_ms = 20.0, sigma = 0.0, token_ms = {token_ms}, token_sigma = 0.0 }}
"""
QUESTION = {
    "model": "exact",
    "messages": [{"role": "user", "content": "Which planet?"}],
    "stream": True,
    "reasoning_effort": "none",
}


def figure(name: str, value: float, goal: float | None, unit: str = "ms") -> Figure:
    """One number, and what it may be at most; None: for information."""
    return Figure(name, round(float(value), 4), unit, goal, timed=unit == "ms")


@contextmanager
def exact_fleet(**settings: float) -> Iterator[Fleet]:
    """A fleet with one region and no chance."""
    values = {"edge_rtt_ms": 0.0, "rtt_ms": 0.0, "tokens": TOKENS, "token_ms": 20.0} | settings
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exact.toml"
        path.write_text(PROFILE.format(**values))
        with Fleet.start(path) as fleet:
            yield fleet


def connect(fleet: Fleet, endpoint: Endpoint, alpn: str) -> ssl.SSLSocket:
    """A TLS connection without Nagle."""
    context = ssl.create_default_context(cafile=str(fleet.ca))
    context.set_alpn_protocols([alpn])
    host, _, port = (endpoint.connect or "").rpartition(":")
    plain = socket.create_connection((host, int(port)))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=endpoint.url.removeprefix("https://"))


def http1_request(fleet: Fleet, endpoint: Endpoint) -> bytes:
    """The question as bytes."""
    body = json.dumps(QUESTION).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {endpoint.url[8:]}\r\n"
    head += f"authorization: Bearer {fleet.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def http1_times(sock: ssl.SSLSocket, request: bytes) -> list[float]:
    """Milliseconds from the send to each token."""
    start = time.perf_counter()
    sock.sendall(request)
    seen: list[float] = []
    text = b""
    while not text.endswith(b"0\r\n\r\n"):
        text += sock.recv(65536)
        now = (time.perf_counter() - start) * 1000
        seen += [now] * (text.count(b'"content":') - len(seen))
    return seen


class Http2:
    """A bare HTTP/2 client."""

    def __init__(self, fleet: Fleet, endpoint: Endpoint) -> None:
        self._sock = connect(fleet, endpoint, "h2")
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._h2.initiate_connection()
        self._headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", endpoint.url[8:]),
            (":path", "/v1/chat/completions"),
            ("authorization", f"Bearer {fleet.key}"),
        ]

    def close(self) -> None:
        """Closes the socket."""
        self._sock.close()

    def times(self) -> list[float]:
        """Milliseconds from the send to each token."""
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, self._headers)
        self._h2.send_data(stream, json.dumps(QUESTION).encode(), end_stream=True)
        start = time.perf_counter()
        self._sock.sendall(self._h2.data_to_send())
        seen: list[float] = []
        while True:
            data = self._sock.recv(65536)
            now = (time.perf_counter() - start) * 1000
            events = self._h2.receive_data(data)
            for event in events:
                if isinstance(event, h2.events.DataReceived):
                    seen += [now] * event.data.count(b'"content":')
                    size = event.flow_controlled_length
                    self._h2.acknowledge_received_data(size, stream)
            if pending := self._h2.data_to_send():
                self._sock.sendall(pending)
            if any(isinstance(event, h2.events.StreamEnded) for event in events):
                return seen


def lateness(times: list[list[float]], first_ms: float, gap_ms: float = 20.0) -> tuple[Any, Any]:
    """Lateness of the first tokens, and of all others, in ms."""
    late = np.array(times) - first_ms - gap_ms * np.arange(len(times[0]))
    return late[:, 0], late[:, 1:].ravel()


def quantiles(name: str, late: Any, p50: float | None, p99: float | None) -> list[Figure]:
    """Two figures."""
    return [
        figure(f"{name} late p50", float(np.quantile(late, 0.5)), p50),
        figure(f"{name} late p99", float(np.quantile(late, 0.99)), p99),
    ]


@contextmanager
def ideal(fleet: Fleet) -> Iterator[ssl.SSLSocket]:
    """A connection to a process of its own that answers as the fleet does, without any stack."""
    command = [sys.executable, "-m", "tests.benchmarks.servers", "ideal tokens"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process, ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield stack.enter_context(context.wrap_socket(plain))


def streams(rounds: int) -> list[Figure]:
    """One stream at a time, 20 ms to the first token and 20 ms between tokens."""
    times: dict[str, list[list[float]]] = {"ideal": [], "HTTP/1.1": [], "HTTP/2": []}
    with exact_fleet() as fleet, ideal(fleet) as best:
        endpoint = fleet.endpoints[1]
        sock, request = connect(fleet, endpoint, "http/1.1"), http1_request(fleet, endpoint)
        http2 = Http2(fleet, endpoint)
        with quiet_memory():
            for _ in range(rounds):
                times["ideal"].append(http1_times(best, request))
                times["HTTP/1.1"].append(http1_times(sock, request))
                times["HTTP/2"].append(http2.times())
        sock.close()
        http2.close()
        own = [deed["late_ms"] for deed in fleet.truth() if deed["late_ms"] is not None]
    return _compared(times) + quantiles("in the fleet, by its own log,", own, 0.3, 1.5)


def _compared(times: dict[str, list[list[float]]]) -> list[Figure]:
    best = lateness(times["ideal"][2:], TTFT_MS)
    found = []
    for name, of in times.items():
        for which, late, floor in zip(
            ("first token", "later tokens"), lateness(of[2:], TTFT_MS), best, strict=True
        ):
            if name != "ideal":
                found += _beyond(f"{name} {which}, beyond ideal,", late, floor)
            found += quantiles(f"{name} {which}, as the client sees it,", late, None, None)
    return found


def _beyond(name: str, late: Any, floor: Any) -> list[Figure]:
    p50, p99 = np.quantile(late, [0.5, 0.99]) - np.quantile(floor, [0.5, 0.99])
    return [figure(f"{name} late p50", p50, 0.3), figure(f"{name} late p99", p99, 1.5)]


def distance(rounds: int) -> list[Figure]:
    """The same with 10 ms to the edge and 20 ms on to the region; and the TLS handshake."""
    with exact_fleet(edge_rtt_ms=10.0, rtt_ms=20.0, tokens=2) as fleet:
        endpoint = fleet.endpoints[1]
        request, times, shakes = http1_request(fleet, endpoint), [], []
        for _ in range(rounds):
            start = time.perf_counter()
            sock = connect(fleet, endpoint, "http/1.1")
            shakes.append((time.perf_counter() - start) * 1000 - 10.0)
            times.append(http1_times(sock, request))
            sock.close()
    first, _ = lateness(times[2:], TTFT_MS + 30.0)
    return quantiles("over 30 ms of distance, first token", first, 0.6, 2.0) + quantiles(
        "TLS handshake over 10 ms of distance", shakes[2:], None, None
    )


async def _crowd(fleet: Fleet, size: int) -> list[list[float]]:
    endpoint = fleet.endpoints[1]
    context = ssl.create_default_context(cafile=str(fleet.ca))
    host, _, port = (endpoint.connect or "").rpartition(":")
    request, ready = http1_request(fleet, endpoint), asyncio.Barrier(size)

    async def one(number: int) -> list[float]:
        reader, writer = await asyncio.open_connection(
            host, int(port), ssl=context, server_hostname=endpoint.url[8:]
        )
        await ready.wait()
        # Spread over a token's gap: a thundering herd would measure the herd.
        await asyncio.sleep(number / size * 0.1)
        seen: list[float] = []
        start, text = time.perf_counter(), b""
        writer.write(request)
        while not text.endswith(b"0\r\n\r\n"):
            text += await reader.read(65536)
            now = (time.perf_counter() - start) * 1000
            seen += [now] * (text.count(b'"content":') - len(seen))
        writer.close()
        return seen

    return list(await asyncio.gather(*(one(number) for number in range(size))))


def crowd(size: int = 200) -> list[Figure]:
    """200 concurrent streams of 20 tokens, one token every 100 ms each."""
    with exact_fleet(tokens=20, token_ms=100.0) as fleet:
        times = asyncio.run(_crowd(fleet, size))
        own = [deed["late_ms"] for deed in fleet.truth() if deed["late_ms"] is not None]
    whole = sum(len(each) == 20 for each in times)
    _, others = lateness(times, TTFT_MS, 100.0)
    name = f"{size} streams at once"
    done = figure(f"{name}, not whole", size - whole, 0, "streams")
    return [done, *quantiles(f"{name}, later tokens", others, None, None),
            *quantiles(f"{name}, in the fleet", own, 2.0, 10.0)]  # fmt: skip


@contextmanager
def contestant(name: str) -> Iterator[socket.socket]:
    """A bare ASGI app that answers after 20 ms, served by one stack; a connection to it."""
    command = [sys.executable, "-m", "tests.benchmarks.servers", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        sock = _patient(port)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield sock
        finally:
            sock.close()
            process.kill()


def _patient(port: int) -> socket.socket:
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nobody listens on {port}")


def _ask(sock: socket.socket) -> float:
    start = time.perf_counter()
    sock.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    text = b""
    while not text.endswith((b"0\r\n\r\n", b"\r\n\r\nx")):
        text += sock.recv(65536)
    return (time.perf_counter() - start) * 1000 - 20.0


def stacks(rounds: int) -> list[dict[str, Any]]:
    """Every server and event loop that is installed, in turns: lateness of 20 ms, unstreamed."""
    present = servers.present()
    late: dict[str, list[float]] = {name: [] for name in present}
    with ExitStack() as stack:
        socks = [stack.enter_context(contestant(name)) for name in present]
        for _ in range(rounds):
            for name, sock in zip(present, socks, strict=True):
                late[name].append(_ask(sock))
    return [_row(name, late[name][2:]) for name in present]


def _row(name: str, late: list[float]) -> dict[str, Any]:
    p50, p99 = np.quantile(late, [0.5, 0.99])
    return {"stack": name, "late p50 ms": round(p50, 3), "late p99 ms": round(p99, 3)}


def measure(options: argparse.Namespace) -> Result:
    """All figures, and the table of stacks."""
    rounds = 15 if options.quick else 100
    figures = streams(rounds) + distance(rounds) + crowd(40 if options.quick else 200)
    return Result(figures, stacks(3 * rounds))


def main() -> int:
    """The command."""
    return run(__doc__ or "", measure)


if __name__ == "__main__":
    sys.exit(main())
