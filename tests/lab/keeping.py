"""How many connections a warm client takes: counted on the lab's server, and on a fleet that
speaks HTTP/2 by what each row says of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.key import Key
from bench.model import Reply, Request
from bench.plan import make_plan
from bench.request import build_request
from bench.simulator import Fleet
from bench.wire.trust import trust
from tests.lab.lab import Lab, lab_request

_PROFILE = """
about = "As fast as it can be, and no chance."
edge_rtt_ms = 0.0
edge_overhead_ms = 0.0
[limits]
requests_per_second = 100000
[[models]]
id = "fast"
created = 1
fingerprint = "fp_0"
usd_per_million = {{ input = 1, cached_input = 1, output = 1 }}
efforts = ["none"]
completion_tokens = 2
[[regions]]
name = "here"
latitude = 0
longitude = 0
rtt_ms = 0.0
models = ["fast"]
capacity = 1000
cache_factor = 1.0
background_load = {{ calm = 0.0 }}
service = {{ ttft_ms = {ttft_ms}, sigma = 0.0, token_ms = 0.5, token_sigma = 0.0 }}
"""


@contextmanager
def fast_fleet(folder: Path, ttft_ms: float = 0.5) -> Iterator[Fleet]:
    """The product's own fleet without chance, and unless told without delay worth the name."""
    file = folder / "fast.toml"
    file.write_text(_PROFILE.format(ttft_ms=ttft_ms))
    with Fleet.start(file) as fleet:
        yield fleet


def connections_to_lab(lab: Lab, count: int, *, stream: bool, pause_s: float = 0.0) -> int:
    """The connections that the server saw of so many warm requests over HTTP/1.1."""
    name = f"kept-{stream}-{pause_s}"
    request = lab_request(name, 0.2, stream=stream, tokens=2, gap_ms=0.2)
    with closing(HttpClient(lab.settings())) as client:
        for number in range(count):
            time.sleep(pause_s if number else 0)
            _whole(client.send(lab.endpoint(), request, "warm"), "HTTP/1.1")
    truths = lab.truths()[name]
    assert len(truths) == count
    return len({truth.link for truth in truths})


def connections_to_fleet(fleet: Fleet, count: int, *, stream: bool, pause_s: float = 0.0) -> int:
    """The connections that so many warm requests over HTTP/2 took, by their own word."""
    endpoint, request = fleet.endpoints[1], fleet_request(stream=stream)
    opened = 0
    with closing(HttpClient(http2_settings(fleet))) as client:
        for number in range(count):
            time.sleep(pause_s if number else 0)
            opened += not _whole(client.send(endpoint, request, "warm"), "HTTP/2").reused
    return opened


def http2_settings(fleet: Fleet) -> Settings:
    """For a client that speaks HTTP/2 to a fleet."""
    return Settings(trust(fleet.ca), Key(fleet.key), 10.0, http2=True)


def fleet_request(*, stream: bool) -> Request:
    """A question that the fast fleet answers."""
    plan = make_plan(stream=stream)
    asked = {"reasoning_effort": "none"}
    return build_request("chat", plan, api="/v1", model="fast", parameters=asked, nonce="0" * 16)


def _whole(reply: Reply, version: str) -> Reply:
    assert (reply.outcome, reply.http_version) == ("ok", version), reply
    return reply
