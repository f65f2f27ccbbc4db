"""A key that a server says back in every way, and a search for it in every byte that is left."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.clients import Client, make_client
from bench.key import Key
from bench.model import Endpoint
from bench.plan import make_plan
from bench.request import build_request
from tests.canary import CANARY, LOUD, VERBOSE, holds, leaking_files, leaks
from tests.conftest import Authority
from tests.echo import WAYS, Heard, echo_server
from tests.faults.clients import present
from tests.faults.trust import HOST


@dataclass
class Ran:
    """What a run of the command left behind."""

    folder: Path
    code: int
    out: bytes
    err: bytes
    pid: int
    processes: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)

    @property
    def leaks(self) -> dict[str, list[str]]:
        """Where the key was found that must be nowhere."""
        found = {"stdout": leaks(self.out), "stderr": leaks(self.err)}
        others = {k: v for k, v in self.processes.items() if k != (self.pid, "environ")}
        files = leaking_files(self.folder)
        return {name: ways for name, ways in [*found.items(), *files.items()] if ways} | {
            f"{file} of {pid}": ways for (pid, file), ways in others.items()
        }


def a_run(
    tmp_path: Path,
    authority: Authority,
    *arguments: str,
    before: str = "",
    ways: tuple[str, ...],
    on_chat: Callable[[int], None] = lambda _: None,
) -> Ran:
    """`regionbench run` with the canary as key, all logging on, in a folder of its own.

    ``before`` is Python that runs in its process first.
    """
    for name in ("site", "tmp", "home"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(LOUD + before)
    seen: dict[tuple[int, str], list[str]] = {}
    with echo_server(authority.server(HOST)) as heard:
        catalogue = _catalogue(heard.address, authority.file, ways)
        (tmp_path / "c.toml").write_text(catalogue)
        command = [
            *(sys.executable, "-m", "bench", "run", "--catalogue", "c.toml", "--model", "m"),
            *("--rounds", "1", "--warmup", "0", "--timeout", "5s", "--no-calibrate", "--yes"),
            *arguments,
        ]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=_environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        def look() -> None:
            seen.update(_processes(tmp_path))
            on_chat(process.pid)

        heard.on_chat = look
        out, err = process.communicate(timeout=200)
    return Ran(tmp_path, process.returncode, out, err, process.pid, seen, heard.keys, heard.ways)


def _environment(folder: Path) -> dict[str, str]:
    own = {
        "CANARY_KEY": CANARY,
        "CANARY_RUN": str(folder),
        "PYTHONPATH": f"{folder / 'site'}{os.pathsep}{Path.cwd()}",
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder / "home"),
        "MPLCONFIGDIR": str(Path.home() / ".cache" / "matplotlib"),  # or fonts are looked for
        "SSLKEYLOGFILE": str(folder / "keylog"),
    }
    return {**os.environ, **VERBOSE, **own}


def _catalogue(address: str, ca: Path, ways: tuple[str, ...]) -> str:
    provider = {"name": "echo", "key_env": "CANARY_KEY", "ca": str(ca)}
    lines = ["[provider]", *(f"{name} = {json.dumps(text)}" for name, text in provider.items())]
    for way in ways:
        url = f"https://{HOST}/{way}"
        lines += ["[[endpoints]]", f'name = "{way}"', f'url = "{url}"', f'connect = "{address}"']
    return "\n".join(lines)


def _processes(ours: Path) -> dict[tuple[int, str], list[str]]:
    """Processes whose arguments or environment hold the canary, but not those of another test's
    run, which may be under way beside this one."""
    found: dict[tuple[int, str], list[str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            texts = {name: (folder / name).read_bytes() for name in ("cmdline", "environ")}
            runs = re.findall(rb"\0CANARY_RUN=([^\0]*)", b"\0" + texts["environ"])
            if runs and runs != [bytes(ours)]:
                continue
            found |= {(int(folder.name), n): ["as it is"] for n, t in texts.items() if holds(t)}
    return found


PLAN = make_plan()


@pytest.fixture(scope="module")
def echo(authority: Authority) -> Iterator[Heard]:
    """A server that says the key back."""
    with echo_server(authority.server(HOST)) as heard:
        yield heard


@pytest.fixture(scope="module")
def clients(authority: Authority) -> Iterator[dict[str, Client]]:
    """Every client that this machine has, with the canary for a key."""
    settings = replace(authority.settings(5), key=Key(CANARY), ca=authority.file)
    made = {name: make_client(name, settings) for name in present()[0]}
    yield made
    for client in made.values():
        client.close()


def rows(ran: Ran) -> list[dict[str, object]]:
    """The rows of the one run."""
    (file,) = (ran.folder / "results").glob("*/samples.parquet")
    found: list[dict[str, object]] = pq.read_table(file).to_pylist()
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_reply_holds_the_key(way: str, clients: dict[str, Client], echo: Heard) -> None:
    """Must: whatever a server echoes, and wherever, the row of it has the key in no field."""
    endpoint = Endpoint("e", f"https://{HOST}/{way}", connect=echo.address)
    for name, client in clients.items():
        request = build_request("chat", PLAN, api="/v1", model="m", parameters={}, nonce="")
        reply = client.send(endpoint, request, "cold")
        assert not leaks(repr(reply).encode()), name
    assert echo.keys == {CANARY}


@pytest.mark.parametrize(
    ("protocol", "clients", "ways"),
    [
        ("--http1", present()[0], ("everywhere", "plain", "long", "in-stream", "status-line")),
        ("--http2", ["httpx", "openai"], ("everywhere", "plain")),
    ],
    ids=["HTTP/1.1", "HTTP/2"],
)
def test_the_key_is_in_nothing_that_a_run_leaves_or_shows(
    protocol: str, clients: list[str], ways: tuple[str, ...], tmp_path: Path, authority: Authority
) -> None:
    """Must: with every client, all logging on, and a server that echoes the key, it is in no file,
    no output, no temporary file, no argument and no other process's environment."""
    ran = a_run(tmp_path, authority, protocol, "--client", ",".join(clients), ways=ways)
    assert ran.code == 0, ran.err.decode()[-2000:]
    assert ran.leaks == {}
    assert ran.keys == {CANARY}
    assert set(ways) <= ran.ways
    found = rows(ran)
    assert len(found) == len(ways) * len(clients)
    for column in ("error", "request_id", "model"):
        assert any("[key]" in str(row[column]) for row in found)
    assert _session_keys(tmp_path / "keylog") == []


