"""pytest's options → the plan that a session measures by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.catalogue import load_catalogue
from bench.errors import PlanError
from bench.model import GLOBAL, Plan
from bench.plan import make_plan, read_plan
from bench.prepare import FLEET, Where, settings_for
from bench.units import NS_PER_S, parse_duration_ns

if TYPE_CHECKING:
    import pytest

_DEFAULTS = {"catalogue": FLEET, "kinds": ("chat", "edge"), "rounds": 30}
_LISTS = ("endpoints", "kinds", "connections")


def plan_of(config: pytest.Config) -> Plan:
    """The plan file, if one is named, else the plugin's defaults; options on top.

    Raises PlanError naming the option.
    """
    given = {name: _parsed(name, _option(config, name)) for name in (*_LISTS, "catalogue", "model")}
    given["rounds"] = _parsed("rounds", _option(config, "rounds"))
    given["timeout_s"] = _parsed("timeout", _option(config, "timeout"))
    known = {name: value for name, value in given.items() if value is not None}
    file = _option(config, "plan")
    return make_plan({**_DEFAULTS, **known}) if file is None else read_plan(Path(file), **known)


def where_of(config: pytest.Config) -> Where:
    """What of this machine takes part."""
    vantage, profile = _option(config, "vantage"), _option(config, "profile")
    return Where(vantage=vantage) if profile is None else Where(vantage=vantage, profile=profile)


def endpoint_names(plan: Plan, where: Where) -> tuple[str, ...]:
    """Whom the plan asks, before anything is started. Raises CatalogueError or FleetError."""
    if plan.catalogue != FLEET:
        chosen = load_catalogue(plan.catalogue).choose(plan.endpoints)
        return tuple(endpoint.name for endpoint in chosen)
    from bench.simulator.reading import load

    names = (GLOBAL, *(region.name for region in load(where.profile).regions))
    for name in plan.endpoints:
        if name not in names:
            raise PlanError(f"no endpoint {name!r} in the fleet; it has {', '.join(names)}")
    return plan.endpoints or names


def check(config: pytest.Config) -> None:
    """Everything that can be known before a test runs. Raises UsageError or FleetError."""
    plan, where = plan_of(config), where_of(config)
    endpoint_names(plan, where)
    if plan.catalogue != FLEET and not config.option.collectonly:
        settings_for(plan, load_catalogue(plan.catalogue), where)


def _option(config: pytest.Config, name: str) -> str | None:
    value: str | None = config.getoption(f"regionbench_{name}")
    return value


def _parsed(name: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        if name == "rounds":
            return int(text)
        if name == "timeout":
            return parse_duration_ns(text) / NS_PER_S
    except ValueError as error:
        remedy = "write a whole number" if name == "rounds" else str(error)
        raise PlanError(f"--regionbench-{name} {text}: {remedy}") from None
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
