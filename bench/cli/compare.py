"""``regionbench compare``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.interrupted import leave
from bench.cli.measuring import measure_aloud
from bench.cli.options import (
    batch_options,
    catalogue_options,
    place_options,
    plan_from,
    plan_options,
    where_from,
)
from bench.cli.shell import print_json, say, tell
from bench.cli.stored import stored
from bench.cli.verdicts import output_options, publish
from bench.errors import OK, REGRESSED, UNDECIDED, NothingMeasured
from bench.plan import check_plan
from bench.prepare import Prepared, Where, open_catalogue, prepare
from bench.session import Finished

if TYPE_CHECKING:
    from bench.comparing import Comparison

ROUNDS = 100


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--run", help="Compare within this stored run or batch; nothing is sent.")
@output_options
@catalogue_options
@plan_options
@batch_options
@place_options
def compare(
    a: str, b: str, run: str | None, outputs: dict[str, Path], as_json: bool, **given: Any
) -> int:
    """Is B slower than A? Two endpoints, clients, models or arms, measured now in the same rounds
    (100, unless --rounds says otherwise), or taken from --run.

    A and B may be two stored runs as well: folders, ids or batches. They were measured apart, so
    whatever drifted between them is inside the answer, which says so.

    Exits 1 when B is slower or fails more, 3 when the rows cannot tell.
    """
    from bench.comparing import compare_stored
    from bench.report import COLUMNS

    where = where_from(given)
    if run is not None:
        df = stored(run, where.results, COLUMNS).df
        return _tell(compare_stored(df, a, b), outputs, as_json, run)
    if (two := _two_runs(a, b, where.results)) is not None:
        return _tell(two, outputs, as_json, None)
    finished = _measure(a, b, where, given)
    if finished.status == "interrupted":
        way = f"regionbench compare {a} {b} --run {finished.folder}"
        return leave(finished, way, as_json=as_json, rows=str(finished.folder))
    found = compare_stored(finished.frame(), a, b)
    return _tell(found, outputs, as_json, str(finished.folder))


def _measure(a: str, b: str, where: Where, given: dict[str, Any]) -> Finished:
    from bench.comparing import contest, kind_of, names_of

    asked = {"rounds": ROUNDS} | {key: value for key, value in given.items() if value is not None}
    plan = plan_from(None, asked)
    with open_catalogue(plan, where) as catalogue:
        names = {**names_of(plan, catalogue), "run": _known(where.results)}
        kind = kind_of(names, a, b)
        plan, by = contest(plan, kind, a, b)
        prepared = prepare(check_plan(plan), catalogue, where)
        if by == "endpoint":
            _both(prepared)
        return measure_aloud(prepared, where)


def _both(prepared: Prepared) -> None:
    """Half a comparison is not worth its requests."""
    for check in prepared.dropped:
        why = f"{check.outcome} {check.detail}"
        raise NothingMeasured(f"{check.endpoint} cannot be measured, so not compared: {why}")


def _two_runs(a: str, b: str, results: Path) -> Comparison | None:
    """The comparison of two stored runs; None when they are not two of them."""
    from bench.comparing import compare_two
    from bench.report import COLUMNS

    known = _known(results)
    if not all(name in known or Path(name).exists() for name in (a, b)):
        return None
    df_a, df_b = (stored(name, results, COLUMNS).df for name in (a, b))
    return compare_two(df_a, df_b, a, b)


def _known(results: Path) -> list[str]:
    """The batches and runs that are stored, oldest first."""
    from bench.history import batches

    names = (name for batch in batches(results) for name in (batch.name, *batch.run_ids))
    return list(dict.fromkeys(names))


def _tell(found: Comparison, outputs: Mapping[str, Path], as_json: bool, rows: str | None) -> int:
    from bench.report.verdict import versus

    publish((found.verdict,), outputs)
    if as_json:
        print_json({**found.to_dict(), "rows": rows})
    else:
        say(versus.render(found.verdict, found.by, found.sentence), end="")
    if rows is not None:
        tell(f"\nRows: {rows}")
    return {"regressed": REGRESSED, "ok": OK, "inconclusive": UNDECIDED}[found.verdict.state]
