"""A network namespace whose ways to this one are relays, each of its own known delay.

    python -m tests.lab.crossing '{"out": {"4430": 40.0, "8786": 0}, "back": [9001]}'

Runs inside `tests.lab.inside`. Its main thread moves to a new namespace, where ports of ``out`` are
the same ports here, so many ms away there and back; ports of ``back`` are reached the other way.
Start a program in it with ``nsenter --net=/proc/<pid>/ns/net``.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from tests.lab.inside import LIFETIME_S, interface_up

_CLONE_NEWNET, _PR_SET_PDEATHSIG = 0x40000000, 1
_CHUNK = 65536
Maker = Callable[[int], socket.socket]


def _listen(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    """What is read now is written ``delay_s`` later, in order."""
    loop = asyncio.get_running_loop()
    held: deque[bytes] = deque()

    def hand_over() -> None:
        data = held.popleft()
        if writer.is_closing():
            return
        if data:
            writer.write(data)
        elif writer.can_write_eof():
            writer.write_eof()

    while True:
        try:
            data = await reader.read(_CHUNK)
        except OSError:
            data = b""
        held.append(data)
        loop.call_later(delay_s, hand_over)
        if not data:
            return


async def _relay(
    port: int, rtt_ms: float, listening: socket.socket, dial: Maker, at: Executor
) -> None:
    loop = asyncio.get_running_loop()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await loop.run_in_executor(at, dial, port)
        except OSError:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=far)
        delay_s = rtt_ms / 2000
        await asyncio.gather(
            _carry(reader, far_writer, delay_s), _carry(far_reader, writer, delay_s)
        )
        await asyncio.sleep(delay_s + 0.01)
        writer.close()
        far_writer.close()

    await asyncio.start_server(accept, sock=listening)


async def _run(out: dict[str, float], back: list[int], home: Executor, away: Executor) -> None:
    loop = asyncio.get_running_loop()
    for port, rtt_ms in out.items():
        listening = await loop.run_in_executor(away, _listen, int(port))
        await _relay(int(port), rtt_ms, listening, _connect, home)
    for number in back:
        listening = await loop.run_in_executor(home, _listen, number)
        await _relay(number, 0.0, listening, _connect, away)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.alarm(LIFETIME_S)
    gc.disable()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    """Sockets belong to the namespace of the thread that made them, wherever they are used."""
    told = json.loads(sys.argv[1])
    with ThreadPoolExecutor(1) as home, ThreadPoolExecutor(1) as away:
        home.submit(os.getpid).result()
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot make a namespace")
        interface_up("lo")
        away.submit(os.getpid).result()
        asyncio.run(_run(told["out"], told["back"], home, away))


if __name__ == "__main__":
    main()
