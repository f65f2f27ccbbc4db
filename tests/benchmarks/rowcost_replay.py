"""Says again what a fleet said once, for next to nothing: a server that leaves the cores alone.

    python -m tests.benchmarks.rowcost_replay FOLDER ENDPOINT ...

FOLDER holds the two recorded answers. TLS of its own, HTTP/1.1, a port for each endpoint; it
prints them as JSON, and serves until its input ends. The fleet's process keeps one core busy at
200 requests a second: it spins before each of its moments, so as to be exact.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.simulator import Fleet
from bench.simulator.tls import server_context
from tests.benchmarks.turns import ROOT

THINK_S = 0.02
TOKEN_S = 0.001
MODELS, STREAM = "models.json", "stream.txt"
_CATALOGUE, _CA = "catalogue.toml", "ca.pem"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "
_CHUNKED = _HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WHOLE = _HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%s"


@contextmanager
def replay(fleet: Fleet, folder: Path, asked: dict[str, object]) -> Iterator[Path]:
    """Asks ``fleet`` once, and serves what it said; yields a catalogue like the fleet's.

    ``folder`` must be there and empty; ``asked`` is the body of the streamed chat request.
    """
    _record(fleet, folder, asked)
    names = [endpoint.name for endpoint in fleet.endpoints]
    command = [sys.executable, "-m", "tests.benchmarks.rowcost_replay", str(folder), *names]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as own:
        assert own.stdout is not None
        addresses = json.loads(own.stdout.readline())
        text = fleet.catalogue.read_text(encoding="utf-8")
        for endpoint in fleet.endpoints:
            text = text.replace(f'"{endpoint.connect}"', f'"{addresses[endpoint.name]}"')
        (folder / _CATALOGUE).write_text(text, encoding="utf-8")
        yield folder / _CATALOGUE
        own.communicate(timeout=10)


def _record(fleet: Fleet, folder: Path, asked: dict[str, object]) -> None:
    endpoint = fleet.endpoints[0]
    headers = {"authorization": f"Bearer {fleet.key}", "host": httpx.URL(endpoint.url).host}
    trust = httpx.create_ssl_context(str(fleet.ca))
    trust.check_hostname = False  # the address is asked, by number
    base = f"https://{endpoint.connect}/v1"
    with httpx.Client(verify=trust, headers=headers) as client:
        models = client.get(f"{base}/models").raise_for_status()
        stream = client.post(f"{base}/chat/completions", json=asked).raise_for_status()
    (folder / MODELS).write_bytes(models.content)
    (folder / STREAM).write_bytes(stream.content)


class _Reader(asyncio.Protocol):
    """One connection: an answer for each request, in its pieces, each at its time."""

    def __init__(self, models: bytes, pieces: tuple[bytes, ...]) -> None:
        self._models = models
        self._pieces = pieces
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < int(length[1] if length else 0):
            return
        self._heard = b""
        if head.startswith(b"GET"):
            self._transport.write(_WHOLE % (len(self._models), self._models))
            return
        asyncio.get_running_loop().call_later(THINK_S, self._say, iter(self._pieces))

    def _say(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is not None and not self._transport.is_closing():
            self._transport.write(piece)
            asyncio.get_running_loop().call_later(TOKEN_S, self._say, pieces)


def _pieces(stream: bytes) -> tuple[bytes, ...]:
    """The head with the first event, then an event each, then the end with the last."""
    events = [event + b"\n\n" for event in stream.split(b"\n\n") if event.strip()]
    chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
    return (_CHUNKED + chunks[0], *chunks[1:-1], chunks[-1] + b"0\r\n\r\n")


async def _serve(folder: Path, names: list[str]) -> None:
    loop = asyncio.get_running_loop()
    context = server_context((f"{name}.fleet.test" for name in names), folder / _CA)
    context.set_alpn_protocols(["http/1.1"])
    models, pieces = (folder / MODELS).read_bytes(), _pieces((folder / STREAM).read_bytes())
    addresses = {}
    for name in names:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by the accepted
        await loop.create_server(lambda: _Reader(models, pieces), sock=sock, ssl=context)
        addresses[name] = f"127.0.0.1:{sock.getsockname()[1]}"
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2:]))
