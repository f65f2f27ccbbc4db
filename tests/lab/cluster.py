"""A Dask cluster of real processes under TLS, with files of the product's own making."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.simulator import Fleet
from bench.vantage import Tls, connected
from bench.vantage.certificates import write_certificates

_PATIENCE_S = 60.0
_WITHOUT = {"DASK_DISTRIBUTED__WORKER__DAEMON": "False"}


@dataclass
class DaskCluster:
    """A scheduler, and workers by name. All of them end with the block that started it."""

    folder: Path
    stack: ExitStack
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The scheduler's."""
        return int(self.address.rpartition(":")[2])

    @property
    def tls(self) -> Tls:
        """For a client."""
        return Tls(*(self.folder / "tls" / name for name in ("ca.pem", "client.crt", "client.key")))

    @property
    def options(self) -> list[str]:
        """For ``regionbench run``."""
        files = zip(("ca", "cert", "key"), (self.tls.ca, self.tls.cert, self.tls.key), strict=True)
        return ["--scheduler", self.address, *(w for n, f in files for w in (f"--tls-{n}", str(f)))]

    def add(
        self, name: str, *more: str, where: Sequence[str] = (), environ: Mapping[str, str] = {}
    ) -> subprocess.Popen[bytes]:
        """Start a worker; `await_workers` waits for it."""
        command = [*where, *_dask("worker"), self.address, "--nthreads", "1", "--no-dashboard"]
        own = {"REGIONBENCH_VANTAGE": name, **environ}
        self.workers[name] = self._start(
            f"worker-{name}", [*command, *self._files("worker"), "--name", name, *more], own
        )
        return self.workers[name]

    def await_workers(self, number: int) -> None:
        """Return when the scheduler knows so many."""
        until = time.monotonic() + _PATIENCE_S
        with connected(self.address, self.tls) as cluster:
            while len(cluster.workers()) != number:
                if time.monotonic() > until:
                    raise OSError(f"no {number} workers: {self.logs()[-3000:]}")
                time.sleep(0.1)

    def logs(self) -> str:
        """What all processes said."""
        return "".join(file.read_text("utf-8") for file in sorted(self.folder.glob("*.log")))

    def _files(self, part: str) -> list[str]:
        tls = self.folder / "tls"
        return [
            *("--tls-ca-file", str(tls / "ca.pem")),
            *("--tls-cert", str(tls / f"{part}.crt"), "--tls-key", str(tls / f"{part}.key")),
        ]

    def _start(
        self, name: str, command: list[str], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        log = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **environ}, cwd=self.folder
        )
        self.stack.callback(_end, process)
        return process


def _dask(part: str) -> list[str]:
    return [sys.executable, "-m", f"distributed.cli.dask_{part}"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on now."""
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskCluster]:
    """A scheduler on loopback; without workers yet."""
    folder.mkdir(parents=True, exist_ok=True)
    write_certificates(folder / "tls")
    with ExitStack() as stack:
        cluster = DaskCluster(folder, stack)
        file = folder / "scheduler.json"
        cluster.scheduler = cluster._start(
            "scheduler",
            [*_dask("scheduler"), "--host", "tls://127.0.0.1", "--port", "0", "--no-dashboard",
             "--scheduler-file", str(file), *cluster._files("scheduler")],
            {},
        )  # fmt: skip
        cluster.address = _address(file)
        yield cluster


def _address(file: Path) -> str:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            return str(json.loads(file.read_text())["address"])
        except (OSError, ValueError):
            time.sleep(0.05)
    raise OSError("the scheduler did not start")


def with_real_key(fleet: Fleet, folder: Path, variable: str) -> str:
    """The fleet as a service with a real key, in an environment variable."""
    text = fleet.catalogue.read_text().replace("simulated = true", "simulated = false")
    lines = [line for line in text.splitlines() if not line.startswith("key = ")]
    lines = [f'ca = "{fleet.ca}"' if line.startswith("ca = ") else line for line in lines]
    at = lines.index("[provider]") + 1
    path = folder / "real.toml"
    path.write_text("\n".join([*lines[:at], f'key_env = "{variable}"', *lines[at:]]))
    return str(path)
