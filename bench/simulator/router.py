"""The global router as pure functions: which region serves a request.

Nearest first as seen from the vantage (round-trip time); when that region is short of capacity,
the others by geographic distance from it. A regional endpoint never asks the router.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.simulator.profile import Region

_EARTH_KM = 6371.0


def distance_km(a: Region, b: Region) -> float:
    """Great-circle distance (haversine) between two regions."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.longitude - a.longitude) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def preference(regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions in the order in which the router tries them."""
    if not regions:
        return ()
    nearest = min(regions, key=lambda region: (region.rtt_ms, region.name))
    others = [region for region in regions if region is not nearest]
    others.sort(key=lambda region: (distance_km(nearest, region), region.name))
    return (nearest, *others)


def route(
    regions: Sequence[Region], occupied: Mapping[str, int | None], model: str, headroom: float
) -> Region | None:
    """The region that takes a request for ``model``, or None when all are short (503).

    ``occupied`` maps region names to slots in use, None for a region that is gone. A region is
    taken only while more than ``headroom`` of its capacity is free; when no region has that much
    left, the first with any free slot.
    """
    able = [region for region in preference(regions) if model in region.models]
    for spare in (headroom, 0.0):
        for region in able:
            used = occupied[region.name]
            if used is not None and used < region.capacity * (1.0 - spare):
                return region
    return None
