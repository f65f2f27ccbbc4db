"""The clients that requests are timed with: one file each, one line in `CLIENTS`.

A client is built once per worker from `Settings` and then asked to `send`; it never raises for
what a server or a network does, it replies.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from bench.clients.loggers import hush
from bench.errors import PlanError
from bench.key import Key, sealed
from bench.model import Connection, Endpoint, Reply, Request
from bench.wire.connect import Family
from bench.wire.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Settings:
    """What every client of a run has in common."""

    context: ssl.SSLContext
    key: Key | None
    timeout_s: float
    http2: bool = False
    family: Family = "any"
    proxy: Proxy | None = None
    stamps: bool = True
    ca: Path | None = None


class Client(Protocol):
    """Sends one request at a time. Not safe for several threads, save for `interrupt`.

    Its ``send`` is `bench.key.sealed`: whatever ends it early shows no key.
    """

    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """One request, one reply, whatever happens."""

    def interrupt(self) -> None:
        """End the request in flight, from any thread; it replies ``cancelled``."""

    def close(self) -> None:
        """Close every connection."""


CLIENTS: Mapping[str, str] = {
    "httpx": "bench.clients.http:HttpClient",
    "xai-sdk": "bench.clients.xai_sdk:XaiSdkClient",
    "openai": "bench.clients.openai_sdk:OpenAiClient",
    "curl": "bench.clients.curl:CurlClient",
    "openai-js": "bench.clients.openai_js:OpenAiJsClient",
}


@sealed
def make_client(name: str, settings: Settings) -> Client:
    """A client by its name in `CLIENTS`. Raises PlanError for a name that is not there."""
    if name not in CLIENTS:
        raise PlanError(f"clients: there is no client {name!r}; there is {', '.join(CLIENTS)}")
    module, _, attribute = CLIENTS[name].partition(":")
    make: Callable[[Settings], Client] = getattr(import_module(module), attribute)
    client = make(settings)
    hush()  # only now: importing an SDK may have asked its loggers to speak
    return client
