"""The default client against raw servers that misbehave on purpose: one right reply each."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from hyperframe.frame import PingFrame

from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.clients.slot import Slot, open_slot
from bench.key import Key
from bench.model import Connection, Endpoint, Kind, Reply, Request
from bench.plan import make_plan
from bench.request import build_request
from bench.wire import clock
from bench.wire.trust import trust
from tests.conftest import Authority
from tests.faults.case import second
from tests.faults.lane import Ground
from tests.faults.server import Conversation, FaultServer, Script, fault_server, wait_until
from tests.faults.stage import Setting, on_stage
from tests.faults.steps import RIGHT, frame, pause
from tests.programs import require_program

HOST = "api.fleet.test"
HEAD = b"HTTP/1.1 200 OK\r\n"
SSE = HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
JSON = HEAD + b"content-type: application/json\r\n"


def a_request(kind: Kind = "chat", *, stream: bool = True) -> Request:
    return build_request(
        kind, make_plan(stream=stream), api="/v1", model="m", parameters={}, nonce="0" * 16
    )


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(**fields: object) -> bytes:
    return chunk(b"data: " + json.dumps(fields).encode() + b"\n\n")


def token(text: str, **delta: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text, **delta}}])


FINISH = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
DONE = chunk(b"data: [DONE]\n\n")
END = b"0\r\n\r\n"


def ask(
    server: FaultServer,
    settings: Settings,
    request: Request | None = None,
    connection: Connection = "cold",
    client: HttpClient | None = None,
) -> Reply:
    endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
    own = client or HttpClient(settings)
    try:
        return own.send(endpoint, request or a_request(), connection)
    finally:
        if client is None:
            own.close()


def send(*parts: bytes, then: str = "finish") -> Script:
    def script(conversation: Conversation) -> None:
        for part in parts:
            conversation.send(part)
        getattr(conversation, then)()

    return script


DOCUMENT = {
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "Earth"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cost_in_usd_ticks": 20_000_000_000},
}


def document(status: str = "200 OK", body: bytes | None = None, extra: bytes = b"") -> bytes:
    body = json.dumps(DOCUMENT).encode() if body is None else body
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + extra + b"\r\n" + body


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 64 + ".test"])
def test_a_name_that_does_not_resolve_is_dns_fail(host: str, authority: Authority) -> None:
    """Also when Python itself refuses to encode the name."""
    client = HttpClient(authority.settings())
    reply = client.send(Endpoint("e", f"https://{host}"), a_request(), "cold")
    client.close()
    assert (reply.outcome, reply.failed_phase) == ("dns_fail", "dns")


def serve_forever(answer: Callable[[], bytes]) -> Script:
    def script(conversation: Conversation) -> None:
        while True:
            conversation.send(answer())
            if not conversation.read_request():
                return

    return script


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_a_warm_connection_stays_one(stream: bool, authority: Authority) -> None:
    """One connection for many requests, counted on the server; all but the first reply say so."""
    answer = SSE + token("E") + FINISH + DONE + END if stream else document()
    client = HttpClient(authority.settings())
    with fault_server(serve_forever(lambda: answer), authority.server(HOST)) as server:
        replies = [
            ask(server, authority.settings(), a_request(stream=stream), "warm", client)
            for _ in range(50)
        ]
        client.close()
        assert server.connections == 1
    assert [reply.reused for reply in replies] == [False] + [True] * 49
    assert {reply.outcome for reply in replies} == {"ok"}
    assert all(reply.tcp_ns is None and reply.peer_ip == "127.0.0.1" for reply in replies[1:])


def test_a_connection_that_ended_while_idle_is_opened_anew_and_recorded(
    authority: Authority,
) -> None:
    """No request is sent twice: the next one opens a connection, and its row says so."""
    client = HttpClient(authority.settings())
    with fault_server(send(document()), authority.server(HOST)) as server:
        first = ask(server, authority.settings(), a_request(stream=False), "warm", client)
        assert wait_until(lambda: server.completed == 1)
        second = ask(server, authority.settings(), a_request(stream=False), "warm", client)
        assert wait_until(lambda: server.completed == 2)
        client.close()
        assert (server.connections, len(server.requests)) == (2, 2)
    assert (first.outcome, second.outcome, second.reused) == ("ok", "ok", False)


def test_cookies_are_neither_kept_nor_sent(authority: Authority) -> None:
    """Or every second request would be longer than the first."""
    cookie = document(extra=b"set-cookie: a=b; path=/\r\n")
    client = HttpClient(authority.settings())
    with fault_server(serve_forever(lambda: cookie), authority.server(HOST)) as server:
        for _ in range(2):
            ask(server, authority.settings(), a_request(stream=False), "warm", client)
        client.close()
        assert wait_until(lambda: bool(server.completed))
    assert b"cookie" not in server.requests[0].lower()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_a_request_is_what_httpx_itself_would_send(stream: bool, authority: Authority) -> None:
    """Its head is put together once and kept: bodies of any length, asked again, still fit it."""
    asked = [a_request(stream=stream), a_request("models"), a_request("edge")]
    asked += [replace(asked[0], body=b'{"n":1}'), replace(asked[0], body=b'{"n":2}'), asked[0]]
    heard: list[bytes] = []

    def script(conversation: Conversation) -> None:
        while conversation.request:
            heard.append(conversation.request)
            conversation.send(document())
            conversation.request = b""
            conversation.read_request()

    client, settings = HttpClient(authority.settings()), authority.settings()
    with fault_server(script, authority.server(HOST)) as server:
        for request in asked:
            ask(server, settings, request, "warm", client)
        client.close()
        slot = open_slot(settings, Endpoint("e", f"https://{HOST}", connect=server.address))
        for request in asked:
            by_httpx(slot, request)
        slot.http.close()
    ours, theirs = heard[: len(asked)], heard[len(asked) :]
    assert ours == theirs
    assert all(text.endswith(one.body) for text, one in zip(ours, asked, strict=True))


def by_httpx(slot: Slot, request: Request) -> None:
    slot.wire.begin(time.monotonic_ns() + 10**10)
    key = [("authorization", "Bearer test-key")] if request.with_key else []
    slot.http.request(
        request.method,
        f"https://{HOST}{request.path}",
        headers=[*request.headers, *key],
        content=request.body,
    )


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_a_request_leaves_no_cycles(stream: bool, authority: Authority) -> None:
    """Nothing waits for the garbage collector, which stops every other request while it runs."""
    answer = SSE + token("E") + FINISH + DONE + END if stream else document()
    client, settings = HttpClient(authority.settings()), authority.settings()
    with fault_server(serve_forever(lambda: answer), authority.server(HOST)) as server:
        request = a_request(stream=stream)
        ask(server, settings, request, "warm", client)
        with no_collection():
            for _ in range(5):
                assert ask(server, settings, request, "warm", client).outcome == "ok"
            left = gc.collect()
        client.close()
    assert left == 0


@contextmanager
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_a_deadline_is_met_on_a_connection_that_was_told_another(
    stream: bool, authority: Authority
) -> None:
    """The kernel is not told before every read how long to wait: never too long, nor too short."""
    head = SSE + token("E") if stream else JSON + b"content-length: 9\r\n\r\n{"
    answers = iter([SSE + token("E") + FINISH + DONE + END if stream else document(), head])
    client = HttpClient(replace(authority.settings(), timeout_s=0.5))
    with fault_server(serve_forever(lambda: next(answers)), authority.server(HOST)) as server:
        request = a_request(stream=stream)
        first = ask(server, authority.settings(), request, "warm", client)
        time.sleep(0.1)
        began = time.monotonic()
        reply = ask(server, authority.settings(), request, "warm", client)
        took_s = time.monotonic() - began
        client.close()
    assert (first.outcome, reply.outcome, reply.failed_phase) == ("ok", "timeout", "body")
    assert took_s >= 0.5


def test_the_key_is_hidden_even_when_the_server_echoes_it(authority: Authority) -> None:
    """An error text is a server's text."""
    settings = Settings(trust(authority.file), Key("canary-abcdef"), 1.0)
    echo = document("400 Bad", b'{"code":"x","error":"API key canary-abcdef is wrong"}')
    with fault_server(send(echo), authority.server(HOST)) as server:
        reply = ask(server, settings)
        assert b"canary-abcdef" in server.requests[0]
    assert "canary" not in str(reply)
    assert "[key]" in str(reply)


