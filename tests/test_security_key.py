"""The life of a key: where it comes from, what it may be, to whom it is sent."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.catalogue import load_catalogue
from bench.clients import Client, make_client
from bench.errors import CatalogueError, KeyMissing, UsageError
from bench.key import Key, find_key
from bench.model import CONNECTIONS, Endpoint, Request
from bench.plan import make_plan
from bench.prepare import Where, settings_for
from bench.request import build_request
from bench.wire.trust import trust
from tests.canary import CANARY, holds, leaks
from tests.conftest import Authority
from tests.echo import echo_server
from tests.faults.clients import present
from tests.faults.server import Conversation, fault_server
from tests.faults.trust import BAD, HOST

XAI = load_catalogue("xai").provider


@pytest.fixture(scope="module")
def clients(authority: Authority) -> Iterator[dict[str, Client]]:
    """Every client that this machine has, with the canary for a key."""
    settings = replace(authority.settings(5), key=Key(CANARY), ca=authority.file)
    made = {name: make_client(name, settings) for name in present()[0]}
    yield made
    for client in made.values():
        client.close()


def ask(client: Client, endpoint: Endpoint) -> str:
    """The outcome of one chat."""
    return client.send(endpoint, _chat(stream=False), "cold").outcome


def _chat(*, stream: bool) -> Request:
    plan = make_plan(stream=stream)
    return build_request("chat", plan, api="/v1", model="m", parameters={}, nonce="")


# Where it comes from


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_end_is_stripped(end: str, tmp_path: Path) -> None:
    """Must: from a variable and from a file alike; a second one is not."""
    file = tmp_path / "key"
    file.touch(0o600)
    for found in (lambda text: find_key(XAI, environ={"XAI_API_KEY": text}), _from(file)):
        key = found(CANARY + end)
        assert key is not None
        assert key.reveal() == CANARY
        with pytest.raises(KeyMissing):
            found(CANARY + end + "\n\n")


def _from(file: Path) -> Callable[[str], Key | None]:
    def found(text: str) -> Key | None:
        file.write_bytes(text.encode())
        return find_key(XAI, file)

    return found


@given(
    before=st.text(max_size=20),
    wrong=st.characters().filter(lambda letter: not "!" <= letter <= "~"),
    after=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)
def test_anything_but_printable_ascii_is_rejected_without_an_echo(
    before: str, wrong: str, after: str
) -> None:
    """Must: before a request is built; the message holds nothing of it."""
    text = f"{CANARY}{before}{wrong}{after}"
    with pytest.raises(KeyMissing) as caught:
        find_key(XAI, environ={"XAI_API_KEY": text})
    assert not leaks(str(caught.value).encode())
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_key_file_that_others_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    """Must: 0600 or stricter; the remedy is a command."""
    file = tmp_path / "key"
    file.write_text(CANARY)
    file.chmod(mode)
    with pytest.raises(KeyMissing, match="chmod 600") as caught:
        find_key(XAI, file)
    assert not leaks(str(caught.value).encode())


def test_a_key_shows_itself_nowhere() -> None:
    """Must: not in repr, format, pickle or the settings that hold it."""
    key = Key(CANARY)
    assert not leaks(f"{key!r} {key} {[key]} {vars(type(key)).keys()}".encode())
    with pytest.raises(TypeError):
        key.__reduce__()


# To whom it is sent


@pytest.mark.parametrize(
    "url",
    ["http://api.x.ai", "https://user@api.x.ai", "https://api.x.ai?a=b", "ftp://api.x.ai", "//a"],
)
def test_a_catalogue_names_hosts_that_are_reached_over_tls_only(url: str, tmp_path: Path) -> None:
    """Must: anything else is refused before there is a client."""
    file = tmp_path / "c.toml"
    file.write_text(f'[provider]\nname = "a"\n[[endpoints]]\nname = "e"\nurl = "{url}"\n')
    with pytest.raises(CatalogueError, match=r"write https|write scheme"):
        load_catalogue(str(file))


def test_an_endpoint_is_one_of_the_catalogues(tmp_path: Path) -> None:
    """Must: a plan cannot name another host."""
    with pytest.raises(CatalogueError, match="no endpoint"):
        load_catalogue("xai").choose(("evil.test",))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(
    status: int, clients: dict[str, Client], authority: Authority
) -> None:
    """Must: by no client, to no place: the other host hears nothing at all."""
    with fault_server(lambda _: None, authority.server(HOST)) as other:
        head = f"HTTP/1.1 {status} Elsewhere\r\nlocation: https://{HOST}:{other.port}/v1/x\r\n"

        def script(conversation: Conversation) -> None:
            conversation.send(f"{head}content-length: 0\r\n\r\n".encode())
            conversation.finish()

        with fault_server(script, authority.server(HOST)) as server:
            endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
            for name, client in clients.items():
                if name != "xai-sdk":  # gRPC knows no redirects; the fault matrix has one for it
                    assert ask(client, endpoint) == "protocol_error", name
            asked = list(server.requests)
    assert len(asked) == len(set(clients) - {"xai-sdk"})
    assert other.connections == 0


@pytest.mark.parametrize("bad", ["untrusted", "older than 1.2"])
def test_nothing_is_sent_to_a_server_that_is_not_verified(
    bad: str, clients: dict[str, Client], authority: Authority
) -> None:
    """Must: a stranger's certificate, and TLS below 1.2, end before the key is sent."""
    with fault_server(lambda _: None, BAD[bad](authority.ca)) as server:
        endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
        for name, client in clients.items():
            assert ask(client, endpoint) in ("tls_fail", "connect_fail"), name
    assert server.requests == []


