"""The sentence is cautious: it claims what the rows carry, in at most 30 words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bench.frame import tidy
from bench.stats import Answer, answer, summarise
from tests.synthetic import MEDIANS_MS, rows, run

NAMES = ("global", *MEDIANS_MS)


def _answer(table: list[dict[str, Any]], names: tuple[str, ...] = NAMES) -> Answer:
    return answer(summarise(tidy(table, [run(names)])))


def test_a_region_that_leads_all_is_named() -> None:
    """With the size of its lead over global, the interval and n."""
    found = _answer(rows(200))
    assert found.state == "faster"
    assert found.endpoints == ("eu-west-1",)
    assert found.sentence.startswith("eu-west-1 is faster than global by ")
    assert "n = 200" in found.sentence


def test_global_that_leads_all_makes_regions_slower() -> None:
    """The state is about the regions."""
    names = ("global", "b")
    found = _answer(rows(200, names, medians_ms={"a": 100.0, "b": 300.0}), names)
    assert (found.state, found.endpoints) == ("slower", ("global",))


def test_equals_are_not_told_apart() -> None:
    """Both are named, and who is behind them."""
    names = ("us-east-1", "eu-west-1", "us-west-2")
    medians = {"us-east-1": 200.0, "eu-west-1": 200.0, "us-west-2": 400.0}
    found = _answer(rows(60, names, medians_ms=medians), names)
    assert found.state == "no clear difference"
    assert set(found.endpoints) == {"us-east-1", "eu-west-1"}
    assert "slower: us-west-2" in found.sentence


def test_a_lead_too_small_to_matter_is_none() -> None:
    """Sure, and 2 %: no clear difference."""
    names = ("us-east-1", "eu-west-1")
    medians = {"us-east-1": 204.0, "eu-west-1": 200.0}
    found = _answer(rows(400, names, medians_ms=medians, sigma=0.01, tail=0), names)
    assert found.state == "no clear difference"


@pytest.mark.parametrize("fail", [0.15, 0.3, 0.6])
def test_a_failing_endpoint_is_never_called_fast(fail: float) -> None:
    """However quick its answers are."""
    medians = MEDIANS_MS | {"eu-west-1": 20.0}
    found = _answer(rows(150, medians_ms=medians, fail={"eu-west-1": fail}))
    assert "eu-west-1" not in found.endpoints
    assert "eu-west-1" in found.failing
    assert "failing: eu-west-1" in found.sentence


_TOO_LITTLE: Mapping[str, list[dict[str, Any]]] = {
    "nothing": [],
    "one row": rows(1)[4:5],
    "three rounds": rows(3),
    "all failed": rows(30, fail=dict.fromkeys(NAMES, 1.0)),
    "one endpoint": rows(30, ["global"]),
}


@pytest.mark.parametrize("name", _TOO_LITTLE)
def test_too_little_is_said_to_be_too_little(name: str) -> None:
    """No ranking from nothing."""
    found = _answer(_TOO_LITTLE[name])
    assert found.state == "not enough data"
    assert found.endpoints == ()


@pytest.mark.parametrize("seed", range(12))
def test_at_most_thirty_words(seed: int) -> None:
    """In every state, with seven endpoints of which some fail."""
    names = ("global", *(f"region-{i}" for i in range(6)))
    medians = {name: 100.0 + 25 * (i if seed % 2 else i // 3) for i, name in enumerate(names[1:])}
    fail = dict.fromkeys(names[1:3], 0.1 * (seed % 4))
    found = _answer(rows(20 + 15 * seed, names, seed=seed, medians_ms=medians, fail=fail), names)
    assert len(found.sentence.split()) <= 30, found.sentence
    assert found.sentence.endswith(".")


def test_equal_endpoints_are_rarely_told_apart() -> None:
    """At most 1 in 20 runs of four equal endpoints names a leader (here: of 20 runs, at most 3)."""
    names = ("a", "b", "c", "d")
    medians = dict.fromkeys(names, 200.0)
    states = [_answer(rows(30, names, seed=s, medians_ms=medians), names).state for s in range(20)]
    assert states.count("faster") <= 3
