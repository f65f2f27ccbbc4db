"""``regionbench calibrate``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.shell import print_json, say, tell
from bench.errors import OK, UNDECIDED

if TYPE_CHECKING:
    from bench.stats.selfcheck import SelfCheck


@click.command()
@click.argument("results", type=click.Path(path_type=Path), default=Path("results"))
@click.option(
    "--deals",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="How often rounds are dealt to two equal sides; more is surer and takes longer.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def calibrate(results: Path, deals: int, as_json: bool) -> int:
    """How often would the gate be wrong here, and what would it find?

    The gate's own rules on stored rows in which nothing is known to have changed, so that every
    alarm is a false one. RESULTS is a results folder, of which what is comparable with the newest
    run is used, or anything else that can be read. Nothing is sent. Exits 3 without enough data.
    """
    from bench.gate import unchanged
    from bench.stats.selfcheck import calibrate_gate

    df, left_out = unchanged(results)
    for reason, count in Counter(left_out.values()).items():
        tell(f"Left out: {count}, {reason}")
    tell("Dealing and judging: this takes seconds, with many rows a minute.")
    found = calibrate_gate(df, deals)
    _show(found, as_json)
    return UNDECIDED if found.any_variant is None and found.any_history is None else OK


def _show(found: SelfCheck, as_json: bool) -> None:
    from bench.report import selfcheck

    if as_json:
        told = {"sentence": selfcheck.sentence(found), "check": found.to_dict()}
        print_json({"schema_version": 1, **told})
    else:
        say(selfcheck.render(found), end="")