def test_a_key_does_not_leave_over_plain_http(clients: dict[str, Client]) -> None:
    """Must: an endpoint that a program made itself, in no catalogue, is refused by each client."""
    with fault_server(lambda _: None) as server:
        for connect, url in (
            (server.address, f"http://{HOST}"),
            (None, f"http://{server.address}"),
        ):
            for name, client in clients.items():
                for connection in CONNECTIONS:
                    asked = _chat(stream=False)
                    reply = client.send(Endpoint("e", url, connect=connect), asked, connection)
                    assert reply.outcome == "client_fault", name
                    assert reply.total_ns is reply.ttfb_ns is None, name
    assert server.connections == 0


def test_tls_below_1_2_is_not_spoken(authority: Authority) -> None:
    """Must: and names and chains are always checked."""
    context = trust(authority.file)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_nothing_of_the_environment_leads_the_key_elsewhere(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Must: proxies, base URLs, .netrc, curl's and Node's settings and the log of TLS keys have no
    effect; a proxy has one when it is asked for."""
    (tmp_path / ".netrc").write_text(f"machine {HOST} login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    (tmp_path / ".curlrc").write_text("proxy = http://127.0.0.1:1\nheader = x-evil: 1\n")
    (tmp_path / "evil.js").write_text("process.exit(9)")
    dead = "http://127.0.0.1:1"
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, dead)
    for name in (
        "OPENAI_BASE_URL",
        "XAI_API_HOST",
        "OPENAI_ORG_ID",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    ):
        monkeypatch.setenv(name, "https://elsewhere.invalid")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CURL_HOME", str(tmp_path))
    monkeypatch.setenv("NODE_OPTIONS", f"--require {tmp_path / 'evil.js'}")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keylog"))
    settings = replace(authority.settings(5), key=Key(CANARY), ca=authority.file)
    names = present()[0]
    with echo_server(authority.server(HOST)) as heard:
        endpoint = Endpoint("e", f"https://{HOST}/in-stream", connect=heard.address)
        for name in names:
            client = make_client(name, settings)
            ask(client, endpoint)
            client.close()
    assert heard.chats == len(names)
    assert heard.keys == {CANARY}
    keylog = tmp_path / "keylog"
    assert not keylog.exists() or b"SECRET" not in keylog.read_bytes()


def test_the_search_for_tls_keys_can_fail(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: Python's own default context does write them."""
    import socket

    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keylog"))
    context = ssl.create_default_context(cafile=str(authority.file))
    monkeypatch.delenv("SSLKEYLOGFILE")
    with (
        fault_server(lambda _: None, authority.server(HOST), read=False) as server,
        socket.create_connection(("127.0.0.1", server.port)) as raw,
        context.wrap_socket(raw, server_hostname=HOST),
    ):
        pass
    assert b"SECRET" in (tmp_path / "keylog").read_bytes()


def test_a_simulated_provider_never_sees_the_environments_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Must: its catalogue holds a dummy, and that is what is sent."""
    monkeypatch.setenv("XAI_API_KEY", CANARY)
    file = tmp_path / "c.toml"
    file.write_text(
        '[provider]\nname = "a"\nsimulated = true\nkey = "dummy"\nkey_env = "XAI_API_KEY"\n'
        '[[endpoints]]\nname = "e"\nurl = "https://a.test"\n'
    )
    settings = settings_for(make_plan(), load_catalogue(str(file)), Where())
    assert settings.key is not None
    assert settings.key.reveal() == "dummy"


def test_a_real_key_stands_in_no_catalogue(tmp_path: Path) -> None:
    """Must: a file that is shared may name a variable only; the error does not repeat the key."""
    file = tmp_path / "c.toml"
    file.write_text(
        f'[provider]\nname = "a"\nkey = "{CANARY}"\n[[endpoints]]\nname = "e"\nurl = "https://a"\n'
    )
    with pytest.raises(CatalogueError, match="key_env") as caught:
        load_catalogue(str(file))
    assert not leaks(str(caught.value).encode())


def test_a_key_is_no_argument(capfd: pytest.CaptureFixture[str]) -> None:
    """Must: there is no option that takes one, and what looks like one is told what to do."""
    from bench.cli import main

    for option in ("--key", "--api-key", f"--key={CANARY}"):
        assert main(["run", option, CANARY]) == 2
    said = "".join(capfd.readouterr())
    assert "key-file" in said
    assert not leaks(said.encode())


def test_a_missing_proxy_scheme_shows_no_password() -> None:
    """Must: a proxy's password is not shown either."""
    from bench.wire.proxy import find_proxy

    with pytest.raises(UsageError) as caught:
        find_proxy(f"socks5://me:{CANARY}@a:1")
    assert not holds(str(caught.value).encode())
