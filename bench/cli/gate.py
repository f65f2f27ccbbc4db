"""``regionbench gate``."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.confirming import Fresh, from_there, measure, stored, unconfirmed, waiting
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
    A batch of several vantages gets a verdict for each, by that vantage's own history; together
    they are wrong no more often than one.

    Exits 0 ok, 1 regressed, 3 undecided (no baseline yet, or not confirmed), 4 when an endpoint
    could not be measured at all.
    """
    from bench.gate import find_candidates, judge_all

    candidates = find_candidates(history, run)
    for candidate in candidates:
        _tell_left_out(candidate)
    given_ = {} if confirmation is None else stored(history, confirmation, candidates)
    verdicts = judge_all(candidates, given_)
    found = dict.fromkeys((one.vantage for one in candidates), Fresh())
    if confirmation is None:
        found = {
            one.vantage: _fresh(one, verdict, Where(**given, results=history), confirm)
            for one, verdict in zip(candidates, verdicts, strict=False)
        }
        batches = {name: one.batch for name, one in found.items() if one.batch is not None}
        verdicts = judge_all(candidates, batches)
    told = [one.told for one in found.values()]
    mine = [_with(verdict, more) for verdict, more in zip(verdicts, told, strict=False)]
    verdicts = (*mine, *verdicts[len(mine) :])
    publish(verdicts, outputs)
    _show(verdicts, candidates, as_json)
    interrupted = any(one.interrupted for one in found.values())
    return INTERRUPTED if interrupted else exit_code(verdicts)


def _fresh(candidate: Candidate, verdict: Verdict, where: Where, confirm: bool) -> Fresh:
    """The suspects of one vantage, measured once more if that is to be and can be done here."""
    if not (names := waiting(verdict)):
        return Fresh()
    if not confirm:
        return Fresh(told=(unconfirmed(names, candidate.name, where.results),))
    if candidate.vantage not in (None, where.vantage or platform.node()):
        return Fresh(told=(from_there(names, candidate),))
    return measure(candidate, verdict, where)


def _show(verdicts: Verdicts, candidates: Sequence[Candidate], as_json: bool) -> None:
    """On stdout; the sentence comes last."""
    from bench.report.verdict import OUTPUTS, document

    if as_json:
        left_out = dict(candidates[0].left_out)
        each = {str(one.vantage): dict(one.left_out) for one in candidates if one.vantage}
        more = {"left_out_from": each} if each else {}
        print_json({**document(verdicts), "left_out": left_out, **more})
    else:
        say(OUTPUTS["text"](verdicts), end="")


def _with(verdict: Verdict, told: Sequence[Caution]) -> Verdict:
    return replace(verdict, cautions=(*verdict.cautions, *told))


def _tell_left_out(candidate: Candidate) -> None:
    place = f" from {candidate.vantage}" if candidate.vantage else ""
    tell(f"Judging {candidate.name}{place} by {len(candidate.past)} earlier batches.")
    reasons = Counter(candidate.left_out.values())
    for reason, count in reasons.items():
        tell(f"Left out: {count}, {reason}")
