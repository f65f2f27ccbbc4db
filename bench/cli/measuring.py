"""Measure a plan and tell what came of it: shared by ``run`` and ``demo``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.cli.progress import progress
from bench.cli.shell import print_json, tell
from bench.errors import INTERRUPTED, OK, UNDECIDED, UNMEASURABLE
from bench.model import Plan
from bench.prepare import Prepared, Where, open_catalogue, prepare, proxy_words
from bench.resuming import Rest, prepare_rest
from bench.session import Finished, execute
from bench.units import format_usd

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats import Summary


_DAY_S = 24 * 3600


def measure_and_tell(plan: Plan, where: Where, *, as_json: bool, rest: Rest | None = None) -> int:
    """Prepare, measure with progress, summarise, write the report; the exit code.

    With ``rest`` that run goes on.
    """
    with open_catalogue(plan, where) as catalogue:
        if rest is None:
            prepared = prepare(plan, catalogue, where)
        else:
            prepared = prepare_rest(rest, catalogue, where)
        finished = measure_aloud(prepared, where, rest)
    from bench.report import write_report
    from bench.stats import summarise

    df = finished.frame()
    summary = summarise(df)
    files = write_report(finished.folder, df)
    if as_json:
        print_json(_document(finished, summary))
    else:
        _tell_summary(summary, df)
        tell(f"\nRows:   {finished.folder}")
        tell(f"Report: {files['html']}")
        if len(plan.arms) > 1:
            first, second, *_ = plan.arms
            tell(f"Arms:   regionbench compare {first} {second} --run {finished.folder}")
    return _exit_code(finished, prepared, df)


def measure_aloud(prepared: Prepared, where: Where, rest: Rest | None = None) -> Finished:
    """Measure what was prepared: what comes is said before, where it stands meanwhile, and why it
    was stopped after."""
    announce(prepared, where)
    if rest is not None:
        tell(f"Goes on with {rest.run['run_id']}, which was {rest.run['status']}.")
    with progress(prepared) as seen:
        finished = execute(prepared, where, watch=seen, rest=rest)
    tell_end(finished)
    return finished


def announce(prepared: Prepared, where: Where, *, at_most: bool = False) -> None:
    """Say, before anything is sent, who is asked what, how often, at what cost, and to what end."""
    introduce(prepared)
    plan = prepared.plan
    tell(
        f"{'At most ' if at_most else ''}{prepared.scheduled} requests in {plan.rounds} rounds"
        f" (+ {plan.warmup_rounds} to warm up), {_tokens(prepared)}{_cost(prepared)}."
    )
    if limits := _limits(where):
        tell(f"Stops at {limits}.")
    tell_calibration(where)


def announce_daily(prepared: Prepared, where: Where, every_s: float) -> None:
    """As `announce`, of what has no end: by the day."""
    introduce(prepared)
    rounds = max(1, round(_DAY_S / every_s))
    plan = replace(prepared.plan, rounds=rounds, warmup_rounds=0)
    day = replace(prepared, plan=plan)
    tell(f"{day.scheduled} requests a day in {rounds} rounds, {_tokens(day)}{_cost(day)}.")
    if limits := _limits(where):
        tell(f"Stops at {limits}.")
    tell_calibration(where)


def introduce(prepared: Prepared) -> None:
    """Who is asked what, and who is not."""
    plan = prepared.plan
    measured = {endpoint.name for endpoint in prepared.endpoints}
    for check in prepared.dropped:
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


def _limits(where: Where) -> str:
    words = (
        "" if where.max_usd is None else format_usd(where.max_usd),
        "" if where.max_requests is None else f"{where.max_requests} requests",
        "" if where.max_duration_s is None else f"{where.max_duration_s:g} s",
    )
    return ", or ".join(word for word in words if word)


def tell_end(finished: Finished) -> None:
    """Say why a run was stopped."""
    if finished.reason is not None:
        tell(f"Stopped: {finished.reason}.")


def _cost(prepared: Prepared) -> str:
    usd = prepared.estimated_usd()
    if prepared.catalogue.provider.simulated:
        return "simulated: no money is spent"
    return "cost not known" if usd is None else f"at most about {format_usd(usd)}"


def _tell_summary(summary: Summary, df: pd.DataFrame) -> None:
    from bench.report import OUTPUTS

    runs: Sequence[dict[str, Any]] = df.attrs.get("runs", [])
    print(OUTPUTS["text"](summary, df, runs), end="")


def _document(finished: Finished, summary: Summary) -> dict[str, Any]:
    from bench.stats import answer

    said = answer(summary)
    return {
        "schema_version": 1,
        "run_id": finished.run.run_id,
        "folder": str(finished.folder),
        "status": finished.status,
        "reason": finished.reason,
        "simulated": finished.run.simulated,
        "answer": {"state": said.state, "sentence": said.sentence},
        "summary": summary.to_dict(),
    }


def _exit_code(finished: Finished, prepared: Prepared, df: pd.DataFrame) -> int:
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
