"""For watches in tests: a network that can be broken, a clock that runs faster, scrapes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

from bench.simulator import Fleet
from bench.wire.clock import Clock, Moment

State = Literal["well", "refuses", "hole"]
"""well: passes all on. refuses: connections are refused, open ones reset. hole: swallows all."""


class Link:
    """One endpoint's way to its server; `state` changes for old connections and new ones."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: str) -> None:
        self._loop = loop
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallows = False
        self.port = 0
        self.set("well")

    def set(self, state: State) -> None:
        """Returns when it is so."""
        asyncio.run_coroutine_threadsafe(self._set(state), self._loop).result(10)

    async def _set(self, state: State) -> None:
        self._swallows = state == "hole"
        if state == "refuses" and self._server is not None:
            self._server.close()
            self._server = None
        if state != "hole":
            for writer in tuple(self._writers):
                writer.transport.abort()
        if state != "refuses" and self._server is None:
            self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(*self._target)
            both = {writer, back}
            self._writers |= both
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            self._writers -= both

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(2**16):
                if not self._swallows:
                    writer.write(data)
                    await writer.drain()
        writer.close()


@contextmanager
def network(fleet: Fleet, folder: Path) -> Iterator[tuple[Path, dict[str, Link]]]:
    """A catalogue that leads to the fleet over links, and the links by endpoint."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    links = {e.name: Link(loop, str(e.connect)) for e in fleet.endpoints}
    text = fleet.catalogue.read_text("utf-8")
    for endpoint in fleet.endpoints:
        text = text.replace(f'"{endpoint.connect}"', f'"127.0.0.1:{links[endpoint.name].port}"')
    shutil.copy(fleet.ca, folder)
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(text)
    try:
        yield catalogue, links
    finally:
        for link in links.values():
            link.set("refuses")
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class FastClock(Clock):
    """``speed`` seconds in one; it can also sleep, and be set, without anybody waiting."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._base = super().now()
        self.slept_ns = 0
        self.set_ns = 0

    def now(self) -> Moment:
        """See `Clock`."""
        passed_ns = round((super().now().awake_ns - self._base.awake_ns) * self._speed)
        awake_ns = self._base.awake_ns + passed_ns
        elapsed_ns = self._base.elapsed_ns + passed_ns + self.slept_ns
        utc_ns = self._base.utc_ns + passed_ns + self.slept_ns + self.set_ns
        return replace(self._base, awake_ns=awake_ns, elapsed_ns=elapsed_ns, utc_ns=utc_ns)

    def wait_until(self, awake_ns: int, stop: threading.Event) -> None:
        """See `Clock`."""
        stop.wait(max(0, awake_ns - self.now().awake_ns) / 1e9 / self._speed)


Series = tuple[str, tuple[tuple[str, str], ...]]


def parsed(text: str) -> dict[Series, float]:
    """(name, sorted labels) → value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(url: str, timeout_s: float = 10.0) -> dict[Series, float]:
    """What ``/metrics`` says now."""
    with urllib.request.urlopen(url, timeout=timeout_s) as response:  # noqa: S310  # loopback
        return parsed(response.read().decode())


def value(found: dict[Series, float], name: str, **labels: str) -> float | None:
    """Of one series."""
    return found.get((f"regionbench_{name}", tuple(sorted(labels.items()))))
