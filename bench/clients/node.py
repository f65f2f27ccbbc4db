"""A Node process that answers one JSON line with another."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from bench.clients.child import end, start
from bench.clients.outcome import parse_json
from bench.units import NS_PER_S
from bench.wire.clock import now_ns

_READ_BYTES = 1 << 16
_MERCY_NS = NS_PER_S // 2


class NodeProcess:
    """Asked by one thread at a time; told something by any. It ends with its stdin."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process: subprocess.Popen[bytes] = start(
            command, environment, stderr=subprocess.DEVNULL
        )
        self._lock = threading.Lock()
        self._rest = b""
        self._told_ns: int | None = None
        self._due: Mapping[str, Any] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def interrupt(self, message: Mapping[str, Any]) -> None:
        """Send a line that ends what is asked for. Who is told again and has not ended it in half
        a second is killed. Callable from any thread and from a signal handler."""
        if self._told_ns is not None:
            if now_ns() - self._told_ns > _MERCY_NS:
                self._process.kill()
            return
        self._due = message
        self._tell()

    def _tell(self) -> None:
        """What is due; later by whoever holds the lock, who may be whom a signal stopped."""
        if self._due is not None and self._lock.acquire(blocking=False):
            try:
                message, self._due = self._due, None
                if message is not None:  # else somebody else has said it
                    self._told_ns = now_ns()
                    self._write(message)
            finally:
                self._lock.release()

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        with contextlib.suppress(OSError, ValueError):
            view = memoryview(json.dumps(message).encode() + b"\n")
            while view:
                view = view[os.write(self._process.stdin.fileno(), view) :]

    def ask(self, message: Mapping[str, Any], patience_s: float) -> dict[str, Any] | None:
        """Send a line and take the next; None when it ended or said nothing in time."""
        with self._lock:
            self._told_ns = self._due = None
            self._write(message)
        self._tell()  # who was to be interrupted while the lock was held
        deadline_ns = now_ns() + round(patience_s * NS_PER_S)
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            data = self._read(deadline_ns)
            if not data:
                return None
            pieces.append(data)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        answer = parse_json(line)
        return answer if isinstance(answer, dict) else None

    def close(self) -> None:
        """End the process, which has nothing to put in order."""
        self._process.kill()
        end(self._process)

    def _read(self, deadline_ns: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        fd = self._process.stdout.fileno()
        left_s = max(0, deadline_ns - now_ns()) / NS_PER_S
        ready, _, _ = select.select([fd], [], [], left_s)
        return os.read(fd, _READ_BYTES) if ready else b""