def test_coalesced_tokens_are_marked_and_separate_ones_are_not(authority: Authority) -> None:
    """Tokens that came with one read share its time; only those are marked."""

    def script(conversation: Conversation) -> None:
        conversation.send(SSE)
        conversation.send(token("a"))
        time.sleep(0.05)
        conversation.send(token("b") + token("c"))
        time.sleep(0.05)
        conversation.send(token("d") + FINISH + DONE + END)
        conversation.finish()

    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings())
    assert reply.token_coalesced == (False, True, True, False)


def test_reasoning_and_content_have_separate_times(authority: Authority) -> None:
    """The first event, the first reasoning token and the first content token are three things."""

    def script(conversation: Conversation) -> None:
        conversation.send(SSE + event(choices=[{"delta": {"role": "assistant"}}]))
        time.sleep(0.03)
        conversation.send(event(choices=[{"delta": {"reasoning_content": "hm"}}]))
        time.sleep(0.03)
        conversation.send(token("E") + FINISH + DONE + END)
        conversation.finish()

    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings())
    assert reply.first_event_ns is not None
    assert reply.first_reasoning_ns is not None
    assert reply.ttft_ns is not None
    assert reply.first_event_ns < reply.first_reasoning_ns < reply.ttft_ns


def test_early_responses_do_not_count_as_the_first_byte(authority: Authority) -> None:
    """A 103 long before the answer is not the answer."""

    def script(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n")
        time.sleep(0.1)
        conversation.send(document())
        conversation.finish()

    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings(), a_request(stream=False))
    assert reply.ttfb_ns is not None
    assert reply.ttfb_ns > 90_000_000


