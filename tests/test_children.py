"""Programs that a client starts: they end with us, however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from bench.clients.child import end, start
from bench.clients.node import NodeProcess
from tests.benchmarks.killing import alive
from tests.programs import require_program

_LONG_S = 120.0

PARENT = """
import time
from bench.clients.child import start
print(start(["/bin/sh", "-c", "exec sleep 600"], {}, leashed=True).pid, flush=True)
time.sleep(600)
"""

DEAF = """
import sys, time
sys.stdin.readline()
time.sleep(600)
"""
"""A driver that takes a question, and hears nothing after it."""

OBEDIENT = """
import sys
sys.stdin.readline()
print(sys.stdin.readline(), end="", flush=True)
"""
"""A driver that answers a question with what it is told next."""


def test_what_would_outlive_a_process_that_is_killed_is_killed_with_it() -> None:
    """curl waits for its answer until its own time limit; SIGKILL leaves nobody to end it."""
    require_program("setpriv")
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    try:
        until = time.monotonic() + _LONG_S
        while alive(child):
            assert time.monotonic() < until, "it outlived its parent"
            time.sleep(0.02)
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)


def test_where_nothing_holds_a_leash_a_program_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on macOS, and on a Linux without util-linux."""
    monkeypatch.setattr("bench.clients.child._leash", lambda: ())
    process = start([sys.executable, "-c", "print('here')"], {}, leashed=True)
    assert process.stdout is not None
    assert process.stdout.read() == b"here\n"
    assert end(process) == 0


def test_a_driver_that_hears_no_interruption_is_killed() -> None:
    """It is told first, so that it says how far its request came; who is told again is out of
    patience. Its question is answered by nobody then, and the process is gone."""
    node = NodeProcess([sys.executable, "-c", DEAF], {})
    over = time.monotonic() + _LONG_S

    def insist() -> None:
        while alive(node.pid) and time.monotonic() < over:
            node.interrupt({"op": "interrupt"})
            time.sleep(0.05)

    beside = threading.Thread(target=insist)
    beside.start()
    assert node.ask({"op": "send"}, _LONG_S) is None
    node.close()
    beside.join()
    assert not alive(node.pid)


def test_a_signal_in_the_midst_of_a_question_does_not_wait_for_itself() -> None:
    """The handler runs in the thread that holds the pipe: it must not wait until it lets go."""
    node = NodeProcess([sys.executable, "-c", DEAF], {})
    with node._lock:
        node.interrupt({"op": "interrupt"})
    node.close()
    assert not alive(node.pid)


def test_who_is_interrupted_while_its_question_is_being_written_hears_of_it_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A driver and a server may be so quick that the answer's fate is known before the asker's
    thread goes on. Once said, an interruption is not said again to the next question."""
    node, write = NodeProcess([sys.executable, "-c", OBEDIENT], {}), NodeProcess._write
    said: list[str] = []

    def interrupted(self: NodeProcess, message: Mapping[str, Any]) -> None:
        write(self, message)
        said.append(message["op"])
        if message["op"] == "send":
            node.interrupt({"op": "interrupt"})

    monkeypatch.setattr(NodeProcess, "_write", interrupted)
    try:
        assert node.ask({"op": "send"}, _LONG_S) == {"op": "interrupt"}
    finally:
        node.close()
    assert said == ["send", "interrupt"]
