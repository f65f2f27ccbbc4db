"""The one place that decides which httpx is measured with.

``httpx`` is the default. ``REGIONBENCH_HTTPX=httpx2`` takes its maintained continuation, which has
the same interface; the client's contract tests run on both.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

NAME = os.environ.get("REGIONBENCH_HTTPX", "httpx")

if TYPE_CHECKING:
    import httpcore
    import httpx
else:
    if NAME not in ("httpx", "httpx2"):
        raise ImportError(f"REGIONBENCH_HTTPX={NAME!r}: write httpx or httpx2")
    httpx = importlib.import_module(NAME)
    httpcore = importlib.import_module(NAME.replace("httpx", "httpcore"))

__all__ = ["NAME", "httpcore", "httpx"]
