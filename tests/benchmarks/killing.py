"""A command that is killed, and what it had acknowledged by then.

    python -m tests.benchmarks.killing FD run --results …

is ``regionbench run …``, which says over the pipe FD what the store has taken, the moment the
store's call has returned: a line per row, and one at the end of a run folder.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from bench.errors import StoreError
from bench.store import RunWriter, StoredRun, read_run, repair

FINISHED = "finished"


class Victim:
    """The command in a process of its own. ``said`` is what it has acknowledged so far."""

    def __init__(self, words: Sequence[str], stderr: int = subprocess.DEVNULL) -> None:
        self._fd, told = os.pipe()
        command = [sys.executable, "-m", __name__, str(told), *words]
        self.process = subprocess.Popen(
            command, pass_fds=(told,), stdout=subprocess.DEVNULL, stderr=stderr
        )
        os.close(told)
        self._heard = b""

    @property
    def said(self) -> list[str]:
        """Whole lines: a kill in the middle of one leaves a call that never returned."""
        return self._heard.decode().split("\n")[:-1]

    def hear(self, wait_s: float, lines: float = math.inf) -> None:
        """Listen for so long, or until it has said so much, or until it is over."""
        until = time.monotonic() + wait_s
        while self._heard.count(b"\n") < lines and (left := until - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0] and not self._take():
                return

    def kill(self) -> None:
        """SIGKILL, and everything that was said before it."""
        self.process.kill()
        self.process.wait()
        while self._take():
            pass

    def _take(self) -> bool:
        part = os.read(self._fd, 1 << 16)
        self._heard += part
        return bool(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if self.process.stderr is not None:
            self.process.stderr.close()
        os.close(self._fd)


Found = TypeVar("Found")


def until_interrupted(each: Iterable[Found]) -> list[Found]:
    """All of them; after a Ctrl-C those that there are, for a benchmark of an hour."""
    found: list[Found] = []
    with contextlib.suppress(KeyboardInterrupt):
        for one in each:
            found.append(one)  # noqa: PERF402 - they are kept one by one
    return found


def stored(results: Path) -> list[StoredRun]:
    """The runs in a results folder, as any reader finds them; one that was never acknowledged may
    be unreadable."""
    found = []
    for folder in sorted(results.iterdir()) if results.is_dir() else []:
        try:
            found.append(read_run(folder))
        except StoreError:
            continue
    return found


def untold(results: Path, runs: Sequence[StoredRun]) -> int:
    """How many of them do not say what became of them, or are not the same after a repair."""
    return sum(_untold(results / one.run["run_id"], one) for one in runs)


def _untold(folder: Path, one: StoredRun) -> bool:
    codes = {caution.code for caution in one.cautions}
    silent = "killed" not in codes if one.run["status"] == "running" else bool(codes - {"gaps"})
    if (folder / "samples.jsonl").exists():
        repair(folder)
        return silent or read_run(folder).rows != one.rows or repair(folder) != ()
    return silent or bool(one.rows)


def descendants(parent: int) -> list[int]:
    """Processes that a process has started, and that these have."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found + [below for pid in found for below in descendants(pid)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that is over and not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def acknowledge(fd: int, name: str, words: Callable[[Any], str]) -> None:
    """After each call of a method of the writer, say over the pipe what it has done."""
    call = getattr(RunWriter, name)

    @wraps(call)
    def told(self: RunWriter, first: Any, *more: Any, **named: Any) -> None:
        call(self, first, *more, **named)
        os.write(fd, f"{self.folder.name} {words(first)}\n".encode())

    setattr(RunWriter, name, told)


def main(arguments: Sequence[str]) -> int:
    """The command above; its exit code."""
    from bench.cli import main as command

    fd = int(arguments[0])
    acknowledge(fd, "append", lambda sample: f"{sample.seq} {sample.request_id}")
    acknowledge(fd, "finish", lambda _: FINISHED)
    return command(list(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
