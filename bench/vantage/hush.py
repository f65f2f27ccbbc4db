"""What a Dask worker does beside a measurement, in the same process, and need not."""

from __future__ import annotations

import logging
from typing import Any

_DISTURBING = ("profile", "profile-cycle")
"""Dask looks at every thread's stack a hundred times a second."""

_SAID_EACH_TIME = "Run out-of-band function"


def hush(worker: Any) -> None:
    """Stop what would take the interpreter from a request under way, and a log line per answer.

    ``worker`` is a ``distributed.Worker``, or None. May be called again.
    """
    callbacks = getattr(worker, "periodic_callbacks", {})
    for name in _DISTURBING:
        if name in callbacks:
            callbacks[name].stop()
    log = logging.getLogger("distributed.worker")
    if _unsaid not in log.filters:
        log.addFilter(_unsaid)


def _unsaid(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SAID_EACH_TIME)
