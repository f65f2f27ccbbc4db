"""No input of a parser that others can feed crashes it or hangs it; the answer is one sentence.

Those of event streams, answers, headers, catalogues, rows, run.json, Parquet, tags, archives and
foreign files have such a property beside their other tests.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.arms import parse_arm
from bench.clients.curl_words import exit_fault, reached, split_heads
from bench.clients.grpc_outcome import Status, judge, said
from bench.clients.openai_js_line import reply_of
from bench.clients.outcome import classify, clean
from bench.clients.reply import colo, short
from bench.errors import RegionbenchError
from bench.key import Key
from bench.model import OUTCOMES
from bench.plan import make_plan, read_plan
from bench.request import build_request
from bench.wire.proxy import find_proxy
from bench.wire.record import Record
from tests.canary import CANARY, holds

REQUEST = build_request("chat", make_plan(), api="/v1", model="m", parameters={}, nonce="")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TOML = st.sampled_from(
    ["rounds", "=", "-1", "1e999", "[arms.a]", "model", '"x"', "\n", "[", "]", "{", "kinds", "'"]
)


def _one_sentence(error: RegionbenchError, place: str) -> None:
    text = str(error)
    assert place in text
    assert "\n" not in text
    assert "Traceback" not in text


@given(st.binary(max_size=300) | st.lists(TOML, max_size=12).map(lambda s: " ".join(s).encode()))
def test_no_bytes_crash_the_reader_of_plans(data: bytes) -> None:
    """A plan, or one sentence that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.toml"
        file.write_bytes(data)
        try:
            read_plan(file)
        except RegionbenchError as error:
            _one_sentence(error, "plan.toml")


@given(st.dictionaries(st.sampled_from(["rounds", "kinds", "arms", "messages", "x"]), JSON))
def test_no_values_crash_the_making_of_plans(values: dict[str, Any]) -> None:
    """From a notebook anything may come."""
    try:
        make_plan(values)
    except RegionbenchError as error:
        _one_sentence(error, "")


@given(st.text())
def test_no_word_crashes_the_readers_of_options(text: str) -> None:
    """An arm, a proxy, or an error that is meant."""
    for read in (parse_arm, find_proxy):
        with contextlib.suppress(RegionbenchError):
            read(text)


HEADS = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/2 100\r\n", b"\r\n", b"a: b\r\n", b"\xff", b":", b"HTTP/1.1 x"]
)


@given(st.lists(st.lists(HEADS | st.binary(max_size=20), max_size=6).map(b"".join), max_size=6))
def test_no_bytes_crash_the_reader_of_curls_heads(pieces: list[bytes]) -> None:
    """And nothing of a body is invented."""
    _, rest = split_heads(list(enumerate(pieces)))
    assert b"".join(pieces).endswith(b"".join(data for _, data in rest))


@given(st.integers(0, 255), st.text(), st.dictionaries(st.text(), JSON))
def test_whatever_curl_ends_with_is_an_outcome(
    code: int, text: str, report: dict[str, Any]
) -> None:
    """Its exit code and its own report."""
    record = Record(deadline_ns=0, phase=reached(report, pinned=False))
    assert exit_fault(code, text, record)[0] in OUTCOMES


@given(st.sampled_from(["UNAVAILABLE", "INTERNAL", "OK", "what"]), st.text(), st.booleans())
def test_whatever_grpc_says_is_an_outcome(code: str, text: str, flag: bool) -> None:
    """Of a server, and of its own library."""
    status = Status(code, text, said(text, flag), begun=flag, connected=flag)
    assert judge(status)[0] in OUTCOMES


@given(
    pieces=st.lists(st.binary(max_size=60), max_size=4),
    status=st.none() | st.integers(100, 999),
    headers=st.dictionaries(st.sampled_from(["content-type", "retry-after", "x"]), st.text()),
    complete=st.booleans(),
)
def test_whatever_node_tells_of_an_answer_is_understood(
    pieces: list[bytes], status: int | None, headers: dict[str, str], complete: bool
) -> None:
    """The bytes of a server inside the driver's own words."""
    told = {
        "phase": "body",
        "status": status,
        "headers": headers,
        "pieces": [[n, base64.b64encode(piece).decode()] for n, piece in enumerate(pieces)],
        "events": [],
        "began": 0,
        "ended": 9,
        "complete": complete and status is not None,
    }
    reply = reply_of(json.loads(json.dumps(told)), REQUEST, dt.datetime.now(dt.UTC))
    assert reply.outcome in OUTCOMES


@given(st.text())
def test_no_header_is_more_than_a_short_line(text: str) -> None:
    """Of what is kept as a name."""
    assert len(short(text) or "") <= 128
    assert colo(text) is None or len(colo(text) or "") == 3


@given(st.integers(100, 999), st.binary(max_size=200))
def test_every_answer_is_an_outcome(status: int, body: bytes) -> None:
    """Whatever its body."""
    assert classify(status, body, "chat") in OUTCOMES


@given(
    st.lists(
        st.text(max_size=8)
        | st.tuples(st.integers(0, len(CANARY)), st.integers(0, len(CANARY))).map(
            lambda ends: CANARY[min(ends) : max(ends)]
        ),
        max_size=8,
    )
)
def test_no_mixture_of_pieces_keeps_twelve_letters_of_the_key(parts: list[str]) -> None:
    """And text without any of it stays as it is."""
    text = "".join(parts)
    shown = Key(CANARY).hide(clean(text))
    assert not holds(shown.encode())
    if not holds(text.encode()):
        assert shown == clean(text)
