"""What clients that are programs of their own share: finding them, their start and their end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from bench.clients import Settings
from bench.core import anywhere
from bench.errors import PlanError

_PATIENCE_S = 2.0


def find_program(name: str, remedy: str) -> str:
    """The program's path. Raises PlanError that says what to do when there is none."""
    found = shutil.which(name)
    if found is None:
        raise PlanError(f"client needs the program {name}, which is not there: {remedy}")
    return found


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    fds: Sequence[int] = (),
    *,
    stderr: int = subprocess.PIPE,
    leashed: bool = False,
) -> subprocess.Popen[bytes]:
    """Start it with an environment of its own: a CA or proxy variable of ours would win over what
    the run says. In its own session, so that the terminal's Ctrl-C reaches only us.

    ``leashed`` is for what would outlive us: it is killed with the thread that starts it, which so
    must wait for its end.
    """
    with anywhere():
        return subprocess.Popen(  # noqa: S603  # found by name, no shell, nothing secret in argv
            [*(_leash() if leashed else ()), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment),
            pass_fds=fds,
            start_new_session=True,
            bufsize=0,
        )


@cache
def _leash() -> tuple[str, ...]:
    """The words before a command that have the kernel kill it with us: Linux with util-linux 2.33
    or newer. Empty elsewhere: what outlives us ends by its own time limit."""
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    if program is None:
        return ()
    words = (program, "--pdeathsig", "KILL")
    tried = subprocess.run([*words, program, "--version"], capture_output=True, check=False)  # noqa: S603  # found by name, no shell
    return words if tried.returncode == 0 else ()


def end(process: subprocess.Popen[bytes]) -> int:
    """Close its pipes and wait for it; it is killed when it does not go. Its exit code."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        return process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def ca_file(settings: Settings) -> Path | None:
    """The CA file that `bench.wire.trust` believes, for programs that take a file."""
    named = os.environ.get("SSL_CERT_FILE")
    return settings.ca or (Path(named) if named else None)
