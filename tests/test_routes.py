"""How a host is reached: families, pins, proxies; and the doctor that says how true times are."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.doctor import LAYERS, calibrate
from bench.errors import UsageError
from bench.key import Key
from bench.model import Endpoint, Request
from bench.plan import make_plan
from bench.prepare import Where, pinned, proxy_words
from bench.request import build_request
from bench.simulator import Fleet
from bench.wire.clock import now_ns
from bench.wire.connect import literal, race
from bench.wire.proxy import Proxy, environment_proxy, find_proxy
from bench.wire.record import Record, WireFault
from bench.wire.trust import trust


def a_request() -> Request:
    return build_request(
        "chat", make_plan(), api="/v1", model="grok-4.3", parameters={}, nonce="0" * 16
    )


def settings(fleet: Fleet, proxy: Proxy | None = None) -> Settings:
    return Settings(trust(fleet.ca), Key(fleet.key), 5.0, proxy=proxy)


@contextmanager
def tunnel(
    fleet: Fleet, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n"
) -> Iterator[tuple[Proxy, list[bytes]]]:
    """A CONNECT proxy that knows the fleet's names; and what was asked of it."""
    asked: list[bytes] = []
    places = {e.url.removeprefix("https://"): e.connect or "" for e in fleet.endpoints}
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for sock in (source, sink):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with listener:
            client, _ = listener.accept()
        with client:
            asked.append(client.recv(65536))
            client.sendall(answer)
            if b" 200 " not in answer:
                return
            name = asked[0].split()[1].decode().removesuffix(":443")
            host, _, port = places[name].rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=pump, args=(server, client))
                back.start()
                pump(client, server)
                back.join(5)

    thread = threading.Thread(target=serve)
    thread.start()
    yield Proxy("127.0.0.1", listener.getsockname()[1], ("user", "secret")), asked
    thread.join(10)


def test_a_proxy_carries_requests_and_never_sees_the_key(fleet: Fleet) -> None:
    """CONNECT, then TLS to the endpoint itself; warm requests stay on the tunnel."""
    endpoint = Endpoint("global", fleet.endpoints[0].url)
    with tunnel(fleet) as (proxy, asked):
        client = HttpClient(settings(fleet, proxy))
        replies = [client.send(endpoint, a_request(), "warm") for _ in range(3)]
        client.close()
    assert [reply.outcome for reply in replies] == ["ok"] * 3
    assert [reply.reused for reply in replies] == [False, True, True]
    first = replies[0]
    assert first.tcp_ns
    assert first.tls_ns
    assert first.ttfb_ns
    assert first.ttfb_ns > 5_000_000
    assert asked[0].startswith(b"CONNECT global.fleet.test:443 ")
    assert fleet.key.encode() not in b"".join(asked)
    assert len(asked) == 1


