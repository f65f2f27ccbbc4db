"""The laboratory keeps its own promises: it must not be the thing that is wrong."""

from __future__ import annotations

import http.client
import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.delay_line import FAR, answer
from tests.lab.inside import call_inside, no_line, no_namespace, require
from tests.lab.lab import Lab, start_lab
from tests.lab.speech import STAMP_PLACE, script, take_request
from tests.lab.truth import Sent, Truth

POST = (
    b"POST /v1/chat/completions?id=a&delay_ms=20.3&tokens=3&gap_ms=2 HTTP/1.1\r\n"
    b'host: x\r\nContent-Length: 16\r\n\r\n{"stream": true}'
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all that only ask it."""
    with start_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def get(lab: Lab, target: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", lab.plain_port, timeout=10)
    connection.request("GET", target)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_no_answer_leaves_before_its_time(lab: Lab) -> None:
    """The true delay is never shorter than what was asked for."""
    for delay_ms in (0.5, 5.0, 20.0, 20.3):
        name = f"early-{delay_ms}"
        get(lab, f"/v1/models?id={name}&delay_ms={delay_ms}")
        truth = lab.truth(name)
        assert truth.delay_ns >= delay_ms * 1e6
        assert truth.rx_ns <= truth.recv_ns <= truth.sent[0].send_ns <= (truth.sent[0].tx_ns or 0)


def test_the_answer_carries_the_stamps_of_the_log(lab: Lab) -> None:
    """A foreign client can learn its request's truth from the headers."""
    response = get(lab, "/v1/models?id=headers&delay_ms=1")
    truth = lab.truth("headers")
    assert int(response.headers["x-lab-send-ns"]) == truth.sent[0].send_ns
    assert int(response.headers["x-lab-recv-ns"]) == truth.recv_ns
    assert int(response.headers["x-lab-rx-ns"]) == truth.rx_ns


def test_fifty_in_flight_each_have_their_truth(lab: Lab) -> None:
    """None is lost, none early, and each on a connection of its own."""
    names = [f"crowd-{number}" for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda name: get(lab, f"/v1/models?id={name}&delay_ms=50"), names))
    truths = [lab.truth(name) for name in names]
    assert all(truth.delay_ns >= 50e6 for truth in truths)
    assert len({truth.link for truth in truths}) == 50


def test_the_log_can_be_forgotten(lab: Lab) -> None:
    """What was forgotten is gone; what comes after is kept."""
    get(lab, "/v1/models?id=before&delay_ms=0")
    lab.forget()
    get(lab, "/v1/models?id=after&delay_ms=0")
    assert list(lab.truths()) == ["after"]


def test_a_client_that_leaves_does_not_end_the_server(lab: Lab) -> None:
    """Its pieces are dropped, the next client is served."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.plain_port, timeout=10)
    connection.request("GET", "/v1/models?id=leaver&delay_ms=30")
    connection.close()
    assert get(lab, "/v1/models?id=stayer&delay_ms=60").status == 200


def test_a_request_is_whole_wherever_its_bytes_were_cut() -> None:
    """Nothing before the last byte; all of it, and the rest, with that."""
    for cut in range(len(POST)):
        assert take_request(POST[:cut]) is None
    found = take_request(POST + b"GET /")
    assert found is not None
    asked, rest = found
    assert (asked.id, asked.delay_ns, asked.tokens, asked.streamed) == ("a", 20_300_000, 3, True)
    assert rest == b"GET /"


def test_a_stream_is_scheduled_token_by_token() -> None:
    """The head travels with the first token; the end is one gap after the last."""
    found = take_request(POST)
    assert found is not None
    pieces = script(found[0], 1, 2)
    assert [piece.after_ns for piece in pieces] == [20_300_000, 22_300_000, 24_300_000, 26_300_000]
    assert [piece.token for piece in pieces] == [True, True, True, False]
    assert STAMP_PLACE in pieces[0].data
    assert pieces[-1].data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_a_truth_survives_its_journey_as_json() -> None:
    """Row and back."""
    truth = Truth("a", 1, 2, 3, 4, 5, [Sent(6, True, 7), Sent(8)])
    assert Truth.of_row(json.loads(json.dumps(truth.row()))) == truth
    assert (truth.delay_ns, truth.user_delay_ns, truth.tokens_ns) == (4, 2, [4])


@pytest.mark.parametrize(("kind", "count", "size"), [(1, 1, 4), (28, 1, 16), (16, 0, 0)])
def test_the_name_server_answers_what_was_asked(kind: int, count: int, size: int) -> None:
    """An address of the family asked for; no record, but an answer, for another type."""
    question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03far\x04test\0" + struct.pack("!HH", kind, 1)
    reply = answer(question)
    assert reply[:2] == question[:2]
    assert struct.unpack_from("!H", reply, 6)[0] == count
    assert len(reply) == len(question) + (12 + size if count else 0)


def test_a_function_runs_inside_with_its_arguments() -> None:
    """Arguments and results travel; a failure names its cause."""
    require(no_namespace())
    assert call_inside("json:dumps", obj=[1]) == "[1]"
    with pytest.raises(RuntimeError, match="no_such"):
        call_inside("json:no_such")


def test_a_delay_line_can_be_laid() -> None:
    """Skipped with the reason where it cannot; in CI that is a failure."""
    require(no_line())
    assert call_inside("tests.lab.delay_line:try_line") is True


def test_both_ends_of_the_line_have_both_families() -> None:
    """The far end's addresses are those the lab's certificate names."""
    assert [":" in address for address in FAR] == [False, True]


def test_certificates_stay_in_the_folder(tmp_path: Path) -> None:
    """Starting a lab leaves two files and nothing else."""
    with start_lab(tmp_path) as running:
        assert running.priority in ("fifo", "nice", "normal")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca.pem", "server.pem"]
