"""Names of the shipped profiles, and host names and addresses of a fleet's endpoints."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from bench.errors import FleetError

FOLDER = Path(__file__).parent / "profiles"
PROFILES: tuple[str, ...] = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
"""The profiles that are shipped, by name."""

Hosts = Literal["test", "xai"]
HOSTS: tuple[Hosts, ...] = ("test", "xai")
DOMAINS = {"test": "fleet.test", "xai": "x.ai"}


def host(endpoint: str, hosts: Hosts) -> str:
    """``us-east-1.fleet.test``, or, as the service's own, ``us-east-1.api.x.ai``."""
    if hosts == "test":
        return f"{endpoint}.fleet.test"
    return "api.x.ai" if endpoint == "global" else f"{endpoint}.api.x.ai"


def addresses(bind: str | None, count: int) -> tuple[tuple[str, int], ...]:
    """Where the endpoints listen: the pattern ``bind`` with ``{n}`` counting from 1, such as
    ``127.0.0.{n}:443``; by default free ports of 127.0.0.1.

    Raises FleetError for anything that is not a loopback address and a port.
    """
    if bind is None:
        return (("127.0.0.1", 0),) * count
    found = tuple(_address(bind, n) for n in range(1, count + 1))
    fixed = [address for address in found if address[1]]
    if len(set(fixed)) < len(fixed):
        raise FleetError(f"bind {bind!r} gives two endpoints one address; put {{n}} into it")
    return found


def _address(bind: str, n: int) -> tuple[str, int]:
    remedy = "write for example 127.0.0.{n}:443"
    text, _, port = bind.replace("{n}", str(n)).rpartition(":")
    try:
        address = ipaddress.ip_address(text.strip("[]"))
        number = int(port)
    except ValueError:
        raise FleetError(f"bind {bind!r} is not an address and a port; {remedy}") from None
    if not address.is_loopback:
        raise FleetError(f"bind {bind!r} is not loopback, and a fleet binds nothing else; {remedy}")
    if not 0 <= number <= 65535:
        raise FleetError(f"bind {bind!r} has port {number}; a port is between 0 and 65535")
    return str(address), number
