"""The OpenAI JavaScript SDK as a client: its Node process, and what it needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.clients import make_client
from bench.clients.openai_js import OpenAiJsClient, find_modules
from bench.errors import PlanError
from bench.model import Endpoint
from bench.wire.proxy import Proxy
from tests.conftest import Authority
from tests.faults.server import Conversation, fault_server, wait_until
from tests.node import VARIABLE, require_node_modules
from tests.test_client_http import HOST, a_request, document, send


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The SDK, named in the variable."""
    folder = require_node_modules()
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def alive(pid: int) -> bool:
    """Whether a process runs (one that waits for its parent to take notice does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def a_client(authority: Authority) -> OpenAiJsClient:
    return OpenAiJsClient(replace(authority.settings(10), ca=authority.file))


def test_without_the_package_the_command_is_named(tmp_path: Path) -> None:
    """And the folder that was looked in."""
    with pytest.raises(PlanError, match="npm install openai") as caught:
        find_modules({VARIABLE: str(tmp_path)})
    assert str(tmp_path) in str(caught.value)


def test_a_folder_beside_the_work_is_found(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`npm install openai` where one works is enough."""
    (tmp_path / "node_modules").symlink_to(modules)
    monkeypatch.chdir(tmp_path)
    assert find_modules({}) == modules.resolve()


def test_what_it_cannot_do_is_refused_before_anything_is_sent(authority: Authority) -> None:
    """A proxy and HTTP/2."""
    settings = authority.settings()
    for wrong in (replace(settings, proxy=Proxy("p.test", 1)), replace(settings, http2=True)):
        with pytest.raises(PlanError, match="openai-js"):
            make_client("openai-js", wrong)


def test_without_node_the_remedy_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlanError, match="install Node"):
        make_client("openai-js", authority.settings())


@pytest.mark.usefixtures("modules")
def test_its_process_ends_with_the_client(authority: Authority) -> None:
    """No Node stays behind."""
    client = a_client(authority)
    assert client.pid is not None
    pid = client.pid
    assert alive(pid)
    client.close()
    assert not alive(pid)
    assert client.pid is None


PARENT = """
import sys
from pathlib import Path
from bench.clients import Settings
from bench.clients.openai_js import OpenAiJsClient
from bench.wire.trust import trust
client = OpenAiJsClient(Settings(trust(Path(sys.argv[1])), None, 5.0))
print(client.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("modules")
def test_its_process_ends_with_a_killed_parent(authority: Authority) -> None:
    """kill -9 leaves nobody who could close anything."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(authority.file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not alive(pid))


@pytest.mark.usefixtures("modules")
def test_a_node_that_dies_costs_one_row(authority: Authority) -> None:
    """The next request has a new one."""
    client = a_client(authority)

    def kill_node(conversation: Conversation) -> None:
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        conversation.silence()

    scripts = iter([kill_node, send(document())])
    with fault_server(lambda c: next(scripts)(c), authority.server(HOST)) as server:
        endpoint = Endpoint("e", f"https://{HOST}", connect=server.address)
        first = client.send(endpoint, a_request(), "warm")
        second = client.send(endpoint, a_request(stream=False), "warm")
    client.close()
    assert (first.outcome, second.outcome) == ("client_fault", "ok")
