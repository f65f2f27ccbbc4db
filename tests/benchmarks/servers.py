"""The stacks among which the fleet's was chosen: one trivial ASGI app, served by each.

python -m tests.benchmarks.servers <name>      prints its port and serves until killed
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.simulator.line import exact_loop
from bench.simulator.tls import server_context

DELAY_S = 0.02
TOKENS = 8


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers after 20 ms."""
    if scope["type"] != "http":
        return
    await asyncio.sleep(DELAY_S)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


async def spinning(scope: Any, receive: Any, send: Any) -> None:
    """The same, sleeping until 2 ms before and then spinning."""
    if scope["type"] != "http":
        return
    end = time.perf_counter() + DELAY_S
    await asyncio.sleep(DELAY_S - 0.002)
    while time.perf_counter() < end:
        await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


def _loop(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "exact":
        return exact_loop
    if name == "uvloop":
        return importlib.import_module("uvloop").new_event_loop  # type: ignore[no-any-return]  # found by name
    return asyncio.new_event_loop


def _hypercorn(loop: str, served: Any) -> None:
    asgi = importlib.import_module("hypercorn.asyncio")
    config = importlib.import_module("hypercorn.config").Config()
    sock = _socket()
    config.bind = [f"fd://{sock.fileno()}"]
    config.errorlog = None
    config.keep_alive_max_requests, config.keep_alive_timeout = 10**9, 600

    async def forever() -> None:
        await asgi.serve(served, config, shutdown_trigger=asyncio.Event().wait)

    with asyncio.Runner(loop_factory=_loop(loop)) as runner:
        runner.run(forever())


def _uvicorn(loop: str, served: Any) -> None:
    uvicorn = importlib.import_module("uvicorn")
    server = uvicorn.Server(
        uvicorn.Config(served, log_level="critical", lifespan="off", timeout_keep_alive=600)
    )
    with asyncio.Runner(loop_factory=_loop(loop)) as runner:
        runner.run(server.serve(sockets=[_socket()]))


def _ideal(_loop: str, _served: Any) -> None:
    """No stack at all: one thread, and the processor all to itself until the very moment."""
    with tempfile.TemporaryDirectory() as folder:
        context = server_context({"localhost"}, Path(folder) / "ca.pem")
    listener = _socket()
    plain, _ = listener.accept()
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_side=True) as sock:
        while sock.recv(65536):
            start = time.perf_counter()
            for token in range(1, TOKENS + 1):
                _spin_until(start + token * DELAY_S)
                sock.sendall(b'"content":' + (b"0\r\n\r\n" if token == TOKENS else b""))


def _spin_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter() - 0.004))
    while time.perf_counter() < moment:
        pass


def _socket() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    return sock


_SERVERS: dict[str, Callable[[str, Any], None]] = {
    "hypercorn": _hypercorn,
    "uvicorn": _uvicorn,
    "ideal": _ideal,
}
_NAMES = [
    "hypercorn asyncio",
    "hypercorn uvloop",
    "hypercorn spinning",
    "hypercorn exact",
    "uvicorn asyncio",
    "uvicorn uvloop",
    "uvicorn exact",
]


def _installed(name: str) -> bool:
    server, loop = name.split()
    return find_spec(server) is not None and (loop != "uvloop" or find_spec("uvloop") is not None)


def present() -> list[str]:
    """The contestants whose libraries are installed."""
    return [name for name in _NAMES if _installed(name)]


def main() -> None:
    """Serves one contestant."""
    server, loop = sys.argv[1].split()
    _SERVERS[server](loop, spinning if loop == "spinning" else app)


if __name__ == "__main__":
    main()
