"""Words of the command line and of plans: arms, objectives, proxies, durations, tags."""

from __future__ import annotations

from bench.arms import parse_arm
from bench.errors import RegionbenchError
from bench.objective import parse_objective
from bench.plan import make_plan
from bench.units import parse_duration_ns
from bench.wire.proxy import find_proxy
from tests.fuzz.promises import sentence
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """Each is understood, or one sentence says why not; a proxy's says nothing of the proxy."""
    text = data.decode("utf-8", "surrogateescape")
    for place, read in (("--arm", _arm), ("objective", parse_objective), ("--proxy", find_proxy)):
        try:
            read(text)
        except RegionbenchError as error:
            sentence(error, place)
    try:
        assert parse_duration_ns(text) >= 0
    except ValueError as error:
        sentence(error, "duration")


def _arm(text: str) -> None:
    name, values = parse_arm(text)
    try:
        make_plan(arms={name: values, "other": {}})
    except RegionbenchError as error:
        sentence(error, "arms")


TARGET = Target(
    "each word is understood or refused in one sentence",
    check,
    (b"ttft.p95 <= 800ms", b"failure_rate < 1%", b"us-east-1:", b"short=", b"model:", b",")
    + (
        b"prompt-file:",
        b"http://",
        b"@",
        b"[::1]",
        b":80",
        b"1.5",
        b"ms",
        b"NaN",
        b"9" * 400,
        b"[[",
    )
    + ("١µs".encode(), b"\xff", b"\n", b"\x00", b"%", b"1e999", b"temperature:", b"null"),
    max_bytes=2000,
)
