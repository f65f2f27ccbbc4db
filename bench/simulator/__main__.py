"""The fleet's own process: ``python -m bench.simulator <settings as JSON>``, started by `Fleet`.

Says on stdout, in one JSON line, that it is ready; ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.errors import FleetError
from bench.model import Endpoint
from bench.simulator import catalogue_file, grpc_shapes, line, names, reading, tls
from bench.simulator.app import App
from bench.simulator.fleet import CA, CATALOGUE, STOP, Settings
from bench.simulator.server import Server
from bench.simulator.truth import Truth
from bench.simulator.world import Place, World

_PARENT_CHECK_S = 1.0


def _endpoint(place: Place, hosts: names.Hosts, address: tuple[str, int]) -> Endpoint:
    region = place.region
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    return Endpoint(
        name=place.name,
        url=f"https://{names.host(place.name, hosts)}",
        region=region.name if region else None,
        connect=f"{shown}:{address[1]}",
        latitude=region.latitude if region else None,
        longitude=region.longitude if region else None,
        evidence="simulated",
    )


def _certified(places: tuple[Place, ...], addresses: tuple[tuple[str, int], ...]) -> set[str]:
    hosts = {names.host(place.name, kind) for place in places for kind in names.HOSTS}
    return hosts | {address[0] for address in addresses} | {"localhost", "127.0.0.1"}


async def _open(settings: Settings, world: World) -> tuple[Server, tuple[Endpoint, ...]]:
    places = world.places()
    addresses = names.addresses(settings.bind, len(places))
    context = tls.server_context(_certified(places, addresses), Path(settings.folder) / CA)
    server = Server(context, world.profile.edge_rtt_ms / 2000)
    words = grpc_shapes.load()
    found = [
        await server.listen(App(world, place, words), address)
        for place, address in zip(places, addresses, strict=True)
    ]
    ends = tuple(_endpoint(p, settings.hosts, a) for p, a in zip(places, found, strict=True))
    return server, ends


async def _serve(settings: Settings) -> bool:
    """Serves until told to stop; True if the parent said so, False if it is gone."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[bool] = loop.create_future()
    _watch(loop, end)
    folder, key = Path(settings.folder), f"fleet-{secrets.token_hex(16)}"
    fleet, truth = reading.load(settings.profile), Truth(folder)
    world = World(
        fleet, seed=settings.seed, key=key, domain=names.DOMAINS[settings.hosts], truth=truth,
        now=loop.time,
    )  # fmt: skip
    server, endpoints = await _open(settings, world)
    written = catalogue_file.Catalogue(key, endpoints, fleet.models)
    catalogue_file.write(folder / CATALOGUE, written)
    with suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")  # Linux only
    gc.collect()
    gc.freeze()  # pauses of later collections do not walk what stays anyway
    _say({"key": key, "endpoints": [asdict(endpoint) for endpoint in endpoints]})
    told = await end
    await server.close()
    truth.close()
    return told


def _watch(loop: asyncio.AbstractEventLoop, end: asyncio.Future[bool]) -> None:
    """Resolves ``end`` when stdin ends, on SIGTERM, or when the parent is another."""
    parent, heard = os.getppid(), bytearray()

    def finish(told: bool) -> None:
        if not end.done():
            end.set_result(told)

    def listen() -> None:
        data = os.read(sys.stdin.fileno(), 64)
        heard.extend(data)
        if not data or STOP in heard:
            finish(STOP in heard)

    def check() -> None:
        # A copy of the pipe in some fork of the parent would keep stdin open.
        if os.getppid() != parent:
            finish(False)
        loop.call_later(_PARENT_CHECK_S, check)

    loop.add_reader(sys.stdin.fileno(), listen)
    loop.add_signal_handler(signal.SIGTERM, finish, False)
    check()


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs the fleet; the exit status of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    settings = Settings(**json.loads(sys.argv[1]))
    told = False
    try:
        with asyncio.Runner(loop_factory=line.exact_loop) as runner:
            told = runner.run(_serve(settings))
    except FleetError as error:
        _say({"error": str(error)})
        return error.exit_code
    finally:
        if not told:
            with suppress(OSError):
                shutil.rmtree(settings.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
