"""``regionbench endpoints``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.catalogue import Catalogue
from bench.cli.letters import printable
from bench.cli.options import catalogue_options, place_options, where_from
from bench.cli.shell import print_json, tell
from bench.errors import OK, UNMEASURABLE, KeyMissing
from bench.model import Check, Endpoint, Plan
from bench.plan import make_plan
from bench.preflight import check_endpoints
from bench.prepare import Where, open_catalogue, pinned, settings_for


@click.command()
@click.option("--check", is_flag=True, help="Resolve, connect and ask /v1/models of each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@place_options
def endpoints(
    check: bool,
    as_json: bool,
    catalogue: str | None,
    endpoints: tuple[str, ...] | None,
    **given: Any,
) -> int:
    """List a catalogue's endpoints, with the standing of the evidence for each.

    With --check: a table of which resolve, speak TLS, accept the key, and how many models they
    list. Without a key only the edge is checked. Exits 4 when not one endpoint answers.
    """
    where = where_from(given)
    plan = make_plan(catalogue=catalogue or "xai", endpoints=endpoints or ())
    with open_catalogue(plan, where) as opened:
        chosen = opened.choose(plan.endpoints)
        checks = _ask(plan, opened, where) if check else ()
    if as_json:
        print_json(_document(opened, chosen, checks))
    else:
        _show(chosen, checks)
    dead = check and not any(one.outcome == "ok" for one in checks)
    return UNMEASURABLE if dead else OK


def _ask(plan: Plan, catalogue: Catalogue, where: Where) -> tuple[Check, ...]:
    try:
        settings = settings_for(plan, catalogue, where)
    except KeyMissing as missing:
        if where.key_file is not None:
            raise
        tell(f"{missing}\nChecking the edges only.")
        settings = settings_for(dataclasses.replace(plan, kinds=("edge",)), catalogue, where)
    chosen = pinned(catalogue.choose(plan.endpoints), where, settings)
    return check_endpoints(chosen, settings, catalogue.provider.api)


def _document(
    catalogue: Catalogue, chosen: tuple[Endpoint, ...], checks: tuple[Check, ...]
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "provider": catalogue.provider.name,
        "simulated": catalogue.provider.simulated,
        "endpoints": [dataclasses.asdict(endpoint) for endpoint in chosen],
        "checks": [dataclasses.asdict(check) for check in checks],
        "models": [model.model_dump(mode="json") for model in catalogue.models],
    }


def _show(chosen: tuple[Endpoint, ...], checks: tuple[Check, ...]) -> None:
    heads = ("resolves", "TLS", "key", "models", "outcome") if checks else ("URL", "evidence")
    table = Table(box=None, pad_edge=False)
    for head in ("endpoint", *heads):
        table.add_column(head, no_wrap=head != "evidence", overflow="fold")
    by_name = {check.endpoint: check for check in checks}
    for endpoint in chosen:
        cells = (
            _check_cells(by_name[endpoint.name]) if checks else (endpoint.url, endpoint.evidence)
        )
        table.add_row(*(Text(printable(cell)) for cell in (endpoint.name, *cells)))
    Console(highlight=False).print(table)
    for check in checks:
        if check.detail:
            Console(highlight=False).print(
                Text(printable(f"{check.endpoint}: {check.detail}")), soft_wrap=True
            )


def _check_cells(check: Check) -> tuple[str, ...]:
    return (
        _yes_no(check.resolves),
        _yes_no(check.tls),
        "not asked" if check.key is None else _yes_no(check.key),
        "–" if check.models is None else str(len(check.models)),
        check.outcome,
    )


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
