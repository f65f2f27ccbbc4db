"""How to measure the same once more: the command, and the plan that it reads, ready to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

from bench.words import clean

FILE = "plan.toml"
_ANY_IP = "any"


def command(run: Mapping[str, Any], *options: str) -> str:
    """The command line that runs the plan of a ``run.json`` again, with ``options`` on top.

    A run of a watch is watched again, in its rhythm.
    """
    rhythm = (run.get("watch") or {}).get("every_s")
    what = ["run", FILE] if rhythm is None else ["watch", FILE, "--every", f"{rhythm:g}s"]
    return shlex.join(["regionbench", *what, *options, *_place(run)])


def _place(run: Mapping[str, Any]) -> Iterator[str]:
    """What a plan does not say: the fleet's profile, the vantage, how sockets were opened."""
    platform = run.get("platform") or {}
    if profile := platform.get("profile"):
        yield from ("--profile", clean(profile))
    if vantage := run.get("vantage"):
        yield from ("--vantage", clean(vantage))
    if str(proxy := platform.get("proxy") or "").startswith("used: "):
        yield from ("--proxy", clean(proxy).removeprefix("used: "))
    if (family := platform.get("ip") or _ANY_IP) != _ANY_IP:
        yield from ("--ip", clean(family))
    if not run.get("simulated"):
        yield from _pins(run)


def _pins(run: Mapping[str, Any]) -> Iterator[str]:
    for endpoint in run.get("endpoints") or ():
        if address := endpoint.get("connect"):
            host = str(endpoint["url"]).split("//")[-1].split("/")[0].split(":")[0]
            yield from ("--resolve", clean(f"{host}:{str(address).rpartition(':')[0]}"))


def plan_toml(run: Mapping[str, Any]) -> str | None:
    """The plan of a ``run.json`` as TOML that `bench.plan.read_plan` takes for the same plan.

    None where the run has no plan: its rows came from elsewhere.
    """
    if not (plan := run.get("plan")):
        return None
    told = {name: value for name, value in _told(plan).items() if value != {}}
    return tomli_w.dumps(told)


def _told(value: Any) -> Any:
    """Without what is None, which TOML does not have: it is what an absent key means."""
    if isinstance(value, Mapping):
        return {str(key): _told(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_told(item) for item in value if item is not None]
    return value
