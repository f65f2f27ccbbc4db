"""Call a function in user, mount and network namespaces of its own, where everything is allowed.

Started at real-time priority where that is possible, so that servers and relays can keep it; the
function itself runs at the usual priority, like any client.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tests.namespace import namespaces_work

LIFETIME_S = 600
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40


def call_inside(function: str, timeout_s: float = 120.0, **arguments: Any) -> Any:
    """What ``module:function`` returns in there; arguments and result travel as JSON."""
    task = json.dumps([function, arguments])
    done = subprocess.run(
        [*_first(), "unshare", "-rmn", sys.executable, "-m", "tests.lab.inside", task],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if done.returncode:
        raise RuntimeError(f"{function} failed inside: {done.stderr.strip()}")
    return json.loads(done.stdout)


@cache
def _first() -> tuple[str, ...]:
    command = ("chrt", "-f", "10")
    if shutil.which("chrt") is None:
        return ()
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return () if tried.returncode else command


@cache
def no_namespace() -> str | None:
    """None when the lab's namespaces work here, else why not."""
    return namespaces_work()


@cache
def no_line() -> str | None:
    """None when a delay line can be laid here, else why not."""
    if (reason := no_namespace()) is not None:
        return reason
    try:
        call_inside("tests.lab.delay_line:try_line", 30)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return f"no delay line between namespaces: {str(error).splitlines()[-1]}"
    return None


def require(reason: str | None) -> None:
    """Skip, loudly, for a reason; in CI that is a failure."""
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def interface_up(name: str) -> None:
    """Set a network interface of this namespace up."""
    with socket.socket() as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh", name.encode(), _IFF_UP | _IFF_RUNNING))


def _here(task: str) -> None:
    function, arguments = json.loads(task)
    signal.alarm(LIFETIME_S)
    interface_up("lo")
    module, _, name = function.partition(":")
    result = getattr(importlib.import_module(module), name)(**arguments)
    sys.stdout.write(json.dumps(result))


def ordinary_priority() -> None:
    """Give real-time priority back: what follows is an ordinary client."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


if __name__ == "__main__":
    _here(sys.argv[1])
