"""The life of a fleet's process: it starts, it ends whatever happens, and it leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FleetError
from bench.simulator import Fleet


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan may wait for a reaper that a container does not have.
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def test_stop_leaves_no_process_no_folder_and_may_be_repeated() -> None:
    fleet = Fleet.start()
    pid = fleet._process.pid
    assert fleet.alive()
    assert fleet.folder.stat().st_mode & 0o777 == 0o700
    fleet.stop()
    fleet.stop()
    assert not fleet.alive()
    assert not fleet.folder.exists()
    assert fleet.truth() == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_everything_listens_on_loopback_and_each_endpoint_has_its_own_address() -> None:
    with Fleet.start() as fleet:
        addresses = [endpoint.connect or "" for endpoint in fleet.endpoints]
    assert len(set(addresses)) == 5
    assert all(address.startswith("127.0.0.1:") for address in addresses)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has 127.0.0.1 only")
def test_a_pattern_gives_each_endpoint_an_address_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with Fleet.start(bind=f"127.0.1.{{n}}:{port}") as fleet:
        assert [e.connect for e in fleet.endpoints] == [f"127.0.1.{n}:{port}" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"profile": "nothing"}, "there is no profile 'nothing'; take one of"),
        ({"bind": "0.0.0.0:0"}, "is not loopback"),
        ({"bind": "nowhere"}, "is not an address and a port"),
        ({"hosts": "yai"}, "hosts is 'yai'; it must be one of"),
    ],
)
def test_a_wrong_argument_is_one_clear_sentence(arguments: dict[str, str], says: str) -> None:
    with pytest.raises(FleetError, match=says):
        Fleet.start(**arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has 127.0.0.1 only")
def test_an_address_in_use_is_named() -> None:
    with socket.create_server(("127.0.2.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FleetError, match=rf"cannot listen on 127\.0\.2\.1:{port}"):
            Fleet.start(bind=f"127.0.2.{{n}}:{port}")


def test_a_fleet_that_is_not_ready_in_time_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(FleetError, match=r"not ready within 0\.001 s"):
        Fleet.start(timeout_s=0.001)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_dies_at_start_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(FleetError, match="died at start"):
        Fleet.start()


def test_a_fleet_that_died_is_noticed() -> None:
    with Fleet.start() as fleet:
        fleet.check()
        os.kill(fleet._process.pid, signal.SIGKILL)
        fleet._process.wait()
        assert not fleet.alive()
        with pytest.raises(FleetError, match="stopped by itself"):
            fleet.check()
    assert not fleet.folder.exists()


def test_ctrl_c_does_not_reach_the_fleet() -> None:
    with Fleet.start() as fleet:
        assert os.getpgid(fleet._process.pid) != os.getpgid(0)
        os.kill(fleet._process.pid, signal.SIGINT)
        time.sleep(0.1)
        assert fleet.alive()


PARENT = """
import sys, time
from bench.simulator import Fleet
fleet = Fleet.start()
print(fleet._process.pid, fleet.folder, flush=True)
{then}
"""


def parent(then: str) -> tuple[subprocess.Popen[str], int, Path]:
    command = [sys.executable, "-c", PARENT.format(then=then)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid, folder = process.stdout.readline().split()
    return process, int(pid), Path(folder)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_takes_the_fleet_and_its_folder_along(how: signal.Signals) -> None:
    process, pid, folder = parent("time.sleep(60)")
    with process:
        process.send_signal(how)
        process.wait()
        assert eventually(lambda: gone(pid))
        assert eventually(lambda: not folder.exists())


def test_a_killed_parent_whose_pipe_lives_on_in_a_fork_takes_the_fleet_along_too() -> None:
    fork = (
        "import os\nif os.fork() == 0:\n    os.close(1); time.sleep(4); os._exit(0)\ntime.sleep(60)"
    )
    process, pid, folder = parent(fork)
    with process:
        process.kill()
        process.wait()
        assert eventually(lambda: gone(pid))
        assert not folder.exists()


@pytest.mark.parametrize("then", ["pass", "raise SystemExit(3)", "1 / 0"])
def test_a_parent_that_ends_without_stop_leaves_nothing(then: str) -> None:
    process, pid, folder = parent("sys.stderr.close()\n" + then)
    with process:
        process.wait()
        assert eventually(lambda: gone(pid))
        assert not folder.exists()


def test_the_real_key_does_not_reach_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", "canary")
    with Fleet.start() as fleet:
        assert fleet.key != "canary"
        environment = Path(f"/proc/{fleet._process.pid}/environ")
        if environment.exists():
            assert b"canary" not in environment.read_bytes()


def test_importing_the_simulator_loads_no_server() -> None:
    heavy = "hypercorn, uvloop, trustme, cryptography, pandas, numpy, h2, asyncio"
    code = "import sys, bench.simulator; print([m for m in sys.argv[1].split(', ') "
    code += "if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, heavy], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
