"""``regionbench choose``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.choice import decide_stored, explain
from bench.choosing import PAUSE_MS, contend
from bench.cli.consent import agree_on_cost
from bench.cli.interrupted import leave
from bench.cli.measuring import announce, tell_end
from bench.cli.options import catalogue_options, place_options, plan_from, plan_options, where_from
from bench.cli.progress import progress, tally_of
from bench.cli.shell import print_json, say, tell
from bench.cli.stored import Stored, stored
from bench.errors import OK, UNDECIDED, PlanError, UsageError
from bench.prepare import open_catalogue, prepare
from bench.stats.race import RaceRules
from bench.stats.race_verdict import RaceVerdict
from bench.units import NS_PER_MS, parse_duration_ns

if TYPE_CHECKING:
    import pandas as pd

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@click.command()
@click.argument("run", required=False)
@click.option("--within", default="5%,5ms", show_default=True, help="What counts as no difference.")
@click.option("--target", type=click.Choice(["p50", "p90"]), default="p50", show_default=True)
@click.option("--cap", default=100, show_default=True, help="Rounds, then it is undecided.")
@click.option("--strict", is_flag=True, help="Wrong at most once in 200, by proof; takes longer.")
@click.option(
    "--weights",
    metavar="NAME=W,...",
    help="With RUN of several vantages: how much each counts in the mean compromise.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@plan_options
@place_options
def choose(
    run: str | None,
    within: str,
    target: str,
    cap: int,
    strict: bool,
    weights: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Which endpoint should I use from here? Asks round by round, only whose answer is still open,
    and stops when it knows. With RUN (a run's folder or id, a batch or a results folder): the same
    rule on stored rounds, of --endpoints alone if named; nothing is sent. Rows of several vantages
    are answered for each, together wrong in at most 5 % of cases, and then: one endpoint for all of
    them, or one each, and at what cost.

    It waits 500 ms between two requests (--pause), because spillover and failures come in spells.

    Exits 3 when it is undecided: then no endpoint is named.
    """
    where = where_from(given)
    if run is not None:
        rules = _rules(within, target, cap, strict, 60.0)
        from bench.report import COLUMNS

        found = _only(stored(run, where.results, COLUMNS), given.get("endpoints"))
        return _offline(found, rules, _weights(weights), as_json)
    if weights is not None:
        raise UsageError("--weights: they are of stored rows of several vantages; name a RUN")
    if given.get("pause_ms") is None and given.get("rate") is None:
        given["pause_ms"] = PAUSE_MS / 1000
    plan = dataclasses.replace(plan_from(None, given), rounds=cap)
    rules = _rules(within, target, cap, strict, plan.timeout_s)
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        announce(prepared, where, at_most=True)
        agree_on_cost(prepared, where)
        tally = tally_of(prepared, where.max_usd)
        with progress(tally) as seen:
            finished, verdict = contend(prepared, where, rules, seen)
        tell_end(finished, tally)
    if finished.status == "interrupted":
        way = f"regionbench choose {finished.folder}"
        return leave(finished, way, as_json=as_json, race=verdict.to_dict())
    _tell(verdict, finished.frame(), rules, as_json, finished.folder)
    return _code(verdict)


def _only(found: Stored, endpoints: Sequence[str] | None) -> Stored:
    """The rows of these endpoints alone: without global, say, where a region is to be pinned."""
    if not endpoints:
        return found
    known = [str(name) for name in found.df["endpoint"].cat.categories]
    for name in endpoints:
        if name not in known:
            raise UsageError(f"--endpoints: no rows of {name!r}; there are {', '.join(known)}")
    return Stored(found.df[found.df["endpoint"].isin(endpoints)], found.folder)


def _offline(
    found: Stored, rules: RaceRules, weights: Mapping[str, float] | None, as_json: bool
) -> int:
    from bench.stats.vantages import vantages_of

    if len(vantages_of(found.df)) > 1 or weights is not None:
        return _everywhere(found, rules, weights, as_json)
    verdict = decide_stored(found.df, rules)
    _tell(verdict, found.df, rules, as_json, found.folder)
    return _code(verdict)


def _everywhere(
    found: Stored, rules: RaceRules, weights: Mapping[str, float] | None, as_json: bool
) -> int:
    """Of several vantages: each one's own answer, and the compromise."""
    from bench.report.document import with_places
    from bench.report.terminal import chosen
    from bench.stats.places import places

    answer = places(found.df, rules, weights)
    if as_json:
        document = {"schema_version": 1, "folder": str(found.folder)}
        print_json({**document, "answer": None, "race": None, "places": answer.to_dict()})
    else:
        say(chosen(with_places({}, answer)), end="")
    return OK if answer.decided else UNDECIDED


def _weights(text: str | None) -> dict[str, float] | None:
    """``berlin=0.5,tokyo=2``; the last = stands before the number."""
    if text is None:
        return None
    found = {}
    for part in text.split(","):
        name, _, number = part.strip().rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[""] = 0.0
        if "" in found:
            raise PlanError(f"--weights: {part.strip()!r}: write NAME=WEIGHT, as berlin=0.5")
    return found


def _code(verdict: RaceVerdict) -> int:
    return UNDECIDED if verdict.kind == "undecided" else OK


def _rules(within: str, target: str, cap: int, strict: bool, timeout_s: float) -> RaceRules:
    share, ms = 0.0, 0.0
    for part in within.split(","):
        if (found := _PERCENT.fullmatch(part.strip())) is not None:
            share = float(found[1]) / 100
        else:
            ms = _milliseconds(part)
    try:
        return RaceRules(
            within=share,
            within_ms=ms,
            cap=cap,
            timeout_ms=timeout_s * 1000,
            target="p90" if target == "p90" else "p50",
            strict=strict,
        )
    except ValueError as error:
        raise PlanError(str(error)) from None


def _milliseconds(text: str) -> float:
    try:
        return parse_duration_ns(text) / NS_PER_MS
    except ValueError:
        raise PlanError(
            f"--within: {text!r}: write a percentage, a duration, or both: 5%,5ms"
        ) from None


def _tell(
    verdict: RaceVerdict, df: pd.DataFrame, rules: RaceRules, as_json: bool, folder: Path
) -> None:
    choice = explain(verdict, df, rules)
    if folder.is_dir():
        tell(f"Wrote {_draw(df, verdict, rules, folder)}")
    if as_json:
        document = {"schema_version": 1, "folder": str(folder)}
        print_json({**document, "answer": choice.to_dict(), "race": verdict.to_dict()})
        return
    for gone in verdict.eliminations:
        say(f"round {gone.round:>3}: {gone.endpoint} out, {gone.reason}")
    for fact in choice.facts:
        say(fact)
    for client, line in choice.configuration.items():
        say(f"  {client}: {line}")
    say(f"\n{choice.sentence}")
    tell(f"\nRows: {folder}")


def _draw(df: pd.DataFrame, verdict: RaceVerdict, rules: RaceRules, folder: Path) -> Path:
    from bench.plots import race

    file = folder / "race.png"
    race(df, verdict=verdict, rules=rules).savefig(file)
    return file
