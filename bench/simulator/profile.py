"""What a fleet is like: regions, models, router and edge, as data read from TOML.

    Profile
    ├── Router     which regions the global endpoint may use, and when it spills
    ├── Limits     the team's rate limits
    ├── Model      name, prices, how it reasons
    └── Region     where it is, how fast (Service, Drift), how full (Load, Queue), broken (Outage)

Times stand in milliseconds (``_ms``) or seconds (``_s``, ``seconds``), counted from the fleet's
start where they are points in time. Shares and rates are between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.words import brief, quoted


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} is {quoted(value)}; it must be greater than 0")


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} is {quoted(value)}; it must be 0 or more")


def _share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {quoted(value)}; it must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class Service:
    """How long the region itself takes: a log-normal body, a Pareto tail, rare stalls."""

    ttft_ms: float
    sigma: float = 0.2
    tail_share: float = 0.0
    tail_shape: float = 2.5
    stall_share: float = 0.0
    stall_seconds: float = 1.0
    token_ms: float = 2.0
    token_sigma: float = 0.1

    def __post_init__(self) -> None:
        _positive(tail_shape=self.tail_shape)
        _not_negative(ttft_ms=self.ttft_ms, sigma=self.sigma, token_ms=self.token_ms)
        _not_negative(stall_seconds=self.stall_seconds, token_sigma=self.token_sigma)
        _share(tail_share=self.tail_share, stall_share=self.stall_share)


@dataclass(frozen=True, slots=True)
class Load:
    """Slots that others occupy: ``calm`` of the capacity, and for a ``share`` of the time (in
    spells of about ``seconds``) a burst between ``low`` and ``high`` of it. Above 1 is overload."""

    calm: float = 0.3
    share: float = 0.0
    low: float = 0.9
    high: float = 1.0
    seconds: float = 2.0

    def __post_init__(self) -> None:
        _not_negative(calm=self.calm, low=self.low, high=self.high)
        _positive(seconds=self.seconds)
        _share(share=self.share)
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high {self.high}; exchange them")


@dataclass(frozen=True, slots=True)
class Queue:
    """How many requests may wait for a slot, and for how long, before 503."""

    limit: int = 0
    seconds: float = 0.3

    def __post_init__(self) -> None:
        _not_negative(limit=self.limit, seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Outage:
    """The region is gone from ``start_s`` for ``seconds``, and again every ``every_s`` if given."""

    start_s: float
    seconds: float
    every_s: float | None = None

    def __post_init__(self) -> None:
        _not_negative(start_s=self.start_s, seconds=self.seconds)
        if self.every_s is not None and self.every_s <= self.seconds:
            raise ValueError(f"every_s is {self.every_s}; it must be longer than seconds")


@dataclass(frozen=True, slots=True)
class Drift:
    """From ``start_s`` on, within ``ramp_s``, the service becomes ``factor`` times as slow."""

    start_s: float
    ramp_s: float
    factor: float

    def __post_init__(self) -> None:
        _not_negative(start_s=self.start_s, ramp_s=self.ramp_s)
        _positive(factor=self.factor)


@dataclass(frozen=True, slots=True)
class Region:
    """One region. ``rtt_ms`` is between the edge and the region, there and back."""

    name: str
    latitude: float
    longitude: float
    rtt_ms: float
    service: Service
    models: tuple[str, ...]
    capacity: int = 64
    background_load: Load = field(default_factory=Load)
    queue: Queue = field(default_factory=Queue)
    cache_factor: float = 0.8
    price_factor: float = 1.0
    failure_rate: float = 0.0
    rate_limited_rate: float = 0.0
    stream_error_rate: float = 0.0
    truncated_rate: float = 0.0
    outages: tuple[Outage, ...] = ()
    drift: Drift | None = None

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90 or not -180 <= self.longitude <= 180:
            raise ValueError("latitude must be between -90 and 90, longitude between -180 and 180")
        _not_negative(rtt_ms=self.rtt_ms, capacity=self.capacity)
        _positive(cache_factor=self.cache_factor, price_factor=self.price_factor)
        rates = [self.failure_rate, self.rate_limited_rate]
        rates += [self.stream_error_rate, self.truncated_rate]
        _share(rate=min(rates), sum_of_all_failure_rates=sum(rates))


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: float
    cached_input: float
    output: float

    def __post_init__(self) -> None:
        _not_negative(input=self.input, cached_input=self.cached_input, output=self.output)


@dataclass(frozen=True, slots=True)
class Model:
    """One model. ``efforts`` are the values of reasoning_effort it takes; none: it takes no such
    parameter and always reasons. ``preamble_tokens`` is what the service adds to every prompt."""

    id: str
    usd_per_million: Price
    created: int
    fingerprint: str
    efforts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    reasoning_tokens: int = 6
    completion_tokens: int = 12
    preamble_tokens: int = 128

    def __post_init__(self) -> None:
        _not_negative(reasoning_tokens=self.reasoning_tokens, preamble=self.preamble_tokens)
        _positive(completion_tokens=self.completion_tokens)


@dataclass(frozen=True, slots=True)
class Router:
    """The global endpoint: the ``regions`` it may use (empty: all), and the share of slots it
    wants free (``headroom``) before it sends a request somewhere."""

    regions: tuple[str, ...] = ()
    headroom: float = 0.1

    def __post_init__(self) -> None:
        _share(headroom=self.headroom)


@dataclass(frozen=True, slots=True)
class Limits:
    """Rate limits per model; beyond them 429 with Retry-After."""

    requests_per_second: int = 10_000
    tokens_per_minute: int = 100_000_000

    def __post_init__(self) -> None:
        _positive(requests_per_second=self.requests_per_second)
        _positive(tokens_per_minute=self.tokens_per_minute)


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole fleet, as seen from one vantage. ``edge_rtt_ms`` is vantage to edge and back."""

    about: str
    edge_rtt_ms: float
    regions: tuple[Region, ...]
    models: tuple[Model, ...]
    edge_overhead_ms: float = 0.0
    colo: str = "IAD"
    router: Router = field(default_factory=Router)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        _not_negative(edge_rtt_ms=self.edge_rtt_ms, edge_overhead_ms=self.edge_overhead_ms)
        if not self.regions or not self.models:
            raise ValueError("a fleet needs at least one [[regions]] and one [[models]]")
        names = [region.name for region in self.regions]
        _unique(names, "regions")
        _unique([model.id for model in self.models], "models")
        if "global" in names:
            raise ValueError('no region can be called "global"; that is the router\'s endpoint')
        _known(self.router.regions, names, "router.regions")
        for region in self.regions:
            _known(region.models, [m.id for m in self.models], f"models of {region.name}")

    @property
    def routed(self) -> tuple[Region, ...]:
        """The regions that the global endpoint may use."""
        chosen = self.router.regions
        return tuple(r for r in self.regions if not chosen or r.name in chosen)

    def region(self, name: str) -> Region:
        """The region called ``name``; KeyError if there is none."""
        return {region.name: region for region in self.regions}[name]

    def model(self, name: str) -> Model | None:
        """The model with this id or alias, or None."""
        return next((m for m in self.models if name == m.id or name in m.aliases), None)


def _unique(names: list[str], what: str) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} names {brief(', '.join(sorted(twice)))} twice; remove one")


def _known(names: tuple[str, ...], known: list[str], what: str) -> None:
    for name in names:
        if name not in known:
            listed = brief(", ".join(known))
            raise ValueError(
                f"{brief(what)} names {quoted(name)}, which is not defined; name one of {listed}"
            )
