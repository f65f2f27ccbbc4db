"""Ctrl-C and SIGTERM, whatever goes on: 130, nothing lost, nobody left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.clients import CLIENTS, Client
from bench.clients.http import HttpClient
from bench.errors import INTERRUPTED
from bench.model import Endpoint, Request
from bench.probe import Stop
from bench.simulator import Fleet
from bench.store import StoredRun, read_run
from tests.benchmarks import signals
from tests.benchmarks.killing import alive, descendants
from tests.conftest import Authority
from tests.node import require_node_modules
from tests.profiles import TWO_REGIONS, steady
from tests.programs import require_program

KINDS = [signal.SIGINT, signal.SIGTERM]
_HANGS_S = 120.0
"""Far longer than anything here takes, far shorter than the time-outs of what hangs."""


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Fleet]]:
    """A fleet for each place in which an answer can hang for ever."""
    folder = tmp_path_factory.mktemp("hanging")
    fleets = {}
    for number, (place, times) in enumerate(signals.PLACES.items()):
        profile = folder / f"{number}.toml"
        profile.write_text(steady(*times))
        fleets[place] = Fleet.start(profile, seed=1)
    yield fleets
    for fleet in fleets.values():
        fleet.stop()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_whose_requests_hang_ends_and_keeps_them_as_cancelled(
    client: str, hanging: dict[str, Fleet], tmp_path: Path
) -> None:
    """The short form of `tests.benchmarks.signals`, which has all cases and says how long."""
    if client == "curl":
        require_program("curl")
    if client == "openai-js":
        require_node_modules()
    (case,) = (case for case in signals.cases(quick=True) if case.client == client)
    assert signals.interrupt(case, hanging[case.place], tmp_path / "results").wrong == ()


def run(catalogue: Path | str, results: Path, *more: str) -> list[str]:
    return ["run", "--catalogue", str(catalogue), "--results", str(results), *more]


def interrupted(
    kind: signal.Signals,
    words: Sequence[str],
    ready: Callable[[int, str], bool],
    program: Sequence[str] = ("-m", "bench"),
    codes: Sequence[int] = (INTERRUPTED,),
) -> str:
    """What a command said that was ended when it was ready, by its process id and what it had said;
    it ended with the right code, and nothing that it had started is left."""
    command = [sys.executable, *program, *words, "--vantage", "here"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []
        assert process.stderr is not None
        reader = threading.Thread(target=lambda pipe: said.extend(pipe), args=(process.stderr,))
        reader.start()
        try:
            _until(lambda: process.poll() is not None or ready(process.pid, "".join(said)))
            children = descendants(process.pid)
            process.send_signal(kind)
            process.wait(_HANGS_S)
        finally:
            process.kill()
            reader.join()
    assert process.returncode in codes, said
    _until(lambda: not any(map(alive, children)))
    return "".join(said)


HEAVY = ("matplotlib", "pandas", "pyarrow", "scipy")
"""What takes seconds to load on a busy machine."""

LOADED = f"""
import sys
from bench.cli import main
code = main(sys.argv[1:])
print("loaded", [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(("command", "way"), [("run", "report"), ("routing", "routing")])
def test_who_interrupts_does_not_wait_for_figures(
    command: str, way: str, hanging: dict[str, Fleet], tmp_path: Path
) -> None:
    """What is kept is told from what was counted: nothing that makes figures was loaded, the rows
    are not written a second time, and the command that shows them is named."""
    fleet, results = hanging["before the answer"], tmp_path / "results"
    more = ["--no-calibrate", "--timeout", "300s", "--no-stream"]
    words = [command, *run(fleet.catalogue, results, *more)[1:]]

    def hangs(*_: object) -> bool:
        return any(results.glob("*/samples.jsonl")) and signals.connections(fleet) == 1

    said = interrupted(signal.SIGTERM, words, hangs, ("-c", LOADED))
    (folder,) = results.iterdir()
    assert f"Interrupted, 1 row kept: {folder}" in said
    assert f"regionbench {way} {folder}" in said
    assert said.splitlines()[-1] == "loaded []"
    assert not (folder / "samples.parquet").exists()
    assert len(kept(results).rows) == 1


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _HANGS_S
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


def rows_stored(results: Path) -> int:
    return sum(f.read_bytes().count(b"\n") for f in results.glob("*/samples.jsonl"))


def kept(results: Path) -> StoredRun:
    (folder,) = results.iterdir()
    return read_run(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_preflight_of_silent_hosts_is_not_waited_for(
    kind: signal.Signals, fleet: Fleet, tmp_path: Path
) -> None:
    """They accept, and say nothing; no run folder is made."""
    text = fleet.catalogue.read_text()
    (tmp_path / "ca.pem").write_bytes(fleet.ca.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for endpoint in fleet.endpoints:
            text = text.replace(str(endpoint.connect), f"127.0.0.1:{silent.getsockname()[1]}")
        (tmp_path / "catalogue.toml").write_text(text)
        words = run(tmp_path / "catalogue.toml", tmp_path / "results")
        silent.settimeout(_HANGS_S)
        met: list[socket.socket] = []

        def waits(*_: object) -> bool:
            met.append(silent.accept()[0])
            return True

        interrupted(kind, words, waits)
        met[0].close()
    assert not (tmp_path / "results").exists()


def test_a_calibration_is_ended_with_its_fleet(fleet: Fleet, tmp_path: Path) -> None:
    """Before it was begun, a run leaves nothing."""
    words = run(fleet.catalogue, tmp_path / "results")
    said = interrupted(
        signal.SIGTERM, words, lambda pid, said: "how late" in said and bool(descendants(pid))
    )
    assert "interrupted" in said
    assert not (tmp_path / "results").exists()


def test_a_pause_for_a_429_is_ended(tmp_path: Path) -> None:
    """The rows before it are kept."""
    (tmp_path / "limited.toml").write_text(TWO_REGIONS + "\n[limits]\nrequests_per_second = 3\n")
    results = tmp_path / "results"
    words = run("fleet", results, "--profile", str(tmp_path / "limited.toml"), "--rounds", "500")

    def paused(*_: object) -> bool:
        return any(b"rate_limited" in f.read_bytes() for f in results.glob("*/samples.jsonl"))

    interrupted(signal.SIGINT, [*words, "--no-calibrate"], paused)
    assert kept(results).run["status"] == "interrupted"
    assert len(kept(results).rows) == rows_stored(results)


def test_the_drawing_of_a_report_is_ended_and_the_run_is_whole(
    fleet: Fleet, tmp_path: Path
) -> None:
    """A report is there whole or not at all."""
    results = tmp_path / "results"
    words = run(fleet.catalogue, results, "--rounds", "3", "--no-calibrate")
    interrupted(signal.SIGINT, words, lambda _, said: "Drawing the report" in said)
    assert (kept(results).run["status"], kept(results).cautions) == ("complete", ())
    for page in results.glob("*/report.html"):
        assert page.read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("command", ["choose", "watch"])
def test_a_race_and_a_watch_that_hang_are_ended(
    command: str, hanging: dict[str, Fleet], tmp_path: Path
) -> None:
    """As a run is: in the midst of its first request."""
    fleet, results = hanging["in the answer"], tmp_path / "results"
    more = ["--listen", "127.0.0.1:0", "--kind", "chat"] if command == "watch" else []
    words = [command, *run(fleet.catalogue, results, "--no-calibrate", "--timeout", "300s")[1:]]

    def hangs(*_: object) -> bool:
        return any(results.glob("*/samples.jsonl")) and signals.connections(fleet) == 1

    interrupted(signal.SIGINT, [*words, *more], hangs)
    assert kept(results).run["status"] == "interrupted"
    assert [row["outcome"] for row in kept(results).rows] == ["cancelled"]


def test_a_second_signal_leaves_at_once(hanging: dict[str, Fleet], tmp_path: Path) -> None:
    """And what was stored is there, with a word of what became of the rest."""
    fleet, results = hanging["before the answer"], tmp_path / "results"
    words = run(fleet.catalogue, results, "--no-calibrate", "--no-stream", "--timeout", "300s")
    twice = threading.Event()

    def hangs(pid: int, _: str) -> bool:
        if any(results.glob("*/samples.jsonl")) and signals.connections(fleet) == 1:
            os.kill(pid, signal.SIGINT)
            twice.set()
        return twice.is_set()

    # Python that is about to end dies of it: a shell calls that 130 too.
    interrupted(signal.SIGINT, words, hangs, codes=(INTERRUPTED, -signal.SIGINT))
    (folder,) = results.iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] in ("running", "interrupted")
    assert {c.code for c in read_run(folder).cautions} <= {"killed", "incomplete"}


def test_a_request_that_begins_as_it_is_interrupted_ends_too(
    authority: Authority, free_port_that_is_silent: int
) -> None:
    """Between the look whether all is over and the sending there is nothing to interrupt."""
    client, stop = HttpClient(authority.settings(timeout_s=_HANGS_S)), Stop()
    stop.watch(client)
    stop.now()
    began = time.monotonic()
    reply = ask(client, free_port_that_is_silent)
    stop.forget(client)
    assert reply.outcome == "cancelled"
    assert time.monotonic() - began < _HANGS_S / 2


@pytest.fixture
def free_port_that_is_silent() -> Iterator[int]:
    """It is listened on, and nobody accepts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ask(client: Client, port: int) -> Any:
    endpoint = Endpoint("near", "https://near.test", connect=f"127.0.0.1:{port}")
    request = Request("models", "GET", "/v1/models", (), b"", False, True, "")
    return client.send(endpoint, request, "cold")


def test_a_connection_that_never_comes_is_interrupted(authority: Authority) -> None:
    """A SYN that nobody answers, as behind a firewall that drops it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        client, stop = HttpClient(authority.settings(timeout_s=_HANGS_S)), Stop()
        stop.watch(client)
        threading.Timer(0.2, stop.now).start()
        reply = ask(client, address[1])
        stop.forget(client)
        for one in waiting:
            one.close()
    assert (reply.outcome, reply.failed_phase) == ("cancelled", "tcp")
