"""``regionbench simulate``."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import click

from bench.cli.shell import print_json, tell
from bench.simulator import Fleet

_LOOK_S = 0.5


@click.command()
@click.option(
    "--profile", default="typical", show_default=True, help="A shipped profile or TOML file."
)
@click.option(
    "--seed", default=1, show_default=True, help="Makes the fleet's behaviour repeatable."
)
@click.option(
    "--hosts",
    type=click.Choice(["test", "xai"]),
    default="test",
    show_default=True,
    help="Answer as *.fleet.test, or under the service's own names.",
)
@click.option("--bind", help="Loopback addresses, such as 127.0.0.{n}:443; default: free ports.")
@click.option("--seconds", type=float, help="Stop after so long; default: until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Addresses as one JSON document on stdout.")
def simulate(
    profile: str, seed: int, hosts: str, bind: str | None, seconds: float | None, as_json: bool
) -> None:
    """Run the local fleet in the foreground, for your own clients; Ctrl-C stops it."""
    over = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        over.set()

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, on_signal)
    with Fleet.start(profile=profile, seed=seed, hosts=hosts, bind=bind) as fleet:  # type: ignore[arg-type]  # click checked it
        if as_json:
            print_json(_document(fleet))
        else:
            print(_words(fleet), flush=True)
        _wait(fleet, over, seconds)
    tell("The fleet has stopped.")


def _wait(fleet: Fleet, over: threading.Event, seconds: float | None) -> None:
    left = float("inf") if seconds is None else seconds
    while left > 0 and not over.wait(min(_LOOK_S, left)):
        fleet.check()
        left -= _LOOK_S


def _document(fleet: Fleet) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "catalogue": str(fleet.catalogue),
        "ca": str(fleet.ca),
        "key": fleet.key,
        "endpoints": [
            {"name": e.name, "url": e.url, "connect": e.connect} for e in fleet.endpoints
        ],
    }


def _words(fleet: Fleet) -> str:
    width = max(len(endpoint.url) for endpoint in fleet.endpoints)
    lines = ["Local fleet (simulated). Endpoints:"]
    lines += [f"  {e.url:<{width}}  at {e.connect}" for e in fleet.endpoints]
    first = fleet.endpoints[0]
    host = urlsplit(first.url).hostname
    return "\n".join(
        [
            *lines,
            "",
            "Measure it:",
            f"  regionbench run --catalogue {fleet.catalogue}",
            "",
            "For other clients, paste:",
            f"  export XAI_API_KEY={fleet.key}",
            f"  export SSL_CERT_FILE={fleet.ca}",
            f"  export CURL_CA_BUNDLE={fleet.ca}",
            f"  export NODE_EXTRA_CA_CERTS={fleet.ca}",
            f"  export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH={fleet.ca}",
            "",
            "For example:",
            f"  curl --connect-to {host}:443:{first.connect} {first.url}/v1/models \\",
            '    -H "Authorization: Bearer $XAI_API_KEY"',
            "",
            "Ctrl-C stops it.",
        ]
    )
