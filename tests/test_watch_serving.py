"""The pages of a watch over real sockets, and who tries to hold them up."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from bench.errors import UsageError
from bench.watch.serving import (
    MOST_BYTES,
    MOST_CLIENTS,
    Address,
    Answer,
    parse_address,
    serving,
)


def page(accept: str) -> Answer:
    return HTTPStatus.OK, "text/plain", f"accepts {accept}".encode()


@pytest.fixture
def address() -> Iterator[Address]:
    """A server with one page."""
    with serving(Address(port=0), {"/metrics": page}, lambda: None, 0.05) as bound:
        yield bound


def ask(address: Address, request: bytes) -> bytes:
    with socket.create_connection((address.host, address.port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(4096):
            answer += data
        return answer


def test_a_page_is_served_whatever_its_query_and_hears_what_is_accepted(address: Address) -> None:
    """As Prometheus asks."""
    with urllib.request.urlopen(
        f"http://{address}/metrics?x=1", timeout=10
    ) as response:  # loopback
        assert response.read() == b"accepts "
    answer = ask(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n")
    assert answer.endswith(b"\r\n\r\naccepts text/plain")
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics/../metrics HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\xff\xfe nonsense\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
    ],
)
def test_everything_else_is_an_error(address: Address, request_: bytes, status: bytes) -> None:
    """There is nothing to find."""
    assert ask(address, request_).startswith(b"HTTP/1.1 " + status)


def test_the_head_of_a_page_has_its_length_and_no_body(address: Address) -> None:
    """For who only looks whether it is there."""
    answer = ask(address, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_clients_that_say_nothing_keep_nobody_waiting(address: Address) -> None:
    """Slow ones, up to all the seats but one."""
    dawdlers = [socket.create_connection((address.host, address.port)) for _ in range(15)]
    for dawdler in dawdlers:
        dawdler.sendall(b"GET /met")
    assert len(dawdlers) < MOST_CLIENTS
    assert ask(address, b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
    for dawdler in dawdlers:
        dawdler.close()


def test_more_clients_than_seats_are_sent_away_and_a_seat_is_free_again(address: Address) -> None:
    """Nobody can make it hold more than so many connections."""
    dawdlers = [socket.create_connection((address.host, address.port)) for _ in range(MOST_CLIENTS)]
    for dawdler in dawdlers:
        dawdler.sendall(b"G")
    with socket.create_connection((address.host, address.port), 10) as late:
        late.settimeout(10)
        assert late.recv(1) == b""
    for dawdler in dawdlers:
        dawdler.close()
    answers: list[bytes] = []
    while not answers or not answers[-1]:
        answers.append(ask(address, b"GET /metrics HTTP/1.1\r\n\r\n"))
    assert answers[-1].startswith(b"HTTP/1.1 200")


def test_a_request_without_end_is_cut_off(address: Address) -> None:
    """However much it says."""
    with socket.create_connection((address.host, address.port), 10) as endless:
        endless.sendall(b"x" * 4 * MOST_BYTES)
        with contextlib.suppress(ConnectionResetError):  # it had more to say
            assert endless.recv(1) == b""


def test_a_client_that_dawdles_does_not_delay_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl-C need not wait for anybody, and nothing is printed; the port is free afterwards."""
    with serving(Address(port=0), {"/": page}, lambda: None, 0.05) as bound:
        dawdler = socket.create_connection((bound.host, bound.port))
        ask(bound, b"GET / HTTP/1.1\r\n\r\n")  # by then the one before is being heard
    assert "metrics" not in {thread.name for thread in threading.enumerate()}
    dawdler.close()
    assert not caplog.records
    with serving(bound, {"/": page}, lambda: None, 0.05) as again:
        assert again == bound


def test_a_port_that_is_taken_is_one_sentence_with_the_way_out(address: Address) -> None:
    """What, where, and what to do."""
    with (
        pytest.raises(UsageError, match=rf"--listen {address}: the port is taken.*:0: any"),
        serving(address, {}, lambda: None, 0.05),
    ):
        pass


@pytest.mark.parametrize("text", ["9464", ":9464", "here:", "here:http", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """With one that is."""
    with pytest.raises(UsageError, match=r"HOST:PORT, such as 127\.0\.0\.1:9464"):
        parse_address(text)


def test_ipv6_has_brackets_outside_and_none_inside() -> None:
    """As in URLs."""
    assert parse_address("[::1]:9464") == Address("::1", 9464)
    assert str(Address("::1", 9464)) == "[::1]:9464"


def test_an_address_that_others_reach_is_known() -> None:
    """To be told."""
    assert Address("0.0.0.0").open  # noqa: S104  # not bound here
    assert not any(Address(host).open for host in ("127.0.0.1", "127.3.2.1", "::1", "localhost"))


def test_an_address_of_another_machine_is_refused() -> None:
    """Before anything is asked."""
    with (
        pytest.raises(UsageError, match="name an address of this machine"),
        serving(Address("192.0.2.1", 0), {}, lambda: None, 0.05),
    ):
        pass
