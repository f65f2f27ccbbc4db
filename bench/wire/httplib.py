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


def check_heads() -> None:
    """Have HTTP/2 heads checked: httpcore by itself takes one without a status for a 200.

    It does so out of kindness to servers with odd headers, for the whole process at once.
    """
    from h2.config import H2Configuration

    httpcore.HTTP2Connection.CONFIG = H2Configuration(validate_inbound_headers=True)


__all__ = ["NAME", "check_heads", "httpcore", "httpx"]