def _session_keys(file: Path) -> list[str]:
    """What a keylog file holds besides comments: importing aiohttp opens one, as openai does."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if not line.startswith("#")]


SPEAK = (
    "import bench.clients.loggers as h; h._LIBRARIES = (); h._is_serious = lambda record: True\n"
)
SHOW = "import bench.key; bench.key.Key.hide = lambda self, text: text\n"


def test_without_the_cap_and_the_hiding_the_search_finds_the_key(
    tmp_path: Path, authority: Authority
) -> None:
    """Control: the same run with both taken away leaks on stderr, in rows, archive and run.json."""
    ran = a_run(tmp_path, authority, "--http2", ways=("everywhere", "plain"), before=SPEAK + SHOW)
    found = {name.rpartition("/")[2] for name in ran.leaks}
    assert {"stderr", "samples.jsonl", "samples.parquet", "run.json"} <= found


FAIL = """\
import bench.store.writer as w
def fail(self, sample): raise RuntimeError(f"no room for {sample}")
w.RunWriter.append = fail
"""


FAIL_WITH_LOCALS = """\
import rich.traceback, bench.wire.stream as w
rich.traceback.install(show_locals=True, locals_max_string=None, locals_max_length=None, width=300)
def fail(self, data, record): raise type("RuntimeError", (BaseException,), {})(f"no way for {self}")
w.WireStream._send_request = fail
"""
"""Where the request is in the clear, and all locals are printed."""


@pytest.mark.parametrize("fail", [FAIL, FAIL_WITH_LOCALS], ids=["plain", "with locals"])
def test_a_crash_shows_no_key(fail: str, tmp_path: Path, authority: Authority) -> None:
    """Must: an exception that nobody expected ends with a traceback, which does not hold it."""
    ran = a_run(tmp_path, authority, before=fail, ways=("everywhere", "plain"))
    assert ran.code not in (0, 2)
    assert b"Traceback" in ran.err
    assert b"RuntimeError" in ran.err
    assert ran.leaks == {}


def test_an_abort_leaves_no_key(tmp_path: Path, authority: Authority) -> None:
    """Must: a process that is aborted in mid-request, with faulthandler on, writes no key and no
    core."""
    ran = a_run(
        tmp_path,
        authority,
        ways=("everywhere", "plain"),
        on_chat=lambda pid: os.kill(pid, signal.SIGABRT),
    )
    assert ran.code == -signal.SIGABRT
    assert b"Fatal Python error: Aborted" in ran.err
    assert ran.leaks == {}
    assert not list(tmp_path.rglob("core*"))


# Controls: the search finds what is planted, in each writing and at each place

WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "a slice": lambda key: key[7:19],
    "URL encoding": lambda key: quote(f"?{key}", safe=""),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "hex with blanks": lambda key: key.encode().hex(" "),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64, shifted by one": lambda key: base64.b64encode(f"x{key}".encode()).decode(),
    "base64, shifted by two": lambda key: base64.b64encode(f"xx{key}".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_the_search_finds_each_writing(writing: str) -> None:
    """Control: in the midst of other text."""
    assert leaks(f"before {WRITINGS[writing](CANARY)} after".encode())
    assert not leaks(f"before {WRITINGS[writing](CANARY[::-1])} after".encode())


@pytest.mark.parametrize("writing", WRITINGS)
def test_what_is_shown_of_each_writing_is_not_the_key(writing: str) -> None:
    """Must: redaction knows them all."""
    text = Key(CANARY).hide(f"before {WRITINGS[writing](CANARY)} after".replace(" ", "·"))
    if writing != "hex with blanks":
        assert not leaks(text.encode())
        assert "[key]" in text
    assert text.startswith("before·")
    assert text.endswith("·after")


def test_the_search_finds_it_at_each_place(tmp_path: Path) -> None:
    """Control: file, name of a file, Parquet, arguments, environment."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "plain").write_text(CANARY)
    (tmp_path / f"x{CANARY[:14].replace('/', '')}").write_text("")
    pq.write_table(pa.table({"error": ["none", CANARY]}), tmp_path / "a.parquet")
    assert len(leaking_files(tmp_path)) == 3
    wait = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    for arguments, environ, place in (([CANARY], {}, "cmdline"), ([], {"K": CANARY}, "environ")):
        with subprocess.Popen(
            wait + arguments,
            env={**environ, "CANARY_RUN": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert (process.pid, place) in _processes(tmp_path)
            process.communicate()