def test_what_http2_says_in_between_does_not_begin_a_request_anew(tmp_path: Path) -> None:
    """A request without a body is sent once: the answer to a ping later on is not its last byte."""
    ping = frame(lambda _: PingFrame(0, b"12345678"))
    slow = second("slow", "ok", None, lambda _: time.sleep(0.1), ping, pause, *RIGHT)
    ground = Ground(tmp_path)
    client = HttpClient(ground.settings(5.0, http2=True))
    with on_stage(slow, Setting(ground.contexts, http2=True, streamed=False)) as stage:
        endpoint = Endpoint("e", f"https://{HOST}", connect=stage.address)
        reply = client.send(endpoint, a_request("models"), "cold")
        client.close()
    assert (reply.outcome, reply.http_version) == ("ok", "HTTP/2")
    assert reply.ttfb_ns is not None
    assert reply.ttfb_ns > 90_000_000


def test_a_server_that_sends_a_byte_at_a_time_is_read_to_its_end(authority: Authority) -> None:
    """Slow is not broken; the first byte's time is the first byte's."""

    def script(conversation: Conversation) -> None:
        conversation.drip(SSE + token("E") + FINISH + DONE + END, 0.0005)
        conversation.finish()

    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings(10))
    assert reply.outcome == "ok"
    assert reply.ttfb_ns is not None
    assert reply.ttft_ns is not None
    assert reply.total_ns is not None
    assert reply.ttfb_ns < reply.ttft_ns < reply.total_ns


def test_a_server_that_renegotiates_does_not_hang_the_request(
    authority: Authority, tmp_path: Path
) -> None:
    """TLS 1.2 lets a server shake hands again in the middle: a row within the deadline, and the
    next request works."""
    require_program("openssl")
    pem = tmp_path / "server.pem"
    authority.ca.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(pem))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(pem)]
    with subprocess.Popen(
        [*command, "-key", str(pem), "-tls1_2", "-naccept", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            while b"ACCEPT" not in process.stdout.readline():
                pass
            threading.Timer(0.5, _renegotiate, (process.stdin,)).start()
            reply = ask(FaultServer(port), authority.settings(3), a_request(stream=False))
        finally:
            process.kill()
    assert (reply.tls_version, reply.status) == ("TLSv1.2", 200), reply
    with fault_server(send(document()), authority.server(HOST)) as server:
        assert ask(server, authority.settings(), a_request(stream=False)).outcome == "ok"


def _renegotiate(stdin: IO[bytes]) -> None:
    stdin.write(b"R\n")
    stdin.flush()
    time.sleep(0.3)
    stdin.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}\n")
    stdin.flush()


def test_a_clock_step_within_a_request_is_flagged_and_kernel_stamps_are_not_used(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel stamps with the wall clock: across a step its differences are no durations."""
    with fault_server(send(document()), authority.server(HOST)) as server:
        client = HttpClient(authority.settings())
        endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
        monkeypatch.setattr("bench.wire.transport.ClockWatch", _Stepping)
        reply = client.send(endpoint, a_request(stream=False), "cold")
        client.close()
    assert (reply.outcome, reply.clock_step, reply.ttfb_layer) == ("ok", True, "socket")
    assert reply.ttfb_kernel_ns is None
    assert reply.ttfb_ns == reply.ttfb_socket_ns


class _Stepping:
    def stepped(self) -> bool:
        return True


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_watch_sees_steps_both_ways_and_nothing_else(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slewing within NTP's limit is no step."""
    watch = clock.ClockWatch()
    assert not watch.stepped()
    true = clock.realtime_offset_ns()
    monkeypatch.setattr(clock, "realtime_offset_ns", lambda: true + hours * 3_600_000_000_000)
    assert watch.stepped()
