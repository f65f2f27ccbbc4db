"""Three real workers in network namespaces, each with another nearest region, a real scheduler, the
command itself: is the best region of each place found, and what does a killed worker cost?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.lab.inside import call_inside, no_namespace, require
from tests.lab.places import PLACES

ROUNDS = 10


@pytest.fixture(scope="module")
def tours() -> Any:
    """Both tours, of one cluster."""
    require(no_namespace())
    return call_inside("tests.lab.places:tours", 280, rounds=ROUNDS)


def test_the_best_region_of_each_place_is_found(tours: Any) -> None:
    """They are equally fast; the ways differ, and so do the answers."""
    whole = tours["whole"]
    assert whole["code"] == 0, whole["told"]
    said = {v["vantage"]: v["answer"] for v in whole["document"]["vantages"]}
    assert set(said) == set(PLACES)
    for place, region in PLACES.items():
        assert said[place]["state"] == "faster"
        assert said[place]["sentence"].startswith(f"{region} is faster")


def test_every_request_arrives_once_and_has_its_row(tours: Any) -> None:
    """By the fleet's own count."""
    whole = tours["whole"]
    assert len(whole["rows"]) == len(PLACES) * 3 * (ROUNDS + 1)
    assert sorted(row["request_id"] for row in whole["rows"]) == sorted(whole["asked"])


def test_the_order_is_the_same_everywhere(tours: Any) -> None:
    """It is drawn from the plan's seed."""
    orders = [
        [row["endpoint"] for row in tours["whole"]["rows"] if row["vantage"] == place]
        for place in PLACES
    ]
    assert orders[0] == orders[1] == orders[2]


def test_a_killed_worker_costs_its_own_unfinished_requests_alone(tours: Any) -> None:
    """The others complete, its rows are kept, its loss is told; nothing was sent twice: at most one
    request arrived that has no row."""
    killed = tours["killed"]
    rows = Counter(row["vantage"] for row in killed["rows"])
    status = {v["vantage"]: (v["status"], v["reason"]) for v in killed["document"]["vantages"]}
    assert rows["here"] == rows["there"] == 3 * (ROUNDS + 1)
    assert status["here"] == status["there"] == ("complete", None)
    assert 0 < rows["yonder"] < 3 * (ROUNDS + 1)
    assert status["yonder"][0] == "stopped"
    assert "the vantage was lost" in status["yonder"][1]
    assert "yonder: the vantage was lost" in killed["told"]
    kept = [row["request_id"] for row in killed["rows"]]
    assert len(set(killed["asked"])) == len(killed["asked"]) <= len(kept) + 1
    assert set(kept) <= set(killed["asked"])
