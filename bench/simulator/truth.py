"""The fleet's own log of what truly happened, one JSON line per request.

For tests and benchmarks only: no response carries any of it, and the analysis never reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "truth.jsonl"


@dataclass(slots=True)
class Deed:
    """What became of one request.

    ``t`` is the arrival in seconds since the fleet's start. ``region`` is the one that truly
    served, None if none did. ``queue_ms`` and ``service_ms`` are as planned (they leave out every
    way). ``late_ms`` is how late the latest piece of a stream that had left by its end was handed
    to the kernel, ``first_ms`` when the first byte of a streamed response really was, counted from
    the request's last byte. ``status`` is REST's, of a gRPC call as well.
    """

    request_id: str
    endpoint: str
    path: str
    t: float
    region: str | None = None
    model: str | None = None
    status: int = 0
    queue_ms: float = 0.0
    ttft_ms: float | None = None
    service_ms: float = 0.0
    spilled: bool = False
    cached: bool = False
    failure: str | None = None
    late_ms: float | None = None
    first_ms: float | None = None


class Truth:
    """Appends deeds to the log; each line is whole on disk before its response ends."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE).open("ab", buffering=0)

    def add(self, deed: Deed) -> None:
        """Writes one line."""
        self._file.write(json.dumps(asdict(deed)).encode() + b"\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read(folder: Path) -> list[dict[str, Any]]:
    """The deeds so far, oldest first; a line that is still being written is left out."""
    path = folder / FILE
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]
