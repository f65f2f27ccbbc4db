"""The global router: nearest first, then by distance, only where the model and room are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.simulator import reading, router
from bench.simulator.profile import Region, Service

Regions = list[Region]


def _region(number: int, latitude: float, longitude: float, rtt: float, has: bool) -> Region:
    models = ("m", "n") if has else ("n",)
    return Region(f"r{number}", latitude, longitude, rtt, Service(50.0), models, capacity=10)


_parts = st.tuples(
    st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 300), st.booleans()
)  # fmt: skip
regions = st.lists(_parts, min_size=1, max_size=6).map(
    lambda rows: [_region(n, *row) for n, row in enumerate(rows)]
)
occupancy = st.lists(st.none() | st.integers(0, 15), min_size=6, max_size=6)


def occupied(world: Regions, used: list[int | None]) -> dict[str, int | None]:
    return {region.name: used[n] for n, region in enumerate(world)}


@given(regions, occupancy, st.floats(0, 0.9))
def test_a_request_goes_only_where_the_model_and_a_slot_are(
    world: Regions, used: list[int | None], headroom: float
) -> None:
    taken = occupied(world, used)
    chosen = router.route(world, taken, "m", headroom)
    free = [r for r in world if "m" in r.models and (taken[r.name] or 0) < 10]
    free = [r for r in free if taken[r.name] is not None]
    assert (chosen is None) == (not free)
    if chosen is not None:
        assert chosen in free


@given(regions, st.floats(0, 0.9))
def test_with_room_everywhere_the_nearest_region_serves(world: Regions, headroom: float) -> None:
    chosen = router.route(world, {region.name: 0 for region in world}, "n", headroom)
    assert chosen is not None
    assert chosen.rtt_ms == min(region.rtt_ms for region in world)


@given(regions)
def test_the_others_follow_by_distance_from_the_nearest(world: Regions) -> None:
    order = router.preference(world)
    assert sorted(r.name for r in order) == sorted(r.name for r in world)
    far = [router.distance_km(order[0], region) for region in order[1:]]
    assert far == sorted(far)


@given(regions, occupancy, st.floats(0, 0.9))
def test_the_order_in_which_regions_are_listed_does_not_matter(
    world: Regions, used: list[int | None], headroom: float
) -> None:
    taken = occupied(world, used)
    assert router.route(world, taken, "m", headroom) == router.route(
        world[::-1], taken, "m", headroom
    )


@given(regions, occupancy)
def test_more_load_never_wins_a_region_a_request(world: Regions, used: list[int | None]) -> None:
    taken = occupied(world, used)
    before = router.route(world, taken, "m", 0.1)
    for region in world:
        more = taken | {region.name: 10}
        if before is not region:
            assert router.route(world, more, "m", 0.1) == before


def test_distances_are_those_of_the_globe() -> None:
    profile = reading.load("typical")
    east, west, ireland = (profile.region(n) for n in ("us-east-1", "us-west-2", "eu-west-1"))
    assert 3300 < router.distance_km(east, west) < 3700
    assert 5300 < router.distance_km(east, ireland) < 5700
    assert router.distance_km(east, east) == 0


def test_spilling_follows_the_globe_and_not_the_round_trip_time() -> None:
    """Once the nearest is short, a closer region wins over one with a shorter way to the user."""
    world = [
        _region(0, 0.0, 0.0, 1.0, True),
        _region(1, 0.0, 10.0, 90.0, True),
        _region(2, 0.0, 80.0, 20.0, True),
    ]
    chosen = router.route(world, {"r0": 10, "r1": 0, "r2": 0}, "m", 0.1)
    assert chosen is world[1]


def test_headroom_is_given_up_before_a_request_is_refused() -> None:
    world = [_region(0, 0.0, 0.0, 1.0, True), _region(1, 0.0, 10.0, 2.0, True)]
    assert router.route(world, {"r0": 9, "r1": 9}, "m", 0.5) is world[0]
    assert router.route(world, {"r0": 9, "r1": 4}, "m", 0.5) is world[1]
    assert router.route(world, {"r0": 10, "r1": None}, "m", 0.5) is None


def test_no_regions_no_route() -> None:
    assert router.route([], {}, "m", 0.0) is None
