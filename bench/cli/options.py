"""Options that several commands share, and how they become a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.arms import parse_arm
from bench.errors import PlanError
from bench.model import CONNECTIONS, KINDS, Plan
from bench.plan import make_plan, read_plan, read_prompt, with_prompts
from bench.prepare import Where
from bench.units import NS_PER_S, parse_duration_ns

_F = TypeVar("_F", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """``250ms``, ``1.5s``: seconds as a float."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; fails with the accepted forms."""
        try:
            return parse_duration_ns(str(value)) / NS_PER_S
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(name.strip() for name in value.split(",") if name.strip())


def machine_options(command: _F) -> _F:
    """What of this machine takes part in a measurement, and what it may spend."""
    for option in (
        click.option(
            "--yes", is_flag=True, help="Agree to what the run should cost, without being asked."
        ),
        click.option(
            "--max-duration",
            "max_duration_s",
            type=Duration(),
            help="Stop the measuring after so long: 10m.",
        ),
        click.option(
            "--max-requests", type=int, help="Stop before more requests are sent, warm-ups too."
        ),
        click.option(
            "--max-usd", type=float, help="Stop before more is spent, by the catalogue's prices."
        ),
        click.option(
            "--calibrate/--no-calibrate",
            default=True,
            show_default=True,
            help="First measure this machine's own lateness, on a local fleet.",
        ),
        click.option(
            "--resolve",
            multiple=True,
            metavar="HOST:ADDRESS",
            help="Use this address for that host. May be given again.",
        ),
        click.option(
            "--proxy", help="http://host:port, or env for the environment's. Default: none."
        ),
        click.option(
            "--ip",
            "family",
            type=click.Choice(["4", "6", "any"]),
            default="any",
            show_default=True,
            help="IP family; any races both.",
        ),
        click.option("--vantage", help="Name of the place measured from; default: the host name."),
        click.option("--cacert", "ca", type=click.Path(path_type=Path), help="CA file to believe."),
        click.option(
            "--key-file", type=click.Path(path_type=Path), help="File with the API key, mode 0600."
        ),
        click.option(
            "--profile",
            default="typical",
            show_default=True,
            help="Fleet profile: name or TOML file.",
        ),
    ):
        command = option(command)
    return command


def place_options(command: _F) -> _F:
    """Where results go, and what of this machine takes part."""
    return machine_options(results_option(command))


def results_option(command: _F) -> _F:
    """Where run folders go."""
    option = click.option(
        "--results",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        help="Folder that run folders go into.",
    )
    return option(command)


def catalogue_options(command: _F) -> _F:
    """Whom to ask."""
    for option in (
        click.option(
            "--endpoints", callback=_names, help="Names, with commas between; default: all."
        ),
        click.option(
            "--catalogue", help="xai, fleet (local, simulated), or a TOML file. Default: xai."
        ),
    ):
        command = option(command)
    return command


def plan_options(command: _F) -> _F:
    """Everything a plan can say that is worth an option; the rest is for a plan file."""
    for option in (
        click.option("--timeout", "timeout_s", type=Duration(), help="For a whole request: 30s."),
        click.option("--concurrency", type=int, help="Requests in flight at once."),
        click.option(
            "--pause", "pause_ms", type=Duration(), help="Closed loop: wait between requests."
        ),
        click.option(
            "--rate", type=float, help="Open loop: requests per second over all endpoints."
        ),
        click.option("--seed", type=int, help="Draws the order of requests."),
        click.option(
            "--warmup", "warmup_rounds", type=int, help="Rounds in front that do not count."
        ),
        click.option("--rounds", type=int, help="Each asks every endpoint once."),
        click.option("--http2/--http1", "http2", default=None, help="HTTP version to offer."),
        click.option(
            "--stream/--no-stream", "stream", default=None, help="Chat as a stream or not."
        ),
        click.option("--client", "clients", callback=_names, help="Clients to time with."),
        click.option(
            "--connection",
            "connections",
            callback=_names,
            help=f"{', '.join(CONNECTIONS)}, or both with a comma.",
        ),
        click.option("--kind", "kinds", callback=_names, help=f"Of {', '.join(KINDS)}."),
        click.option("--prompt-file", type=click.Path(path_type=Path), help="Ask this instead."),
        click.option("--model", help="Default auto: one that every endpoint lists."),
    ):
        command = option(command)
    return command


def batch_options(command: _F) -> _F:
    """What a run is besides its requests: variants, and the name of its batch."""
    for option in (
        click.option("--batch", help="Runs of one batch are one run to the gate, in sittings."),
        click.option(
            "--arm",
            "arms",
            multiple=True,
            metavar="NAME=KEY:VALUE[,...]",
            help="A variant to compare, asked in the same rounds; give two or more. KEY is model,"
            " prompt-file, or a parameter of the request.",
        ),
    ):
        command = option(command)
    return command


def plan_from(file: Path | None, given: dict[str, Any]) -> Plan:
    """The plan file (or the defaults) with whatever options were given on top."""
    values = {name: value for name, value in given.items() if value is not None}
    if (prompt := values.pop("prompt_file", None)) is not None:
        values["messages"] = read_prompt(prompt)
    if "pause_ms" in values:
        values["pause_ms"] *= 1000
    if (words := values.pop("arms", ())) != ():
        values["arms"] = _arms(words)
    return make_plan(values) if file is None else read_plan(file, **values)


def _arms(words: tuple[str, ...]) -> Any:
    arms = [parse_arm(word) for word in words]
    if len(dict(arms)) != len(arms):
        raise PlanError(f"--arm {words[-1]}: two arms of one name; give each its own")
    return with_prompts({"arms": dict(arms)}, Path())["arms"]


def where_from(given: dict[str, Any]) -> Where:
    """Take the options of `place_options` out of ``given``."""
    names = tuple(field.name for field in fields(Where))
    return Where(**{name: given.pop(name) for name in names})
