"""curl as a client: what it is told, and what its words mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.clients import make_client
from bench.clients.curl_words import config, exit_fault, reached, split_heads
from bench.errors import PlanError
from bench.key import Key
from bench.model import NOT_KEPT, Endpoint
from bench.simulator import Fleet
from bench.wire.proxy import Proxy
from bench.wire.record import Record
from bench.wire.trust import trust
from tests.conftest import Authority
from tests.programs import require_program
from tests.test_client_http import a_request

ENDPOINT = Endpoint("e", "https://api.test", connect="127.0.0.1:8443")


def lines(authority: Authority, endpoint: Endpoint = ENDPOINT, **changes: object) -> list[str]:
    settings = replace(authority.settings(1.5), **changes)  # type: ignore[arg-type]  # of any field
    told = config(settings, Path('/a "b"/ca.pem'), endpoint, a_request(), "/dev/fd/9")
    return told.decode().splitlines()


def test_its_configuration_says_everything_that_arguments_would(authority: Authority) -> None:
    """Deadline, CA, pinned address, body from a descriptor; nothing of an environment's proxy."""
    told = lines(authority)
    for line in (
        "http1.1",
        'url = "https://api.test/v1/chat/completions"',
        'max-time = "1.500"',
        'cacert = "/a \\"b\\"/ca.pem"',
        'connect-to = "api.test:443:127.0.0.1:8443"',
        'data-binary = "@/dev/fd/9"',
        'header = "authorization: Bearer test-key"',
        'noproxy = "*"',
    ):
        assert line in told
    assert not any(line.startswith(("location", "retry")) for line in told)


def test_proxy_family_and_http2_are_passed_on(authority: Authority) -> None:
    """As every client of the run is told."""
    open_end = replace(ENDPOINT, connect=None)
    told = lines(
        authority, open_end, proxy=Proxy("p.test", 3128, ("me", "pass")), family="6", http2=True
    )
    for line in ("http2", "ipv6", 'proxy = "http://p.test:3128"', 'proxy-user = "me:pass"'):
        assert line in told
    assert not any(line.startswith("noproxy") for line in told)


def test_a_line_break_cannot_become_an_option(authority: Authority) -> None:
    """A name that holds one is refused."""
    with pytest.raises(ValueError, match="line break"):
        lines(authority, key=Key("a\nurl = evil"))


def test_heads_of_early_responses_are_passed_over() -> None:
    """The body begins after the head that counts, each piece with its own stamp."""
    early = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: a\r\n"
    head, pieces = split_heads([(1, early), (2, b"\r\nbody"), (3, b"more")])
    assert head is not None
    assert (head.status, head.http_version, head.headers) == (
        200,
        "HTTP/1.1",
        {"content-type": "a"},
    )
    assert pieces == [(2, b"body"), (3, b"more")]


def test_half_a_head_is_none() -> None:
    """What did not end says nothing."""
    assert split_heads([(1, b"HTTP/1.1 200 OK\r\ncontent-")]) == (None, [])


@pytest.mark.parametrize(
    ("report", "pinned", "phase"),
    [
        ({}, False, "dns"),
        ({}, True, "tcp"),
        ({"time_namelookup": 0.1}, False, "tcp"),
        ({"time_namelookup": 0.1, "time_connect": 0.2}, False, "tls"),
        ({"time_connect": 0.2, "time_pretransfer": 0.3}, False, "ttfb"),
    ],
)
def test_its_times_say_how_far_it_came(report: dict[str, float], pinned: bool, phase: str) -> None:
    """A time of 0 is a phase that was not finished."""
    assert reached(report, pinned=pinned) == phase


def test_a_proxy_that_refuses_is_connect_fail() -> None:
    """The exit code is that of any broken read; the phase tells."""
    record = Record(deadline_ns=0, phase="tls")
    assert exit_fault(56, "CONNECT tunnel failed", record) == ("connect_fail", "tcp")
    assert exit_fault(2, "", record) == ("client_fault", "tls")


def test_without_curl_the_remedy_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlanError, match="apt install curl"):
        make_client("curl", authority.settings())


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_its_times_are_in_order_over_both_versions(http2: bool, authority: Authority) -> None:
    """The first byte is the answer's, also where curl stamps it with the request."""
    require_program("curl")
    with Fleet.start(profile="steady", seed=1) as fleet:
        settings = replace(authority.settings(20, http2=http2), context=trust(fleet.ca))
        settings = replace(settings, ca=fleet.ca, key=Key(fleet.key))
        client = make_client("curl", settings)
        body = a_request().body.replace(b'"model":"m"', b'"model":"steady"')
        reply = client.send(fleet.endpoints[-1], replace(a_request(), body=body), "warm")
    assert reply.outcome == "ok", reply.error
    assert reply.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert (reply.reused, reply.flags, reply.ttfb_layer) == (False, NOT_KEPT, "app")
    assert reply.ttft_ns is not None
    assert reply.total_ns is not None
    assert reply.tls_ns is not None
    assert reply.total_ns >= reply.ttft_ns > reply.tls_ns + 19_000_000
