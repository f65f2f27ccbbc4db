"""The OpenAI Python SDK as a client: whose times its rows carry, and what it needs."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import pytest

from bench.clients import make_client
from bench.errors import PlanError
from bench.key import Key
from bench.model import NOT_KEPT, Endpoint
from bench.simulator import Fleet
from bench.wire.trust import trust
from tests.conftest import Authority
from tests.faults.server import Conversation, fault_server
from tests.test_client_http import DONE, END, FINISH, HOST, SSE, a_request, event, token

pytest.importorskip("openai")


def slow_stream(conversation: Conversation) -> None:
    """Role, reasoning and two tokens, each 30 ms after the one before."""
    conversation.send(SSE + event(choices=[{"index": 0, "delta": {"role": "assistant"}}]))
    time.sleep(0.03)
    conversation.send(event(choices=[{"index": 0, "delta": {"reasoning_content": "hm"}}]))
    for text in ("Ea", "rth"):
        time.sleep(0.03)
        conversation.send(token(text))
    conversation.send(FINISH + DONE + END)
    conversation.finish()


def test_token_times_are_the_callers_and_the_first_byte_is_the_wires(authority: Authority) -> None:
    """The SDK hands each event up after the wire had it; the order of things stays."""
    client = make_client("openai", authority.settings())
    with fault_server(slow_stream, authority.server(HOST)) as server:
        endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
        reply = client.send(endpoint, a_request(), "cold")
    client.close()
    assert reply.token_offsets_ns is not None
    marks = [
        reply.ttfb_ns,
        reply.first_event_ns,
        reply.first_reasoning_ns,
        reply.ttft_ns,
        reply.last_token_ns,
        reply.total_ns,
    ]
    known = [mark for mark in marks if mark is not None]
    assert len(known) == len(marks)
    assert known == sorted(known)
    assert reply.token_offsets_ns == (reply.ttft_ns, reply.last_token_ns)
    assert reply.token_coalesced == (False, False)
    assert reply.ttfb_app_ns is not None
    assert reply.ttfb_app_ns > known[0]


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_only_over_http2_the_sdk_keeps_a_streams_connection(
    http2: bool, authority: Authority
) -> None:
    """It stops reading at [DONE]; rows that were meant to be warm say what that cost."""
    body = a_request().body.replace(b'"model":"m"', b'"model":"steady"')
    with Fleet.start(profile="steady", seed=1) as fleet:
        settings = replace(authority.settings(20, http2=http2), context=trust(fleet.ca))
        client = make_client("openai", replace(settings, key=Key(fleet.key)))
        request = replace(a_request(), body=body)
        replies = [client.send(fleet.endpoints[-1], request, "warm") for _ in range(3)]
        client.close()
    assert {reply.outcome for reply in replies} == {"ok"}
    assert {reply.http_version for reply in replies} == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert [reply.reused for reply in replies] == [False, http2, http2]
    assert [reply.flags for reply in replies[1:]] == [None if http2 else NOT_KEPT] * 2


def test_without_the_sdk_the_extra_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent."""
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(PlanError, match=r"pip install 'regionbench\[openai\]'"):
        make_client("openai", authority.settings())
