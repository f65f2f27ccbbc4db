"""Profiles: what is shipped loads, what is wrong is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import FleetError
from bench.simulator import PROFILES, names, reading

GOOD = (names.FOLDER / "typical.toml").read_text()


def load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    reading.load(path)


WORLDS = [name for name in PROFILES if name != "steady"]


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_has_the_regions_and_models_of_the_document(name: str) -> None:
    profile = reading.load(name)
    assert [r.name for r in profile.regions] == ["us-east-1", "us-west-2", "eu-west-1", "us"]
    assert [m.id for m in profile.models] == ["grok-4.3", "grok-4.5", "grok-4"]
    assert "grok-4" not in profile.region("eu-west-1").models
    assert profile.about.endswith(".")


def test_the_profiles_that_the_issue_names_are_shipped() -> None:
    """And one that is no world but a yardstick, for the doctor."""
    assert set(WORLDS) == {"typical", "spillover", "outage", "drift", "harsh", "near-tie"}
    assert "steady" in PROFILES


def test_a_regions_table_is_merged_over_the_defaults() -> None:
    region = reading.load("typical").region("us-west-2")
    assert region.service.ttft_ms == 66.0
    assert region.service.tail_share == 0.03
    assert region.background_load.share == 0.1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("edge_rtt_ms", "edge_rtt", r"edge_rtt is not a setting; did you mean 'edge_rtt_ms'"),
        ("edge_rtt_ms = 8.0", "", "edge_rtt_ms is missing; add it"),
        ("edge_rtt_ms = 8.0", 'edge_rtt_ms = "8"', "edge_rtt_ms must be a number, not '8'"),
        ("edge_rtt_ms = 8.0", "edge_rtt_ms = -1", "edge_rtt_ms is -1.0; it must be 0 or more"),
        ("rtt_ms = 62.0", "rtt_ms = true", r"regions\[1\].rtt_ms must be a number"),
        ("sigma = 0.18", "sigma = -1.0", r"regions\[0\].service: sigma is -1.0"),
        ("capacity = 64", "capacity = 6.4", r"regions\[0\].capacity must be a whole number"),
        ('name = "us-west-2"', 'name = "us-east-1"', "regions names us-east-1 twice"),
        ('name = "us-west-2"', 'name = "global"', "no region can be called"),
        ('id = "grok-4.5"', 'id = "grok-9"', "names 'grok-4.5', which is not defined"),
        ("share = 0.2,", "share = 2.0,", "share is 2.0; it must be between 0 and 1"),
        ("[defaults]", "[defaults", "profile mine.toml"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_remedy(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in GOOD
    with pytest.raises(FleetError, match=says):
        load(tmp_path, GOOD.replace(old, new, 1))


def test_an_unknown_profile_is_answered_with_the_list() -> None:
    with pytest.raises(FleetError, match=r"no profile 'typicl'; take one of .*typical"):
        reading.load("typicl")


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "192.0.2.1:443", "[::]:0", "10.0.0.{n}:443"])
def test_only_loopback_addresses_are_taken(bind: str) -> None:
    with pytest.raises(FleetError, match="is not loopback"):
        names.addresses(bind, 3)


@pytest.mark.parametrize("bind", ["localhost", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
def test_a_pattern_that_is_no_address_is_named(bind: str) -> None:
    with pytest.raises(FleetError, match="bind"):
        names.addresses(bind, 1)


def test_a_pattern_gives_each_endpoint_its_own_address() -> None:
    assert names.addresses("127.0.0.{n}:443", 2) == (("127.0.0.1", 443), ("127.0.0.2", 443))
    with pytest.raises(FleetError, match="two endpoints one address"):
        names.addresses("127.0.0.1:443", 2)
