"""``regionbench vantages``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli.options import catalogue_options
from bench.cli.shell import print_json, say, tell
from bench.cli.touring import describe_vantage, scheduler_options, take_scheduler
from bench.errors import OK, UNMEASURABLE, UsageError
from bench.plan import make_plan
from bench.prepare import Where
from bench.vantage import Crew, connected, dismiss, muster


@click.command()
@click.option(
    "--write-tls", type=click.Path(path_type=Path), metavar="DIR",
    help="Make a private authority with keys for scheduler, workers and client, and end.",
)  # fmt: skip
@click.option(
    "--host", "hosts", multiple=True, help="With --write-tls: a name or address. Several times."
)
@click.option(
    "--write-recipes", type=click.Path(path_type=Path), metavar="DIR",
    help="Write recipes (one machine, SSH, container, Kubernetes), and end.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@scheduler_options
def vantages(
    write_tls: Path | None, write_recipes: Path | None, hosts: tuple[str, ...],
    as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Who would measure: the workers of a Dask cluster, each prepared; no model is asked.

    Each worker names itself by its own environment: REGIONBENCH_VANTAGE=paris,
    REGIONBENCH_PLACE="Paris, FR", REGIONBENCH_LABELS=cloud=a,net=fibre.
    `regionbench run --scheduler` measures.
    """
    if write_tls is not None or write_recipes is not None:
        return _write(write_tls, hosts, write_recipes)
    scheduler, tls, insecure = take_scheduler(given)
    if scheduler is None:
        raise UsageError("name the cluster with --scheduler tls://HOST:PORT")
    asked = {name: value for name, value in given.items() if value is not None}
    with connected(scheduler, tls, insecure=insecure) as cluster:
        crew = muster(cluster, make_plan(asked), Where())
        dismiss(cluster, [(v.worker, v.session) for v in crew.vantages])
    if as_json:
        print_json({
            "schema_version": 1,
            "vantages": [{"name": v.name, **dict(v.run.tour or {})} for v in crew.vantages],
            "left_out": [{"name": name, "why": why} for name, why in crew.left_out],
        })  # fmt: skip
    else:
        _say(crew)
    return UNMEASURABLE if crew.left_out else OK


def _say(crew: Crew) -> None:
    for vantage in crew.vantages:
        names = ", ".join(endpoint.name for endpoint in vantage.prepared.endpoints)
        say(f"{vantage.name}: {describe_vantage(vantage)}; can measure {names}")
    for name, why in crew.left_out:
        say(f"{name}: left out: {why}")


def _write(write_tls: Path | None, hosts: tuple[str, ...], recipes: Path | None) -> int:
    from bench.vantage.certificates import write_certificates
    from bench.vantage.kit import write_recipes

    paths = [] if write_tls is None else write_certificates(write_tls, hosts)
    paths += [] if recipes is None else write_recipes(recipes)
    for path in paths:
        say(str(path))
    if write_tls is not None:
        tell("Whoever holds one of these keys can run programs on every worker: keep them close.")
    return OK
