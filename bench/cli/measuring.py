"""Measure a plan and tell what came of it: shared by ``run`` and ``demo``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.cli.consent import agree_on_cost
from bench.cli.interrupted import about, leave, tell_kept
from bench.cli.progress import progress, tally_of
from bench.cli.shell import print_json, say, tell
from bench.errors import INTERRUPTED, OK, UNDECIDED, UNMEASURABLE
from bench.model import Plan
from bench.prepare import Prepared, Where, open_catalogue, prepare, proxy_words
from bench.resuming import Rest, prepare_rest
from bench.session import Finished, execute
from bench.units import format_usd

if TYPE_CHECKING:
    import pandas as pd

    from bench.report import Findings
    from bench.stats import Summary
    from bench.tally import Tally


_DAY_S = 24 * 3600


def measure_and_tell(
    plan: Plan, where: Where, *, as_json: bool, report: bool = True, rest: Rest | None = None
) -> int:
    """Prepare, measure with progress, summarise, write the ``report``; the exit code.

    With ``rest`` that run goes on.
    """
    with open_catalogue(plan, where) as catalogue:
        if rest is None:
            prepared = prepare(plan, catalogue, where)
        else:
            prepared = prepare_rest(rest, catalogue, where)
        finished = measure_aloud(prepared, where, rest)
    folder = finished.folder
    if finished.status == "interrupted":
        ways = (f"regionbench report {folder}", f"regionbench run --resume {folder}")
        return leave(finished, *ways, as_json=as_json, summary=None)
    df = finished.frame()
    (_tell_json if as_json else _tell_words)(finished, df, report)
    return exit_code(finished, prepared, df)


def _tell_json(finished: Finished, df: pd.DataFrame, draws: bool) -> None:
    from bench.stats import summarise

    _draw(finished, df, draws)
    print_json(result_document(finished, summarise(df)))


def _tell_words(finished: Finished, df: pd.DataFrame, draws: bool) -> None:
    """Tables, promises, where it all lies, and the verdict as the last line."""
    from bench.report import OUTPUTS, Findings

    found = Findings(df, routed=draws)
    said = OUTPUTS["text"](found)
    tables, _, verdict = said.rpartition("\n\n")
    say("\n".join([tables, *_promises(finished.run.plan, df)]))
    _draw(finished, found, draws)
    tell("\n".join(["", *_places(finished, draws)]))
    say(f"\n{verdict}", end="")


def _draw(finished: Finished, rows: pd.DataFrame | Findings, draws: bool) -> None:
    from bench.report import write_report

    if draws:
        tell("\nDrawing the report.")
        write_report(finished.folder, rows)


def measure_aloud(prepared: Prepared, where: Where, rest: Rest | None = None) -> Finished:
    """Measure what was prepared: what comes is said before, where it stands meanwhile, and after it
    why it was stopped, or what is kept where it was interrupted."""
    announce(prepared, where)
    agree_on_cost(prepared, where)
    if rest is not None:
        tell(f"Goes on with {rest.run['run_id']}, which was {rest.run['status']}.")
    tally = tally_of(prepared, where.max_usd)
    with progress(tally) as seen:
        finished = execute(prepared, where, watch=seen, rest=rest)
    tell_end(finished, tally)
    return finished


def announce(prepared: Prepared, where: Where, *, at_most: bool = False) -> None:
    """Say, before anything is sent, who is asked what, how often, at what cost, and to what end."""
    introduce(prepared)
    plan = prepared.plan
    tell(
        f"{'At most ' if at_most else ''}{prepared.scheduled} requests in {plan.rounds} rounds"
        f" (+ {plan.warmup_rounds} to warm up), {_tokens(prepared)}{_cost(prepared)};"
        f" {_duration(prepared)}."
    )
    if limits := limit_words(where):
        tell(f"Stops at {limits}.")
    tell_calibration(where)


def announce_daily(prepared: Prepared, where: Where, every_s: float) -> Prepared:
    """As `announce`, of what has no end; gives what is asked in a day."""
    introduce(prepared)
    rounds = max(1, round(_DAY_S / every_s))
    plan = replace(prepared.plan, rounds=rounds, warmup_rounds=0)
    day = replace(prepared, plan=plan)
    tell(f"{day.scheduled} requests a day in {rounds} rounds, {_tokens(day)}{_cost(day)}.")
    if limits := limit_words(where):
        tell(f"Stops at {limits}.")
    tell_calibration(where)
    return day


def introduce(prepared: Prepared, *, dropped: bool = True) -> None:
    """Who is asked what, and who is not, unless that was said."""
    plan = prepared.plan
    measured = {endpoint.name for endpoint in prepared.endpoints}
    for check in prepared.dropped if dropped else ():
        word = "Away now" if check.endpoint in measured else "Left out"
        tell(f"{word}: {check.endpoint} ({check.host}): {check.outcome}, {check.detail}")
    if (proxy := proxy_words(prepared.settings)) is not None:
        tell(f"Proxy {proxy}")
    names = ", ".join(endpoint.name for endpoint in prepared.endpoints)
    parts = (plan.kinds, plan.connections, plan.clients, tuple(plan.arms))
    strata = " × ".join("+".join(part) for part in parts if part)
    tell(f"Endpoints: {names}")
    tell(f"Each round: every endpoint once per {strata}; {_model(prepared)}")


def tell_calibration(where: Where) -> None:
    """Say what takes a second or two before the first request."""
    if where.calibrate:
        tell("First, how late this machine itself is: a second or two on a local fleet.")


def _model(prepared: Prepared) -> str:
    different = dict.fromkeys(model for model in prepared.models.values() if model)
    if not different:
        return "no model asked"
    models = f"model{'s' if len(different) > 1 else ''} {', '.join(different)}"
    return f"{models}, {'streamed' if prepared.plan.stream else 'not streamed'}"


def _tokens(prepared: Prepared) -> str:
    prompt, answer = prepared.expected_tokens()
    return f"about {prompt:,} tokens in and {answer:,} out, " if prompt else ""


def _duration(prepared: Prepared) -> str:
    """How long it takes, as far as that can be known before."""
    plan, requests = prepared.plan, prepared.scheduled
    if plan.rate is not None:
        return f"about {_time(requests / plan.rate)} at {plan.rate:g} requests/s"
    seconds = requests * (1 + plan.pause_ms / 1000) / plan.concurrency
    pause = f" and a pause of {plan.pause_ms:g} ms" if plan.pause_ms else ""
    return f"about {_time(seconds)} if a request takes 1 s{pause}"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1, seconds):.0f} s"


def limit_words(where: Where) -> str:
    """The hard stops in words; empty without any."""
    words = (
        "" if where.max_usd is None else format_usd(where.max_usd),
        "" if where.max_requests is None else f"{where.max_requests} requests",
        "" if where.max_duration_s is None else f"{where.max_duration_s:g} s",
    )
    return ", or ".join(word for word in words if word)


def tell_end(finished: Finished, tally: Tally) -> None:
    """Say why a run was stopped, and of an interrupted one what is kept."""
    if finished.reason is not None:
        tell(f"Stopped: {finished.reason}.")
    if finished.status == "interrupted":
        tell_kept(finished, tally)


def _cost(prepared: Prepared) -> str:
    usd = prepared.estimated_usd()
    if prepared.catalogue.provider.simulated:
        return "simulated: no money is spent"
    return "cost not known" if usd is None else f"at most about {format_usd(usd)}"


def _places(finished: Finished, report: bool) -> list[str]:
    """The files, with the command that goes on with them."""
    folder, arms = finished.folder, list(finished.run.plan.arms)
    page = folder / "report.html" if report else f"regionbench report {folder}"
    lines = [f"Rows:   {folder}", f"Report: {page}", f"Gate:   regionbench gate {folder}"]
    pairs = [f"Arms:   regionbench compare {arms[0]} {arms[1]} --run {folder}"] if arms[1:] else []
    return lines + pairs


def _promises(plan: Plan, df: pd.DataFrame) -> list[str]:
    """The plan's objectives with what was observed."""
    from bench.objective import parse_objective
    from bench.stats import verdict_words as words
    from bench.stats.objectives import judge_objectives

    verdict = judge_objectives(df, [parse_objective(text) for text in plan.objectives])
    lines = [
        f"objective {words.short(one)}: {words.moved(one)}, {words.because(one)}"
        for one in verdict.judged
    ]
    return ["", *lines] if lines else []


def result_document(finished: Finished, summary: Summary) -> dict[str, Any]:
    """What came of a run, for programs."""
    from bench.stats import answer

    said = answer(summary)
    return {
        **about(finished),
        "answer": {"state": said.state, "sentence": said.sentence},
        "summary": summary.to_dict(),
    }


def exit_code(finished: Finished, prepared: Prepared, df: pd.DataFrame) -> int:
    """4 when an endpoint that was named, or every endpoint, gave not one answer; 3 when a limit
    stopped the run before there was a measured one."""
    if finished.status == "interrupted":
        return INTERRUPTED
    if finished.status == "stopped" and df["warmup"].all():
        return UNDECIDED
    answered = set(df.loc[df["outcome"] == "ok", "endpoint"].astype(str))
    unanswered = [name for name in prepared.plan.endpoints if name not in answered]
    if unanswered or not answered:
        tell(f"Could not be measured: {', '.join(unanswered) or 'any endpoint'}")
        return UNMEASURABLE
    return OK
