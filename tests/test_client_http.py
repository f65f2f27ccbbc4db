"""The default client against raw servers that misbehave on purpose: one right reply each."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
import trustme

from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.key import Key
from bench.model import Connection, Endpoint, Kind, Reply, Request
from bench.plan import make_plan
from bench.request import build_request
from bench.wire import clock
from bench.wire.trust import trust
from tests.conftest import Authority
from tests.fault_server import Conversation, FaultServer, Script, fault_server, wait_until

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


STREAM_CASES: dict[str, tuple[Script, str, str | None]] = {
    "a whole stream": (send(SSE, token("Earth"), FINISH, DONE, END), "ok", None),
    "no [DONE]": (send(SSE, token("Earth"), FINISH, END), "truncated", "body"),
    "cut after a token, FIN": (send(SSE, token("Ea")), "truncated", "body"),
    "cut after a token, RST": (send(SSE, token("Ea"), then="reset"), "truncated", "body"),
    "silence after a token": (send(SSE, token("Ea"), then="silence"), "timeout", "body"),
    "RST after [DONE]": (send(SSE, token("E"), FINISH, DONE, then="reset"), "ok", None),
    "no terminator after [DONE]": (send(SSE, token("E"), FINISH, DONE), "ok", None),
    "an error inside the stream": (
        send(SSE, token("E"), event(code="internal", error="boom"), DONE, END),
        "stream_error",
        "body",
    ),
    "capacity inside the stream": (
        send(SSE, event(code="unavailable", error="The model is at capacity"), END),
        "capacity",
        None,
    ),
    "bad JSON in an event": (
        send(SSE, chunk(b"data: {oops\n\n"), DONE, END),
        "protocol_error",
        "body",
    ),
    "bad UTF-8 in an event": (
        send(SSE, chunk(b"data: \xff\xfe\n\n"), DONE, END),
        "protocol_error",
        "body",
    ),
    "no token at all": (send(SSE, DONE, END), "protocol_error", "body"),
    "an empty stream": (send(SSE, END), "truncated", "body"),
    "HTML with 200": (
        send(HEAD + b"content-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"),
        "protocol_error",
        "body",
    ),
    "FIN instead of an answer": (send(), "truncated", "ttfb"),
    "RST instead of an answer": (send(then="reset"), "stream_error", "ttfb"),
    "silence instead of an answer": (send(then="silence"), "timeout", "ttfb"),
    "garbage": (send(b"\x00\x01garbage\r\n\r\n"), "protocol_error", "ttfb"),
    "closed within the header": (send(b"HTTP/1.1 200 OK\r\ncontent-"), "truncated", "ttfb"),
    "a header without end": (
        send(HEAD + b"x: " + b"a" * 300_000 + b"\r\n", then="silence"),
        "protocol_error",
        "ttfb",
    ),
    "a redirect": (
        send(b"HTTP/1.1 307 Go\r\nlocation: https://elsewhere.test/\r\ncontent-length: 0\r\n\r\n"),
        "protocol_error",
        "body",
    ),
    "1xx first": (
        send(b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n", SSE, token("E"), FINISH, DONE, END),
        "ok",
        None,
    ),
}


@pytest.mark.parametrize("case", STREAM_CASES)
def test_each_fault_of_a_stream_has_its_outcome(case: str, authority: Authority) -> None:
    """The right outcome and phase, no latency that is not one; the server came to its end."""
    script, outcome, phase = STREAM_CASES[case]
    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings(0.6))
        assert wait_until(lambda: server.completed + len(server.errors) == 1)
    assert (reply.outcome, reply.failed_phase) == (outcome, phase), reply.error
    if outcome in ("truncated", "timeout", "stream_error"):
        assert reply.total_ns is None
    if outcome == "ok":
        assert reply.ttft_ns is not None
        assert reply.total_ns is not None
        assert reply.total_ns >= reply.ttft_ns


DOCUMENT = {
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "Earth"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cost_in_usd_ticks": 20_000_000_000},
}


def document(status: str = "200 OK", body: bytes | None = None, extra: bytes = b"") -> bytes:
    body = json.dumps(DOCUMENT).encode() if body is None else body
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + extra + b"\r\n" + body


DOCUMENT_CASES: dict[str, tuple[Script, str]] = {
    "complete": (send(document()), "ok"),
    "complete, FIN without close_notify": (send(document(), then="raw_close"), "ok"),
    "length unknown, ended by FIN": (send(JSON + b"\r\n" + json.dumps(DOCUMENT).encode()), "ok"),
    "length unknown, no close_notify": (
        send(JSON + b"\r\n" + json.dumps(DOCUMENT).encode(), then="raw_close"),
        "truncated",
    ),
    "shorter than its length": (send(document()[:-3]), "truncated"),
    "not a completion": (send(document(body=b"[]")), "protocol_error"),
    "wrong key": (
        send(
            document(
                "400 Bad", b'{"code":"invalid-argument","error":"Incorrect API key provided."}'
            )
        ),
        "bad_key",
    ),
    "no key": (send(document("401 No", b'{"code":"unauthenticated","error":"No"}')), "bad_key"),
    "bad parameter": (
        send(document("400 Bad", b'{"code":"x","error":"no reasoningEffort"}')),
        "bad_request",
    ),
    "HTML from the edge": (send(document("403 No", b"<html>")), "forbidden"),
    "model not here": (
        send(document("404 No", b'{"code":"not-found","error":"x"}')),
        "model_missing",
    ),
    "bad body": (send(document("422 No", b"Failed to deserialize")), "bad_request"),
    "rate limit": (
        send(document("429 Slow", b'{"code":"resource-exhausted"}', b"retry-after: 7\r\n")),
        "rate_limited",
    ),
    "no capacity": (
        send(document("503 No", b'{"code":"x","error":"The model is at capacity"}')),
        "capacity",
    ),
    "503 of something else": (send(document("503 No", b"upstream")), "server_error"),
    "500": (send(document("500 No", b"{}")), "server_error"),
}


@pytest.mark.parametrize("case", DOCUMENT_CASES)
def test_each_answer_at_once_has_its_outcome(case: str, authority: Authority) -> None:
    """Status, body and end of connection decide together."""
    script, outcome = DOCUMENT_CASES[case]
    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings(1.0), a_request(stream=False))
        assert wait_until(lambda: server.completed == 1)
    assert reply.outcome == outcome, reply.error
    if case == "rate limit":
        assert reply.retry_after_s == 7
    if case == "complete":
        assert (reply.prompt_tokens, reply.cost_usd) == (9, 2.0)
    if case == "complete, FIN without close_notify":
        assert reply.flags is None


def test_a_closed_port_is_connect_fail_with_its_errno(authority: Authority) -> None:
    """Nobody listens: the row says so, and that TCP was the phase."""
    reply = ask(FaultServer(1), authority.settings())
    assert (reply.outcome, reply.failed_phase) == ("connect_fail", "tcp")
    assert reply.error is not None
    assert "ECONNREFUSED" in reply.error


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 64 + ".test"])
def test_a_name_that_does_not_resolve_is_dns_fail(host: str, authority: Authority) -> None:
    """Also when Python itself refuses to encode the name."""
    client = HttpClient(authority.settings())
    reply = client.send(Endpoint("e", f"https://{host}"), a_request(), "cold")
    client.close()
    assert (reply.outcome, reply.failed_phase) == ("dns_fail", "dns")


def test_a_certificate_of_a_stranger_is_tls_fail_with_its_verify_code(authority: Authority) -> None:
    """Not the same as a closed port."""
    stranger = Authority(trustme.CA(), authority.file)
    with fault_server(send(), stranger.server(HOST)) as server:
        reply = ask(server, authority.settings())
    assert (reply.outcome, reply.failed_phase) == ("tls_fail", "tls")
    assert "verify code" in (reply.error or "")


def test_a_certificate_for_another_name_is_tls_fail(authority: Authority) -> None:
    """The name in the URL is what is verified, wherever the socket goes."""
    with fault_server(send(), authority.server("other.test")) as server:
        reply = ask(server, authority.settings())
    assert reply.outcome == "tls_fail"
    assert "ostname mismatch" in (reply.error or "")


def test_tls_older_than_1_2_is_refused(authority: Authority) -> None:
    """A key is not sent over what can be broken."""
    context = authority.server(HOST)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with fault_server(send(), context) as server:
        assert ask(server, authority.settings()).outcome == "tls_fail"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (lambda c: c.silence(), "timeout"),
        (lambda c: c.raw_close(), "tls_fail"),
        (lambda c: (c.sock.recv(1), c.reset()), "tls_fail"),
        (lambda c: (c.send(b"HTTP/1.1 400 Plain\r\n\r\n"), c.silence()), "tls_fail"),
    ],
    ids=["silence", "FIN", "RST", "plain text"],
)
def test_a_handshake_that_breaks_names_tls(
    script: Script, outcome: str, authority: Authority
) -> None:
    """The phase is tls, whatever ended it."""
    with fault_server(script, read=False) as server:
        reply = ask(server, authority.settings(0.5))
    assert (reply.outcome, reply.failed_phase) == (outcome, "tls")


@pytest.mark.parametrize("pieces", [b"data: {}\n\n", b": comment\n\n"], ids=["events", "comments"])
def test_a_drip_ends_at_the_deadline_that_we_own(pieces: bytes, authority: Authority) -> None:
    """Bytes that keep coming do not keep a request alive."""

    def script(conversation: Conversation) -> None:
        conversation.send(SSE)
        for _ in range(200):
            conversation.send(chunk(pieces))
            time.sleep(0.02)

    with fault_server(script, authority.server(HOST)) as server:
        reply = ask(server, authority.settings(0.5))
    assert (reply.outcome, reply.failed_phase, reply.total_ns) == ("timeout", "body", None)


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


def test_the_next_request_works_after_a_fault(authority: Authority) -> None:
    """A fault costs one row, not the run."""
    scripts = iter([send(SSE, token("E"), then="reset"), send(document())])
    client = HttpClient(authority.settings())
    with fault_server(lambda c: next(scripts)(c), authority.server(HOST)) as server:
        first = ask(server, authority.settings(), a_request(), "warm", client)
        second = ask(server, authority.settings(), a_request(stream=False), "warm", client)
        client.close()
    assert (first.outcome, second.outcome) == ("truncated", "ok")


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


def test_the_key_is_hidden_even_when_the_server_echoes_it(authority: Authority) -> None:
    """An error text is a server's text."""
    settings = Settings(trust(authority.file), Key("canary-abcdef"), 1.0)
    echo = document("400 Bad", b'{"code":"x","error":"API key canary-abcdef is wrong"}')
    with fault_server(send(echo), authority.server(HOST)) as server:
        reply = ask(server, settings)
        assert b"canary-abcdef" in server.requests[0]
    assert "canary" not in str(reply)
    assert "[key]" in str(reply)


