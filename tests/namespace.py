"""A network of the tests' own: names map to loopback addresses, ports below 1024 are free.

Runs Python in a user, mount and network namespace (unshare -rmn, no privileges needed where the
kernel allows it), with ``lo`` up and a hosts file of the tests' bound over /etc/hosts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

_PROLOGUE = """
import ctypes, fcntl, os, socket, struct, sys
def _lo_up():
    with socket.socket() as s:
        request = struct.pack("16sh", b"lo", 0x1 | 0x40)
        fcntl.ioctl(s, 0x8914, request)
_lo_up()
_libc = ctypes.CDLL(None, use_errno=True)
if _libc.mount(os.environ["TEST_HOSTS"].encode(), b"/etc/hosts", None, 4096, None):
    raise OSError(ctypes.get_errno(), "mount")
"""


def namespaces_work() -> str | None:
    """None when they do; else the reason, for a skip that says why."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "network namespaces need Linux and util-linux's unshare"
    done = subprocess.run(["unshare", "-rmn", "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"unshare -rmn is not allowed: {done.stderr.strip()}"


def require_namespaces() -> None:
    """Skip, loudly, where namespaces are not allowed; in CI that is a failure."""
    if (reason := namespaces_work()) is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def run_inside(
    code: str, hosts: Mapping[str, str], folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python ``code`` inside, with ``hosts`` (name → address) as the whole of /etc/hosts."""
    file = folder / "hosts"
    file.write_text("".join(f"{address} {name}\n" for name, address in hosts.items()))
    return subprocess.run(
        ["unshare", "-rmn", sys.executable, "-c", _PROLOGUE + code],
        env={**os.environ, "TEST_HOSTS": str(file), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
