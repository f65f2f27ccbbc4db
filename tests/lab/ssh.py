"""A real SSH server on loopback, one door for each machine that it stands for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE_S = 20.0
_SEPARATED = Path("/run/sshd")

_SERVER = """\
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""

_CLIENT = """\
Host {name}
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/user
  UserKnownHostsFile {folder}/known
"""


def no_sshd() -> str | None:
    """None when an SSH server can be started here, else why not."""
    return None if _program() else "no sshd: install openssh-server"


@contextmanager
def machines(folder: Path, environments: Mapping[str, Mapping[str, str]]) -> Iterator[Path]:
    """Machines by name, each with the environment of its sessions, which begin in its own folder
    ``folder/<name>``; the home folder whose SSH configuration knows the way to them."""
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with suppress(PermissionError):
        _SEPARATED.mkdir(exist_ok=True)  # what the service's own start would make
    doors = {name: _free_port() for name in environments}
    servers = [_serve(folder, name, doors[name], environments[name]) for name in doors]
    try:
        for port in doors.values():
            _await(port)
        yield _home(folder, doors)
    finally:
        for server in servers:
            server.kill()
            server.wait()


def _serve(
    folder: Path, name: str, port: int, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    known = " ".join(f"{key}={value}" for key, value in environment.items())
    here = folder / name
    here.mkdir(exist_ok=True)
    # Sessions begin in the account's home folder, which is not ours to write to
    lines = [f"ListenAddress 127.0.0.1:{port}", f"SetEnv {known}"]
    lines += [f'ForceCommand cd "{here}" && eval "$SSH_ORIGINAL_COMMAND"']
    path = folder / f"{name}.conf"
    path.write_text(_SERVER.format(folder=folder) + "\n".join(lines) + "\n")
    command = [*_alone(), _program(), "-D", "-e", "-f", str(path)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _alone() -> tuple[str, ...]:
    """With processes of its own, so that what a session started ends with it."""
    return (
        ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc") if not os.geteuid() else ()
    )


def _home(folder: Path, doors: Mapping[str, int]) -> Path:
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    blocks = [_CLIENT.format(name=n, port=p, folder=folder) for n, p in doors.items()]
    (home / ".ssh" / "config").write_text("".join(blocks))
    key = (folder / "host.pub").read_text()
    known = [f"[127.0.0.1]:{port} {key}" for port in doors.values()]
    (folder / "known").write_text("".join(known))
    return home


def _program() -> str:
    """The server, which calls itself by its whole path."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def _await(port: int) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not answer on port {port}")
