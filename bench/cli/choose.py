"""``regionbench choose``."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.choice import decide_stored, explain
from bench.choosing import PAUSE_MS, contend
from bench.cli.consent import agree_on_cost
from bench.cli.measuring import announce, tell_end
from bench.cli.options import catalogue_options, place_options, plan_from, plan_options, where_from
from bench.cli.progress import progress
from bench.cli.shell import print_json, say, tell
from bench.errors import INTERRUPTED, OK, UNDECIDED, PlanError
from bench.prepare import open_catalogue, prepare
from bench.stats.race import RaceRules
from bench.stats.race_verdict import RaceVerdict
from bench.units import NS_PER_MS, parse_duration_ns

if TYPE_CHECKING:
    import pandas as pd

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--within", default="5%,5ms", show_default=True, help="What counts as no difference.")
@click.option("--target", type=click.Choice(["p50", "p90"]), default="p50", show_default=True)
@click.option("--cap", default=100, show_default=True, help="Rounds, then it is undecided.")
@click.option("--strict", is_flag=True, help="Wrong at most once in 200, by proof; takes longer.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@catalogue_options
@plan_options
@place_options
def choose(
    run: Path | None,
    within: str,
    target: str,
    cap: int,
    strict: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Which endpoint should I use from here? Asks round by round, only whose answer is still open,
    and stops when it knows. With RUN: the same rule on stored rounds, nothing is sent.

    It waits 500 ms between two requests (--pause), because spillover and failures come in spells.

    Exits 3 when it is undecided: then no endpoint is named.
    """
    where = where_from(given)
    if run is not None:
        return _offline(run, _rules(within, target, cap, strict, 60.0), as_json)
    if given.get("pause_ms") is None and given.get("rate") is None:
        given["pause_ms"] = PAUSE_MS / 1000
    plan = dataclasses.replace(plan_from(None, given), rounds=cap)
    rules = _rules(within, target, cap, strict, plan.timeout_s)
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        announce(prepared, where, at_most=True)
        agree_on_cost(prepared, where)
        with progress(prepared, where.max_usd) as seen:
            finished, verdict = contend(prepared, where, rules, seen)
        tell_end(finished)
    _tell(verdict, finished.frame(), rules, as_json, finished.folder)
    return INTERRUPTED if finished.status == "interrupted" else _code(verdict)


def _offline(run: Path, rules: RaceRules, as_json: bool) -> int:
    from bench.loading import load

    df = load(run)
    verdict = decide_stored(df, rules)
    _tell(verdict, df, rules, as_json, run)
    return _code(verdict)


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
