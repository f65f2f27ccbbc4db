"""A folder of this process's own, for parsers that want a file."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="regionbench-fuzz-")


def folder() -> Path:
    """The same one every time; it goes with the process."""
    return Path(_folder().name)


def file(name: str, data: bytes) -> Path:
    """A file in it that holds ``data`` now."""
    path = folder() / name
    path.write_bytes(data)
    return path
