"""``regionbench gate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.confirming import Fresh, measure, stored, unconfirmed, waiting
from bench.cli.options import machine_options
from bench.cli.shell import print_json, say, tell
from bench.cli.verdicts import exit_code, output_options, publish
from bench.errors import INTERRUPTED
from bench.model import Caution
from bench.prepare import Where

if TYPE_CHECKING:
    from bench.gate import Candidate
    from bench.report.verdict import Verdicts
    from bench.stats.verdict import Verdict


@click.command()
@click.argument("run", required=False)
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Results folder with the runs before it.",
)
@click.option(
    "--confirm/--no-confirm",
    default=True,
    show_default=True,
    help="Measure suspects once more, now, before calling them regressed.",
)
@click.option("--confirmation", metavar="RUN", help="A stored fresh measurement of the suspects.")
@output_options
@machine_options
def gate(
    run: str | None,
    history: Path,
    confirm: bool,
    confirmation: str | None,
    outputs: dict[str, Path],
    as_json: bool,
    **given: Any,
) -> int:
    """Did it get slower than it used to be?

    RUN is a batch, a run folder, or a file that pytest-benchmark wrote; by default the newest batch
    in the history. It is judged against the comparable batches before it (ten at least, the last
    twenty count) and against the objectives of its plan. What looks slower is measured once more.

    Exits 0 ok, 1 regressed, 3 undecided (no baseline yet, or not confirmed), 4 when an endpoint
    could not be measured at all.
    """
    from bench.gate import find_candidate, judge

    candidate = find_candidate(history, run)
    _tell_left_out(candidate)
    verdicts = judge(candidate, None if confirmation is None else stored(history, confirmation))
    fresh = Fresh()
    if confirmation is None and (names := waiting(verdicts[0])):
        fresh = (
            measure(candidate, verdicts[0], Where(**given, results=history))
            if confirm
            else Fresh(told=(unconfirmed(names, candidate.name, history),))
        )
        verdicts = judge(candidate, fresh.batch)
    verdicts = (_with(verdicts[0], fresh.told), *verdicts[1:])
    publish(verdicts, outputs)
    _show(verdicts, candidate, as_json)
    return INTERRUPTED if fresh.interrupted else exit_code(verdicts)


def _show(verdicts: Verdicts, candidate: Candidate, as_json: bool) -> None:
    """On stdout; the sentence comes last."""
    from bench.report.verdict import OUTPUTS, document

    if as_json:
        print_json({**document(verdicts), "left_out": dict(candidate.left_out)})
    else:
        say(OUTPUTS["text"](verdicts), end="")


def _with(verdict: Verdict, told: Sequence[Caution]) -> Verdict:
    return replace(verdict, cautions=(*verdict.cautions, *told))


def _tell_left_out(candidate: Candidate) -> None:
    tell(f"Judging {candidate.name} by {len(candidate.past)} earlier batches.")
    reasons = Counter(candidate.left_out.values())
    for reason, count in reasons.items():
        tell(f"Left out: {count}, {reason}")
