"""Profiles of the fleet from TOML: `bench.simulator.reading`, `bench.simulator.profile`."""

from __future__ import annotations

from bench.errors import FleetError
from bench.simulator.reading import load
from tests.fuzz import place
from tests.fuzz.promises import sentence
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """A fleet, or a sentence."""
    file = place.file("own.toml", data)
    try:
        profile = load(file)
    except FleetError as error:
        sentence(error, file.name)
        return
    assert profile.routed
    assert all(profile.region(region.name) is region for region in profile.regions)


TARGET = Target(
    "a fleet that routes somewhere, or one FleetError",
    check,
    (b"[[regions]]\n", b"[[models]]\n", b"[defaults]\n", b"[router]\n", b"[limits]\n")
    + (b"[regions.service]\n", b"[[regions.outages]]\n", b"[regions.drift]\n", b'about = "a"\n')
    + (
        b"edge_rtt_ms = 1\n",
        b'name = "a"\n',
        b"latitude = 1\n",
        b"longitude = 1\n",
        b"rtt_ms = 1\n",
    )
    + (b"service = { ttft_ms = 1 }\n", b'models = ["m"]\n', b'id = "m"\n', b"created = 1\n")
    + (b"usd_per_million = { input = 1, cached_input = 1, output = 1 }\n", b'fingerprint = "f"\n')
    + (b"capacity = ", b"nan", b"inf", b"9" * 30, b"0x" + b"f" * 300, b"true", b"[[[[", b"1e400"),
)
