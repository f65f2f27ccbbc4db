"""``regionbench routing``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.measuring import measure_aloud
from bench.cli.options import catalogue_options, place_options, plan_from, plan_options, where_from
from bench.cli.shell import print_json, say, tell
from bench.errors import INTERRUPTED, OK, UNDECIDED
from bench.prepare import open_catalogue, prepare

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats.routing import Routing
    from bench.stats.spillover import Spillover

_PLOTS = ("routing", "spillover")


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@plan_options
@place_options
def routing(run: Path | None, as_json: bool, **given: Any) -> int:
    """Where does the global endpoint send my requests? Shares of the regions in its traffic, with
    intervals, from stored rows (RUN), or from new ones: 300 rounds that are not streamed, because
    only then does the service tell its own time.

    Exits 3 when the rows cannot tell; then it says what to run instead.
    """
    where = where_from(given)
    interrupted, folder = False, run
    if folder is None:
        asked = {"stream": False, "rounds": 300} | {k: v for k, v in given.items() if v is not None}
        plan = plan_from(None, asked)
        with open_catalogue(plan, where) as catalogue:
            prepared = prepare(plan, catalogue, where)
            finished = measure_aloud(prepared, where)
        folder, interrupted = finished.folder, finished.status == "interrupted"
    found = _answer(folder, as_json)
    if interrupted:
        return INTERRUPTED
    return OK if found.identifiable else UNDECIDED


def _answer(folder: Path, as_json: bool) -> Routing:
    from bench.loading import load
    from bench.stats.routing import route
    from bench.stats.spillover import spillover

    df = load(folder)
    found = route(df)
    spilled = spillover(df, found)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "folder": str(folder),
                "routing": found.to_dict(),
                "spillover": spilled.to_dict(),
            }
        )
    else:
        _tell(found, spilled, df, folder)
    return found


def _tell(found: Routing, spilled: Spillover, df: pd.DataFrame, folder: Path) -> None:
    from bench.plots import PLOTS

    if found.identifiable:
        for share in found.shares:
            width = max(len(s.name) for s in found.shares)
            span = f"{100 * share.low:.0f} to {100 * share.high:.0f} %"
            say(f"{share.name:<{width}}  {100 * share.value:5.1f} %   ({span})")
        say(f"\n{found.method}; network time from {found.network_from}; n = {found.n_global}.")
        say(spilled.words())
    say(f"\n{found.words()}")
    if folder.is_dir():
        for name in (name for name in _PLOTS if name in PLOTS):
            file = folder / f"{name}.png"
            PLOTS[name](df).savefig(file)
            tell(f"Wrote {file}")
