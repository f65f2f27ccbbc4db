"""The parent's side of a fleet: starts its process, knows its addresses, ends it.

The standard library only, so that importing it costs next to nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.core import anywhere
from bench.errors import FleetError
from bench.model import Endpoint
from bench.shield import without_secrets
from bench.simulator import names, truth
from bench.simulator.names import Hosts

CATALOGUE = "catalogue.toml"
CA = "ca.pem"
STOP = b"stop\n"
_STDERR = "stderr.log"
_PATIENCE_S = 2.0
_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Settings:
    """What the parent tells the fleet's process."""

    folder: str
    profile: str
    seed: int
    hosts: Hosts
    bind: str | None


class Fleet:
    """A running fleet. Make one with `Fleet.start`; it is also a context manager.

    ``catalogue`` and ``ca`` are files in ``folder`` (0700, gone after `stop`), ``endpoints`` the
    addresses, ``key`` the dummy key it accepts.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._truth: list[dict[str, Any]] | None = None
        self.folder = folder
        self.catalogue = folder / CATALOGUE
        self.ca = folder / CA
        self.endpoints: tuple[Endpoint, ...] = ()
        self.key = ""
        atexit.register(self.stop)

    @classmethod
    def start(
        cls,
        profile: str | Path = "typical",
        seed: int = 1,
        hosts: Hosts = "test",
        bind: str | None = None,
        timeout_s: float = 30.0,
    ) -> Fleet:
        """Starts a fleet and returns when it serves.

        ``profile`` is a shipped one's name or a TOML file; ``hosts`` chooses between names under
        ``fleet.test`` and the service's own; ``bind`` is a pattern of loopback addresses such as
        ``127.0.0.{n}:443``. Raises FleetError: a wrong argument or profile, an address that is
        not loopback or not free, a process that died (with the end of its stderr) or is not
        ready within ``timeout_s``.
        """
        if hosts not in names.HOSTS:
            raise FleetError(f"hosts is {hosts!r}; it must be one of {', '.join(names.HOSTS)}")
        names.addresses(bind, 1)
        folder = Path(tempfile.mkdtemp(prefix="regionbench-fleet-"))
        named = str(Path(profile).resolve()) if str(profile).endswith(".toml") else str(profile)
        settings = Settings(str(folder), named, seed, hosts, bind)
        fleet = cls(_spawn(settings, folder), folder)
        try:
            fleet._await_ready(timeout_s)
        except BaseException:
            fleet.stop()
            raise
        return fleet

    def truth(self) -> list[dict[str, Any]]:
        """What truly happened, one dict per request in the order in which they ended: see
        `bench.simulator.truth.Deed`. Still known after `stop`."""
        return truth.read(self.folder) if self._truth is None else self._truth

    @property
    def pid(self) -> int:
        """Of the fleet's process."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the fleet's process runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raises FleetError, with the end of the process's stderr, if it died by itself."""
        if self._truth is None and not self.alive():
            raise FleetError(f"the fleet stopped by itself{self._tail()}")

    def stop(self) -> None:
        """Ends the process and removes the folder. May be called again, and by atexit."""
        if self._truth is not None:
            return
        atexit.unregister(self.stop)
        _end(self._process)
        self._truth = truth.read(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _await_ready(self, timeout_s: float) -> None:
        line = _read_line(self._process, time.monotonic() + timeout_s)
        if line is None:
            raise FleetError(f"the fleet was not ready within {timeout_s:g} s{self._tail()}")
        if not line.endswith(b"\n"):
            self._process.wait(_PATIENCE_S)
            raise FleetError(f"the fleet's process died at start{self._tail()}")
        self._take(json.loads(line))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "error" in message:
            raise FleetError(message["error"])
        self.key = message["key"]
        self.endpoints = tuple(Endpoint(**endpoint) for endpoint in message["endpoints"])

    def _tail(self) -> str:
        try:
            text = (self.folder / _STDERR).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
        return f": {text[-_TAIL:]}" if text else ""


def _spawn(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.simulator", json.dumps(asdict(settings))]
    with (folder / _STDERR).open("wb") as stderr, anywhere():
        # Its own session: the terminal's Ctrl-C must not reach it before the run has drained.
        return subprocess.Popen(  # noqa: S603 — our own module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=without_secrets(os.environ),
            start_new_session=True,
        )


def _read_line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The first line of the process's stdout; shorter if it ended before, None if too late."""
    assert process.stdout is not None  # noqa: S101 — a pipe was asked for
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return None
        data = os.read(process.stdout.fileno(), 2**16)
        if not data:
            return line
        line += data
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 — pipes were asked for
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    with suppress(OSError):
        os.write(process.stdin.fileno(), STOP)
    process.stdin.close()
    process.stdout.close()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