def test_an_interrupted_request_is_a_cancelled_row(authority: Authority) -> None:
    """Ctrl-C ends a wait at once, and the row says whose doing it was."""
    client = HttpClient(authority.settings(20))
    with fault_server(send(SSE, token("E"), then="silence"), authority.server(HOST)) as server:
        threading.Timer(0.3, client.interrupt).start()
        reply = ask(server, authority.settings(20), a_request(), "cold", client)
    assert reply.outcome == "cancelled"
    assert reply.total_ns is None


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


@pytest.mark.parametrize(
    ("lifetime", "said"),
    [((-10, -5), "certificate has expired"), ((5, 10), "not yet valid")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_time_is_tls_fail(
    lifetime: tuple[int, int], said: str, authority: Authority
) -> None:
    """The row says which way."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    begins, ends = (now + dt.timedelta(days=days) for days in lifetime)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert(HOST, not_before=begins, not_after=ends).configure_cert(context)
    with fault_server(send(), context) as server:
        reply = ask(server, authority.settings())
    assert (reply.outcome, reply.failed_phase) == ("tls_fail", "tls")
    assert said in (reply.error or "")


def test_a_self_signed_certificate_is_tls_fail(authority: Authority, tmp_path: Path) -> None:
    """With the verify code that names it."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST} -keyout {key} -out {cert}"
    name = f"subjectAltName=DNS:{HOST}"
    command = ["openssl", *words.split(), "-addext", name]
    made = subprocess.run(command, capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with fault_server(send(), context) as server:
        reply = ask(server, authority.settings())
    assert reply.outcome == "tls_fail"
    assert "self-signed certificate (verify code 18)" in (reply.error or "")


def test_a_server_that_renegotiates_does_not_hang_the_request(
    authority: Authority, tmp_path: Path
) -> None:
    """TLS 1.2 lets a server shake hands again in the middle: a row within the deadline, and the
    next request works."""
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
