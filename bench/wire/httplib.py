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


def holds_more(pool: httpcore.ConnectionPool) -> bool:
    """Whether bytes of HTTP/1.1 are left beyond an answer's end. httpcore would take them for the
    answer to what is asked next, and says nowhere that it has them."""
    within = (getattr(outer, "_connection", None) for outer in pool.connections)
    states = (getattr(connection, "_h11_state", None) for connection in within)
    return any(state is not None and state.trailing_data[0] for state in states)


__all__ = ["NAME", "check_heads", "holds_more", "httpcore", "httpx"]
