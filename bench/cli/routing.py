"""``regionbench routing``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.interrupted import leave
from bench.cli.measuring import measure_aloud
from bench.cli.options import catalogue_options, place_options, plan_from, plan_options, where_from
from bench.cli.shell import print_json, say, tell
from bench.cli.stored import Stored, stored
from bench.errors import OK, UNDECIDED
from bench.prepare import open_catalogue, prepare
from bench.words import UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats.routing import Routing
    from bench.stats.spillover import Spillover

_PLOTS = ("routing", "spillover")


@click.command()
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@plan_options
@place_options
def routing(run: str | None, as_json: bool, **given: Any) -> int:
    """Where does the global endpoint send my requests? Shares of the regions in its traffic, with
    intervals, from stored rows (RUN: a folder, an id, or a batch), or from new ones: 300 rounds
    that are not streamed, because only then does the service tell its own time. Rows of several
    vantages are answered for each.

    Exits 3 when the rows cannot tell; then it says what to run instead.
    """
    where = where_from(given)
    if run is not None:
        from bench.report import COLUMNS

        found = stored(run, where.results, COLUMNS)
    else:
        asked = {"stream": False, "rounds": 300} | {k: v for k, v in given.items() if v is not None}
        plan = plan_from(None, asked)
        with open_catalogue(plan, where) as catalogue:
            prepared = prepare(plan, catalogue, where)
            finished = measure_aloud(prepared, where)
        if finished.status == "interrupted":
            way = f"regionbench routing {finished.folder}"
            return leave(finished, way, as_json=as_json, routing=None, spillover=None, vantages={})
        found = Stored(finished.frame(), finished.folder)
    return OK if _answer(found, as_json) else UNDECIDED


def _answer(found: Stored, as_json: bool) -> bool:
    """Say what each vantage's rows tell; whether all of them do."""
    from bench.stats.routing import routes
    from bench.stats.spillover import spillover
    from bench.stats.vantages import by_vantage

    parts, answers = by_vantage(found.df), routes(found.df)
    spilled = {name: spillover(parts[name], answer) for name, answer in answers.items()}
    if as_json:
        print_json(_document(answers, spilled, found.folder))
    elif len(parts) == 1:
        ((name, df),) = parts.items()
        _tell(answers[name], spilled[name], df, found.folder)
    else:
        _tell_each(answers, spilled)
    return all(answer.identifiable for answer in answers.values())


def _document(
    answers: Mapping[str, Routing], spilled: Mapping[str, Spillover], folder: Path
) -> dict[str, Any]:
    """Of one vantage on top; of several each by its name, since there is no one answer."""
    each = {
        name: {"routing": answer.to_dict(), "spillover": spilled[name].to_dict()}
        for name, answer in answers.items()
    }
    alone = next(iter(each.values())) if len(each) == 1 else {"routing": None, "spillover": None}
    return {"schema_version": 1, "folder": str(folder), **alone, "vantages": each}


_WIDE, _NARROW, _ABREAST = 18, 15, 4
"""Columns of the name and of a vantage, and how many vantages 80 columns hold."""


def _tell_each(answers: Mapping[str, Routing], spilled: Mapping[str, Spillover]) -> None:
    """Shares side by side, then what each vantage's rows tell in words."""
    known = {name: one for name, one in answers.items() if one.identifiable}
    names = list(known)
    for group in (names[k : k + _ABREAST] for k in range(0, len(names), _ABREAST)):
        say("".join([" " * _WIDE, *(f"{_cut(name, _NARROW):>{_NARROW}}" for name in group)]))
        shares = dict.fromkeys(share.name for name in group for share in known[name].shares)
        for region in shares:
            cells = [_cell(known[name], region) for name in group]
            say(f"{_cut(region, _WIDE):<{_WIDE}}" + "".join(f"{c:>{_NARROW}}" for c in cells))
        say()
    for name, one in answers.items():
        told = f" {spilled[name].words()}" if one.identifiable else ""
        say(f"From {name}: {one.words()}{told}\n")


def _cell(found: Routing, region: str) -> str:
    """``79 % (71–85)``, of the share that has this very name."""
    share = next((one for one in found.shares if one.name == region), None)
    if share is None:
        return UNKNOWN
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f})"


def _cut(text: str, width: int) -> str:
    return text if len(text) < width else f"{text[: width - 2]}…"


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
