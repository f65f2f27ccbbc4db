"""Everything that can be checked before a request is paid for: who is asked, how, with what."""

from __future__ import annotations

import ipaddress
import math
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.arms import variants
from bench.budget import Limits
from bench.catalogue import Catalogue, load_catalogue
from bench.clients import Settings, make_client
from bench.errors import UsageError
from bench.key import find_key
from bench.model import ASKING, Check, Endpoint, Plan, Trial
from bench.preflight import AUTO, check_endpoints, choose_model, measurable
from bench.price import expected_tokens, expected_usd, worst_usd
from bench.schedule import scheduled
from bench.shield import shield
from bench.store import try_results
from bench.wire.connect import Family
from bench.wire.proxy import environment_proxy, find_proxy
from bench.wire.trust import trust

FLEET = "fleet"
"""The catalogue name that starts a local fleet of its own for the time of the run."""


@dataclass(frozen=True, slots=True)
class Where:
    """Things of this machine that a measurement needs and a plan does not say.

    ``max_usd``, ``max_requests`` and ``max_duration_s`` are hard stops of the measuring.
    """

    results: Path = Path("results")
    key_file: Path | None = None
    ca: Path | None = None
    vantage: str | None = None
    profile: str = "typical"
    family: Family = "any"
    proxy: str | None = None
    resolve: tuple[str, ...] = ()
    calibrate: bool = False
    max_usd: float | None = None
    max_requests: int | None = None
    max_duration_s: float | None = None
    yes: bool = False

    @property
    def limits(self) -> Limits:
        """What counts requests; the duration is the clock's."""
        return Limits(self.max_usd, self.max_requests)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that can run: who was asked for, who can be measured, with which models.

    ``models`` is arm → model; its one key is None without arms.
    """

    plan: Plan
    catalogue: Catalogue
    asked: tuple[Endpoint, ...]
    endpoints: tuple[Endpoint, ...]
    checks: tuple[Check, ...]
    models: Mapping[str | None, str | None]
    settings: Settings
    vantage: str

    @property
    def model(self) -> str | None:
        """The model that every request asks for; None when arms differ in it, or none is asked."""
        different = set(self.models.values())
        return different.pop() if len(different) == 1 else None

    @property
    def scheduled(self) -> int:
        """How many requests the plan sends."""
        return scheduled(self.plan, [endpoint.name for endpoint in self.endpoints])

    @property
    def dropped(self) -> tuple[Check, ...]:
        """Endpoints that the preflight found could not be measured."""
        return tuple(check for check in self.checks if check.outcome != "ok")

    def estimated_usd(self) -> float | None:
        """What the run should cost at most; None when a price is not known, 0 without chat."""
        asking = [kind for kind in self.plan.kinds if kind in ASKING]
        if not asking:
            return 0.0
        prices = [
            expected_usd(self.catalogue, endpoint.name, self.models[arm], asked)
            for arm, asked in variants(self.plan).items()
            for endpoint in self.endpoints
        ]
        if any(price is None for price in prices):
            return None
        share = len(asking) / len(self.plan.kinds) / len(prices)
        return self.scheduled * share * sum(price or 0.0 for price in prices)

    def expected_tokens(self) -> tuple[int, int]:
        """Tokens of prompt, about, and of answer, at most, of all requests together."""
        each = [
            expected_tokens(asked, entry.parameters if entry else {})
            for arm, asked in variants(self.plan).items()
            for entry in (self.catalogue.model(self.models[arm]),)
        ]
        asking = sum(kind in ASKING for kind in self.plan.kinds)
        requests = self.scheduled * asking / len(self.plan.kinds) / len(each)
        prompt, answer = (round(requests * sum(side)) for side in zip(*each, strict=True))
        return prompt, answer

    def worst_usd(self, trial: Trial) -> float:
        """The most that a request should cost; 0 where no price is known or no model is asked."""
        if trial.kind not in ASKING:
            return 0.0
        plan = variants(self.plan)[trial.arm]
        model = self.models[trial.arm]
        return worst_usd(self.catalogue, trial.endpoint, model, plan) or 0.0


@contextmanager
def open_catalogue(plan: Plan, where: Where) -> Iterator[Catalogue]:
    """The plan's catalogue; for ``fleet`` a local fleet runs until the context ends.

    Raises CatalogueError or FleetError.
    """
    if plan.catalogue != FLEET:
        yield load_catalogue(plan.catalogue)
        return
    from bench.simulator import Fleet

    with Fleet.start(profile=where.profile, seed=plan.seed) as fleet:
        yield load_catalogue(str(fleet.catalogue))


def settings_for(plan: Plan, catalogue: Catalogue, where: Where) -> Settings:
    """What the clients have in common. Raises KeyMissing or UsageError.

    With a real key, this process is shielded from now on: see `bench.shield`.
    """
    context = trust(where.ca or catalogue.provider.ca)
    needs_key = set(plan.kinds) != {"edge"}
    key = find_key(catalogue.provider, where.key_file) if needs_key else None
    if key is not None and not catalogue.provider.simulated:
        shield()
    return Settings(
        context=context,
        key=key,
        timeout_s=plan.timeout_s,
        http2=plan.http2,
        family=where.family,
        proxy=find_proxy(where.proxy),
        ca=where.ca or catalogue.provider.ca,
    )


def pinned(
    endpoints: tuple[Endpoint, ...], where: Where, settings: Settings
) -> tuple[Endpoint, ...]:
    """The endpoints with ``--resolve host:address`` applied.

    Raises UsageError for a host that no endpoint has, or where a proxy does the looking up.
    """
    hosts = {urlsplit(endpoint.url).hostname for endpoint in endpoints}
    pins = {}
    for entry in where.resolve:
        host, _, address = entry.partition(":")
        if host not in hosts or not address:
            known = ", ".join(sorted(map(str, hosts)))
            raise UsageError(f"--resolve {entry}: write HOST:ADDRESS; hosts: {known}")
        pins[host] = _literal(address, entry)
    fixed = tuple(_pin(endpoint, pins) for endpoint in endpoints)
    names = [endpoint.name for endpoint in fixed if endpoint.connect]
    if settings.proxy and names:
        raise UsageError(
            f"{', '.join(names)}: pinned to an address, but a proxy looks names up itself"
        )
    return fixed


def _pin(endpoint: Endpoint, pins: Mapping[str, str]) -> Endpoint:
    parts = urlsplit(endpoint.url)
    address = pins.get(parts.hostname or "")
    return replace(endpoint, connect=f"{address}:{parts.port or 443}") if address else endpoint


def _literal(address: str, entry: str) -> str:
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        raise UsageError(f"--resolve {entry}: {address} is not an IP address") from None
    return f"[{found}]" if found.version == 6 else str(found)


def prepare(plan: Plan, catalogue: Catalogue, where: Where, *, insist: bool = False) -> Prepared:
    """Check everything that can be checked before a request is paid for.

    ``insist`` keeps endpoints that did not answer, so that their failures become rows.
    Raises UsageError for what is wrong with the plan, the key or a name; NothingMeasured when no
    endpoint answers.
    """
    try_results(where.results)
    named = [asks.model for asks in variants(plan).values() if asks.model != AUTO]
    _check_limits(where, catalogue, named if set(plan.kinds) & set(ASKING) else [])
    settings = settings_for(plan, catalogue, where)
    for client in plan.clients:
        make_client(client, settings).close()  # a missing SDK is said now, not in mid-run
    asked = pinned(catalogue.choose(plan.endpoints), where, settings)
    checks = check_endpoints(asked, settings, catalogue.provider.api)
    endpoints = asked if insist else measurable(asked, checks)
    models = {arm: choose_model(asks, catalogue, checks) for arm, asks in variants(plan).items()}
    checks = tuple(_without_models(check, models.values()) for check in checks)
    _check_limits(where, catalogue, models.values())
    return Prepared(
        plan=plan,
        catalogue=catalogue,
        asked=asked,
        endpoints=asked if insist else measurable(endpoints, checks),
        checks=checks,
        models=models,
        settings=settings,
        vantage=where.vantage or platform.node() or "here",
    )


def _check_limits(where: Where, catalogue: Catalogue, models: Iterable[str | None]) -> None:
    """Limits that can be kept. Raises UsageError."""
    for name in ("max_usd", "max_requests", "max_duration_s"):
        value = getattr(where, name)
        if value is not None and not 0 < value < math.inf:
            option = name.removesuffix("_s").replace("_", "-")
            raise UsageError(f"--{option} {value:g}: write a number above 0, or leave it out")
    if where.max_usd is None:
        return
    for model in models:
        entry = catalogue.model(model)
        if model is not None and (entry is None or entry.usd_per_million is None):
            raise UsageError(
                f"--max-usd: the price of {model} does not stand in the catalogue"
                f" {catalogue.source}, so the limit could not be kept; add usd_per_million to its"
                " entry, name another --model, or use --max-requests"
            )


def _without_models(check: Check, models: Iterable[str | None]) -> Check:
    """A region that lists its models without one of these cannot be measured with it."""
    if check.outcome != "ok" or not check.models:
        return check
    missing = sorted({model for model in models if model} - set(check.models))
    if not missing:
        return check
    return replace(check, outcome="model_missing", detail=f"does not list {', '.join(missing)}")


def proxy_words(settings: Settings) -> str | None:
    """What is to be said of proxies: the one in use, or one that is set and not used."""
    if settings.proxy is not None:
        return f"used: {settings.proxy.url}"
    found = environment_proxy()
    return f"{found[0]} is set and not used" if found else None
