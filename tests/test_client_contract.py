"""What every client must do alike, each against the same servers that misbehave on purpose.

The gRPC client speaks another protocol: its own file holds it to the same promises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from bench.clients import CLIENTS, Client, make_client
from bench.key import Key
from bench.model import NOT_KEPT, Connection, Endpoint, Reply, Request
from tests.conftest import Authority
from tests.faults.server import Conversation, FaultServer, fault_server
from tests.node import VARIABLE, require_node_modules
from tests.programs import require_program
from tests.test_client_http import (
    DONE,
    END,
    FINISH,
    HOST,
    SSE,
    a_request,
    document,
    send,
    serve_forever,
    token,
)

OTHERS = {"xai-sdk"}
"""Clients that do not speak HTTP requests of ours."""

STREAM = SSE + token("Earth") + FINISH + DONE + END
Make = Callable[..., Client]


@pytest.fixture(params=sorted(set(CLIENTS) - OTHERS))
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A client's name, with what it needs on this machine in place."""
    found: str = request.param
    if found == "openai":
        pytest.importorskip("openai")
    if found == "curl":
        require_program("curl")
    if found == "openai-js":
        monkeypatch.setenv(VARIABLE, str(require_node_modules()))
    return found


@pytest.fixture
def make(name: str, authority: Authority) -> Iterator[Make]:
    """Makes clients of that name, and closes them."""
    made: list[Client] = []

    def client(timeout_s: float = 2.0, key: str = "test-key", ca: Path | None = None) -> Client:
        ca = ca or authority.file
        settings = replace(authority.settings(timeout_s), ca=ca, key=Key(key))
        made.append(make_client(name, settings))
        return made[-1]

    yield client
    for client_made in made:
        client_made.close()


def ask(
    client: Client,
    server: FaultServer,
    request: Request | None = None,
    connection: Connection = "cold",
) -> Reply:
    endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
    return client.send(endpoint, request or a_request(), connection)


@pytest.mark.parametrize("kind", ["chat", "responses"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_all_ask_the_same_question(
    stream: bool, kind: str, make: Make, authority: Authority
) -> None:
    """The same path, key and JSON fields arrive, whatever else an SDK adds."""
    request = a_request(kind, stream=stream)  # type: ignore[arg-type]  # a parameter of the test
    client = make()
    with fault_server(send(document("500 No", b"{}")), authority.server(HOST)) as server:
        ask(client, server, request)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == f"post {request.path} http/1.1"
    assert f"host: {HOST}" in lines
    assert "authorization: bearer test-key" in lines
    assert "accept-encoding: identity" in lines
    assert json.loads(body) == json.loads(request.body)


@pytest.mark.parametrize("kind", ["models", "edge"])
def test_questions_without_a_body_are_asked_too(
    kind: str, make: Make, authority: Authority
) -> None:
    """And what shall be asked without the key is asked without it."""
    client = make()
    answer = document(body=b'{"data":[],"object":"list"}')
    with fault_server(send(answer), authority.server(HOST)) as server:
        reply = ask(client, server, a_request(kind))  # type: ignore[arg-type]  # a parameter of the test
    assert reply.outcome == "ok"
    assert reply.total_ns is not None
    assert server.requests[0].startswith(b"GET /v1/models ")
    assert (b"test-key" in server.requests[0]) == (kind == "models")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_a_warm_connection_is_kept_or_the_client_says_that_it_is_not(
    stream: bool, make: Make, authority: Authority
) -> None:
    """Every row's word on reuse adds up to the connections that the server counted."""
    client = make()
    answer = STREAM if stream else document()
    with fault_server(serve_forever(lambda: answer), authority.server(HOST)) as server:
        replies = [ask(client, server, a_request(stream=stream), "warm") for _ in range(4)]
        opened = server.connections
    assert {reply.outcome for reply in replies} == {"ok"}
    assert [reply.reused for reply in replies].count(False) == opened
    kept = [False, True, True, True]
    assert [reply.reused for reply in replies] == kept or all(
        NOT_KEPT in (reply.flags or "") for reply in replies
    )


def test_a_cold_connection_is_new_each_time(make: Make, authority: Authority) -> None:
    """Three requests, three handshakes, each with its phases."""
    client = make()
    with fault_server(serve_forever(lambda: STREAM), authority.server(HOST)) as server:
        replies = [ask(client, server) for _ in range(3)]
        assert server.connections == 3
    assert [reply.reused for reply in replies] == [False] * 3
    assert all(reply.tcp_ns and reply.tls_ns for reply in replies)
    assert {(reply.dns_ns, reply.peer_ip) for reply in replies} == {(None, "127.0.0.1")}


def test_a_name_that_does_not_resolve_is_dns_fail(make: Make) -> None:
    """The lookup is the phase."""
    reply = make(10).send(Endpoint("e", "https://does-not-exist.invalid"), a_request(), "cold")
    assert (reply.outcome, reply.failed_phase) == ("dns_fail", "dns")


def test_variables_of_the_environment_do_not_decide(
    make: Make, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither another CA nor a proxy that somebody exported."""
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    for variable in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(variable, str(stranger))
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.invalid")
    monkeypatch.setenv("OPENAI_ORG_ID", "somebody")
    client = make()
    with fault_server(send(document()), authority.server(HOST)) as server:
        assert ask(client, server, a_request(stream=False)).outcome == "ok"
    assert b"somebody" not in server.requests[0]


def test_the_key_is_in_no_argument_and_no_reply(make: Make, authority: Authority) -> None:
    """Arguments and environments are open to others; a server's error text is the server's."""
    seen: list[bytes] = []

    def script(conversation: Conversation) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            for file in (process / "cmdline", process / "environ"):
                try:
                    seen.append(file.read_bytes())
                except OSError:
                    continue
        text = '{"code":"x","error":"API key canary-abcdef is wrong"}'
        conversation.send(document("400 Bad", text.encode()))
        conversation.finish()

    client = make(10, key="canary-abcdef")
    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(client, server)
        assert b"canary-abcdef" in server.requests[0]
    assert reply.outcome == "bad_key"
    assert "canary" not in str(reply)
    assert "[key]" in str(reply)
    assert not any(b"canary-abcdef" in text for text in seen)


def test_a_client_can_be_closed_twice(make: Make, authority: Authority) -> None:
    """And leaves nothing behind that pytest would warn of."""
    client = make()
    with fault_server(send(STREAM), authority.server(HOST)) as server:
        ask(client, server, a_request(), "warm")
    client.close()
    client.close()
