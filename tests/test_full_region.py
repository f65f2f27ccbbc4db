"""us-east-1 without capacity: what the document promises of both kinds of endpoint, seen by every
client that the document shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.catalogue import load_catalogue
from bench.clients import CLIENTS, Settings, make_client
from bench.key import find_key
from bench.plan import make_plan
from bench.request import build_request, nonce
from bench.simulator import Fleet
from bench.simulator.names import FOLDER
from bench.wire.trust import trust
from tests.node import VARIABLE, require_node_modules
from tests.programs import require_program

FULL = "us-east-1"
REQUESTS = 4


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A calm fleet, us-east-1 with no slot and no queue."""
    text = (FOLDER / "near-tie.toml").read_text("utf-8")
    region = f'name = "{FULL}"\n'
    assert region in text
    profile = tmp_path_factory.mktemp("full") / "full.toml"
    profile.write_text(text.replace(region, region + "capacity = 0\nqueue = { limit = 0 }\n", 1))
    with Fleet.start(profile=profile) as fleet:
        yield fleet


@pytest.mark.parametrize("name", CLIENTS)
def test_the_regional_endpoint_fails_and_the_global_one_spills(
    name: str, full: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`capacity` rows, one request each and not 1.4 s of hidden retries; global keeps answering,
    from the next nearest region, as the fleet's own log proves."""
    if name == "curl":
        require_program("curl")
    if name == "openai-js":
        monkeypatch.setenv(VARIABLE, str(require_node_modules()))
    catalogue = load_catalogue(str(full.catalogue))
    settings = Settings(trust(full.ca), find_key(catalogue.provider), timeout_s=10.0, ca=full.ca)
    client = make_client(name, settings)
    before = len(full.truth())
    outcomes: dict[str, list[str]] = {}
    try:
        for number in range(REQUESTS):
            request = build_request(
                "chat",
                make_plan(),
                api="/v1",
                model="grok-4.3",
                parameters={"reasoning_effort": "none"},
                nonce=nonce(name, number),
            )
            for endpoint in catalogue.choose(("global", FULL)):
                reply = client.send(endpoint, request, "warm")
                outcomes.setdefault(endpoint.name, []).append(reply.outcome)
    finally:
        client.close()
    assert outcomes == {"global": ["ok"] * REQUESTS, FULL: ["capacity"] * REQUESTS}
    deeds = full.truth()[before:]
    assert Counter(deed["endpoint"] for deed in deeds) == {"global": REQUESTS, FULL: REQUESTS}
    served = {deed["region"] for deed in deeds if deed["endpoint"] == "global"}
    assert served == {"us-west-2"}
    assert {deed["region"] for deed in deeds if deed["endpoint"] == FULL} <= {None, FULL}
