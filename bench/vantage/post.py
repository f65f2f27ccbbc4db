"""A vantage's own side: one session in the memory of a Dask worker, asked by `talk`.

The worker prepares for itself, with the key of its own environment, and runs the ordinary loop.
Two things are the driver's: how far it may go, and when a row is on the disk. Nothing else is sent
before that, so a driver that is gone stops a vantage at once. No request is a Dask task: there is
nothing that a scheduler could retry, steal or move.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import threading
from importlib.metadata import version
from typing import Any

from bench.errors import UsageError
from bench.vantage import names
from bench.vantage.hush import hush
from bench.vantage.session import Session
from bench.vantage.speech import HELLO, ORDER, SAID, WORD, Hello, Order, Said, Word, hear, speak
from bench.wire.clock import Clock

BORN = secrets.token_hex(8)
"""Names this process: one that was restarted is another, and knows nothing of its sessions."""

_sessions: dict[str, Session] = {}
_opening = threading.Lock()


def greet() -> str:
    """Who this worker is, as a `Hello`; nothing is begun."""
    environ = os.environ
    return speak(
        HELLO,
        Hello(
            regionbench=version("regionbench"),
            born=BORN,
            host=platform.node(),
            name=environ.get(names.NAME_VARIABLE),
            labels=environ.get(names.LABELS_VARIABLE),
            place=environ.get(names.PLACE_VARIABLE),
        ),
    )


def tell_time() -> str:
    """This machine's clock, in nanoseconds since the epoch, at once."""
    return str(Clock().now().utc_ns)


def open_session(order: str, dask_worker: Any = None) -> str:
    """Begin a session; to be told the same order again changes nothing. A `Said`."""
    told: Order = hear(ORDER, order)
    hush(dask_worker)
    with _opening:
        if told.session not in _sessions:
            if told.born != BORN:
                return _refuse("its worker was started again meanwhile")
            if any(not session.over for session in _sessions.values()):
                return _refuse("it measures for somebody else now; wait for that to end")
            _sessions.clear()
            _sessions[told.session] = Session(told)
        return speak(SAID, Said("preparing"))


async def talk(word: str) -> str:
    """Take a `Word`; a `Said` as soon as there is news, or after a moment without any."""
    heard: Word = hear(WORD, word)
    session = _sessions.get(heard.session)
    if session is None:
        return _refuse("its worker was started again, and knows nothing of this run")
    return speak(SAID, await asyncio.to_thread(session.hear, heard))


def _refuse(why: str) -> str:
    return speak(SAID, Said("over", failed=(UsageError.exit_code, why)))
