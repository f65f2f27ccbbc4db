"""All that the endpoints of a fleet share: its clock, slots, caches, limits, chance, truth log."""

from __future__ import annotations

import hmac
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from uuid import UUID

from bench.simulator import router, service
from bench.simulator.asked import Asked
from bench.simulator.profile import Model, Profile, Region
from bench.simulator.quota import Quota
from bench.simulator.slots import Slots
from bench.simulator.truth import Truth

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint as the fleet sees it. ``region`` is None for the one that routes."""

    name: str
    region: Region | None


class World:
    """The fleet's state. ``now`` is a monotonic clock in seconds, the event loop's."""

    def __init__(
        self, profile: Profile, *, seed: int, key: str, domain: str, truth: Truth,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self.profile = profile
        self.seed = seed
        self.key = key
        self.domain = domain
        self.truth = truth
        self.now = now
        self._started = now()
        self.slots = {r.name: Slots(r, seed, self.now_s) for r in profile.regions}
        self._quotas = {m.id: Quota(profile.limits) for m in profile.models}
        self._served: Counter[str] = Counter()
        self._arrived = 0
        self._prompts: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def now_s(self) -> float:
        """Seconds since the fleet's start."""
        return self.now() - self._started

    def places(self) -> tuple[Place, ...]:
        """The endpoints, the global one first."""
        return (Place("global", None), *(Place(r.name, r) for r in self.profile.regions))

    def next_request(self) -> tuple[UUID, Random]:
        """An identity for a new request, and the chance for its decorations."""
        self._arrived += 1
        chance = Random(f"{self.seed}/request/{self._arrived}")
        return UUID(int=chance.getrandbits(128), version=4), chance

    def knows(self, key: bytes) -> bool:
        """Whether this is the fleet's key."""
        return hmac.compare_digest(key, self.key.encode())

    def models_at(self, place: Place) -> tuple[Model, ...]:
        """What an endpoint lists; the global one lists what any of its regions serves."""
        regions = self.profile.routed if place.region is None else (place.region,)
        served = {name for region in regions for name in region.models}
        return tuple(model for model in self.profile.models if model.id in served)

    def home(self, place: Place, model: str | None = None) -> Region:
        """The region that an endpoint tries first, for ``model`` if one is given."""
        if place.region is not None:
            return place.region
        order = router.preference(self.profile.routed)
        return next((r for r in order if model is None or model in r.models), order[0])

    def route(self, place: Place, model: str) -> Region | None:
        """The region for a request now; None when the global endpoint finds all short."""
        if place.region is not None:
            return place.region
        occupied = {name: slots.occupied() for name, slots in self.slots.items()}
        headroom = self.profile.router.headroom
        return router.route(self.profile.routed, occupied, model, headroom)

    def draw(self, region: Region, tokens: int, cached: bool) -> service.Draw:
        """What the next request at a region meets."""
        count = self._served[region.name]
        self._served[region.name] += 1
        return service.draw(
            region, seed=self.seed, count=count, tokens=tokens, cached=cached, t_s=self.now_s()
        )

    def remember(self, region: Region, asked: Asked) -> bool:
        """Whether the region's prompt cache has the prompt; afterwards it has."""
        key = (region.name, asked.model, asked.prompt)
        hit = key in self._prompts
        self._prompts[key] = None
        self._prompts.move_to_end(key)
        if len(self._prompts) > _REMEMBERED:
            self._prompts.popitem(last=False)
        return hit

    def quota(self, model: Model | None) -> Quota:
        """The use of a model's limits; without a model, an unused one."""
        return self._quotas[model.id] if model else Quota(self.profile.limits)