def test_a_proxy_that_refuses_is_connect_fail(fleet: Fleet) -> None:
    """The row names the proxy's status, not a fault of the endpoint's."""
    with tunnel(fleet, b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n") as (proxy, _):
        client = HttpClient(settings(fleet, proxy))
        reply = client.send(Endpoint("global", fleet.endpoints[0].url), a_request(), "cold")
        client.close()
    assert (reply.outcome, reply.failed_phase) == ("connect_fail", "tcp")
    assert "407" in (reply.error or "")


def test_a_proxy_is_used_only_when_asked_for_and_said_aloud_either_way(fleet: Fleet) -> None:
    """An environment variable alone changes nothing but what is said."""
    environ = {"HTTPS_PROXY": "http://user:secret@proxy.test:3128"}
    assert find_proxy(None, environ) is None
    asked = find_proxy("env", environ)
    assert asked is not None
    assert (asked.url, asked.auth) == ("http://proxy.test:3128", ("user", "secret"))
    assert "secret" not in repr(asked)
    assert environment_proxy(environ) == ("HTTPS_PROXY", environ["HTTPS_PROXY"])
    assert proxy_words(settings(fleet, asked)) == "used: http://proxy.test:3128"


def test_a_proxy_in_the_environment_is_named_without_its_password(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables hold passwords."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.test:3128")
    assert proxy_words(settings(fleet)) == "HTTPS_PROXY is set and not used"


@pytest.mark.parametrize("text", ["socks5://a:1", "https://a:1", "http://", "http://a:99999", "::"])
def test_a_proxy_that_is_none_is_refused_without_echo(text: str) -> None:
    """It may hold a password."""
    with pytest.raises(UsageError, match="http://host:port") as caught:
        find_proxy(text)
    assert text not in str(caught.value).replace("http://host:port", "")


ENDPOINTS = (Endpoint("global", "https://api.x.ai"), Endpoint("us", "https://us.api.x.ai:8443"))


def test_resolve_pins_an_address_and_nothing_else(fleet: Fleet) -> None:
    """Host header and certificate name stay; the port is the URL's."""
    where = Where(resolve=("api.x.ai:192.0.2.7", "us.api.x.ai:2001:db8::7"))
    fixed = pinned(ENDPOINTS, where, settings(fleet))
    assert [e.connect for e in fixed] == ["192.0.2.7:443", "[2001:db8::7]:8443"]
    assert [e.url for e in fixed] == [e.url for e in ENDPOINTS]


@pytest.mark.parametrize(
    "entry", ["api.x.ai", "other.test:192.0.2.7", "api.x.ai:nowhere", "api.x.ai:"]
)
def test_a_wrong_pin_names_the_hosts(entry: str, fleet: Fleet) -> None:
    """What can be pinned, and how it is written."""
    with pytest.raises(UsageError, match="--resolve"):
        pinned(ENDPOINTS, Where(resolve=(entry,)), settings(fleet))


def test_a_pin_and_a_proxy_exclude_each_other(fleet: Fleet) -> None:
    """A proxy looks names up itself."""
    where = Where(resolve=("api.x.ai:192.0.2.7",))
    with pytest.raises(UsageError, match="proxy looks names up"):
        pinned(ENDPOINTS, where, settings(fleet, Proxy("proxy.test", 3128)))


def record(seconds: float = 5.0) -> Record:
    return Record(deadline_ns=now_ns() + round(seconds * 1e9))


def test_both_families_are_raced_and_the_winner_is_recorded() -> None:
    """A family that is refused costs an attempt, not the request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        marks = record()
        race([literal("::1", port), literal("127.0.0.1", port)], marks).close()
    assert marks.peer_ip == "127.0.0.1"
    assert [attempt.address for attempt in marks.attempts] == ["::1", "127.0.0.1"]
    assert marks.attempts[0].errno != 0


def test_a_silent_address_is_overtaken_by_the_next() -> None:
    """RFC 8305: the second attempt starts 250 ms after the first, which may still win."""
    with socket.socket() as silent, socket.create_server(("127.0.0.1", 0)) as listener:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        marks = record()
        addresses = [literal(*silent.getsockname()), literal(*listener.getsockname())]
        race(addresses, marks).close()
        assert marks.tcp_ns is not None
        assert marks.tcp_ns >= 250_000_000
        with pytest.raises(WireFault, match="timeout in tcp"):
            race(addresses[:1], record(0.3))
        for filler in fillers:
            filler.close()


def test_the_doctor_finds_the_layers_in_their_order() -> None:
    """Kernel stamps are nearer to the truth than the socket, the socket than the application."""
    found = calibrate(30)
    medians = [found.bias[layer].p50_us for layer in LAYERS if layer in found.bias]
    assert medians == sorted(medians)
    assert all(spread.n >= 25 for spread in found.bias.values())
    assert found.verdict in ("quiet", "noisy")
    json.dumps(found.to_dict(), allow_nan=False)
    if sys.platform == "linux":
        assert found.best_layer == "kernel"


def test_a_runs_calibration_is_stored_with_it(fleet: Fleet, tmp_path: Path) -> None:
    """Whoever reads the rows later can tell how true they are."""
    words = [
        "run",
        "--catalogue",
        str(fleet.catalogue),
        "--rounds",
        "1",
        "--results",
        str(tmp_path),
    ]
    subprocess.run([sys.executable, "-m", "bench", *words], check=True, capture_output=True)
    run = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert run["calibration"]["verdict"] in ("quiet", "noisy")
    assert "app" in run["calibration"]["bias"]
