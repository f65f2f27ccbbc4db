"""``regionbench demo``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.measuring import measure_and_tell
from bench.cli.shell import tell
from bench.plan import make_plan
from bench.prepare import Where


@click.command()
@click.option("--profile", default="typical", show_default=True, help="Fleet profile.")
@click.option("--rounds", default=40, show_default=True, help="Each asks every endpoint once.")
@click.option(
    "--seed", default=1, show_default=True, help="Draws orders and the fleet's behaviour."
)
@click.option(
    "--stream/--no-stream", default=True, show_default=True, help="Chat as a stream or not."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that run folders go into.",
)
def demo(profile: str, rounds: int, seed: int, stream: bool, as_json: bool, results: Path) -> int:
    """See it work: starts a local fleet, measures it, writes a report. Needs no key, sends nothing
    beyond this machine."""
    tell(f"Starting a local fleet (profile {profile}): simulated regions on this machine.")
    plan = make_plan(
        catalogue="fleet",
        rounds=rounds,
        seed=seed,
        stream=stream,
        connections=("warm", "cold"),
        timeout_s=30.0,
    )
    where = Where(results=results, profile=profile, vantage="here", calibrate=True)
    return measure_and_tell(plan, where, as_json=as_json)
