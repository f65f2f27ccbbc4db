"""Serving: one listening address per endpoint, HTTP/1.1 and HTTP/2 by hypercorn over links."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from bench.errors import FleetError
from bench.simulator.exchange import LINK
from bench.simulator.link import Link

_BACKLOG = 1024
_IDLE_S = 900.0


def config() -> Config:
    """hypercorn as an edge of the service behaves: patient, and silent about itself."""
    settings = Config()
    settings.include_server_header = False  # the app sends the service's own, once
    settings.keep_alive_timeout = _IDLE_S
    settings.keep_alive_max_requests = 2**62
    settings.h2_max_concurrent_streams = 1000
    settings.max_app_queue_size = 64
    return settings


class Server:
    """The HTTP server of a whole fleet, in the running event loop."""

    def __init__(self, context: ssl.SSLContext, one_way_s: float) -> None:
        self._context = context
        self._one_way_s = one_way_s
        self._config = config()
        self._worker = WorkerContext(None)
        self._listening: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, app: Any, address: tuple[str, int]) -> tuple[str, int]:
        """Serves an ASGI app at an address; returns it with the port that was found.

        Raises FleetError when the address cannot be had.
        """
        factory = partial(Link, self._context, self._one_way_s, self._starter(app))
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(factory, *address, family=family, backlog=_BACKLOG)
        except OSError as error:
            raise FleetError(f"cannot listen on {address[0]}:{address[1]}: {error}") from None
        self._listening.append(server)
        name = server.sockets[0].getsockname()
        return name[0], name[1]

    async def close(self) -> None:
        """Stops listening and drops every connection."""
        for server in self._listening:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _starter(self, app: Any) -> Callable[[Link], None]:
        wrapped = ASGIWrapper(app)

        def start(link: Link) -> None:
            task = asyncio.get_running_loop().create_task(self._converse(wrapped, link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return start

    async def _converse(self, app: ASGIWrapper, link: Link) -> None:
        loop = asyncio.get_running_loop()
        state: dict[str, Any] = {LINK: link}
        writer = cast(asyncio.StreamWriter, link)  # it is all that hypercorn uses of one
        await TCPServer(app, loop, self._config, self._worker, state, link.reader, writer).run()
