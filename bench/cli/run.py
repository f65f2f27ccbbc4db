"""``regionbench run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli.measuring import measure_and_tell
from bench.cli.options import (
    batch_options,
    catalogue_options,
    place_options,
    plan_from,
    plan_options,
    where_from,
)
from bench.cli.touring import scheduler_options, take_scheduler, tour_and_tell
from bench.errors import UsageError
from bench.resuming import read_rest


@click.command()
@click.argument("plan", required=False, type=click.Path(path_type=Path))
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Finish a run that was killed, interrupted or stopped: the same schedule, the rest of it.",
)
@click.option(
    "--report/--no-report",
    default=True,
    show_default=True,
    help="Draw report.html at the end; `regionbench report RUN` does it later.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@plan_options
@batch_options
@place_options
@scheduler_options
def run(plan: Path | None, resume: Path | None, report: bool, as_json: bool, **given: Any) -> int:
    """Measure identical requests against the global and every regional endpoint.

    PLAN is a TOML file (`regionbench init` writes one); options win over it. The key comes from the
    environment variable that the catalogue names (XAI_API_KEY), or from --key-file.

    With --scheduler every worker of a Dask cluster measures the same plan, round by round together:
    a run folder for each, all of one batch. Limits are totals over all of them.
    """
    where = where_from(given)
    scheduler, tls, insecure = take_scheduler(given)
    if scheduler is not None:
        if resume is not None:
            raise UsageError("--resume goes on here, on one machine; leave --scheduler out")
        return tour_and_tell(
            *(plan_from(plan, given), where, scheduler, tls),
            insecure=insecure,
            as_json=as_json,
        )
    if resume is not None:
        asked = plan is not None or any(value not in (None, ()) for value in given.values())
        rest = read_rest(resume, plan_from(plan, given) if asked else None)
        return measure_and_tell(rest.plan, where, report=report, as_json=as_json, rest=rest)
    return measure_and_tell(plan_from(plan, given), where, report=report, as_json=as_json)
