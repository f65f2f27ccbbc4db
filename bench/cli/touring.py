"""``regionbench run --scheduler``: the same from many vantages, told in a line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.cli.consent import agree_on_usd
from bench.cli.interrupted import about
from bench.cli.measuring import exit_code, introduce, limit_words, result_document
from bench.cli.progress import Seen, lines
from bench.cli.shell import print_json, say, tell
from bench.errors import INTERRUPTED, UNMEASURABLE, UsageError
from bench.model import Plan
from bench.prepare import Prepared, Where
from bench.session import Finished
from bench.tally import Tally
from bench.units import NS_PER_MS, format_ms, format_usd
from bench.vantage import Crew, Tls, Tour, connected, kept_waiting, muster, travel
from bench.vantage.leg import Vantage
from bench.wire.clock import now_ns

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)


def scheduler_options(command: _F) -> _F:
    """How to get at a cluster; None of them reads a key of the service."""
    for option in (
        click.option("--tls-key", type=_FILE, help="This machine's key for the cluster."),
        click.option("--tls-cert", type=_FILE, help="This machine's certificate for the cluster."),
        click.option(
            "--tls-ca", type=_FILE,
            help="The cluster's own authority. Default of all three: Dask's configuration.",
        ),
        click.option(
            "--insecure-scheduler", is_flag=True,
            help="Allow tcp://: whoever reaches it can run programs on every worker.",
        ),
        click.option(
            "--scheduler", metavar="tls://HOST:PORT",
            help="Measure from every worker of this Dask cluster, each with its own key.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def take_scheduler(given: dict[str, Any]) -> tuple[str | None, Tls, bool]:
    """Take the options of `scheduler_options` out of ``given``."""
    scheduler, insecure = given.pop("scheduler"), given.pop("insecure_scheduler")
    tls = Tls(given.pop("tls_ca"), given.pop("tls_cert"), given.pop("tls_key"))
    if scheduler is None and (insecure or tls != Tls()):
        raise UsageError("--tls-ca, --tls-cert, --tls-key, --insecure-scheduler: of a --scheduler")
    return scheduler, tls, insecure


def tour_and_tell(
    plan: Plan, where: Where, scheduler: str, tls: Tls, *,
    insecure: bool, as_json: bool,
) -> int:  # fmt: skip
    """Muster, agree, measure, store, summarise; the exit code."""
    with connected(scheduler, tls, insecure=insecure) as cluster:
        if insecure:
            tell("Not encrypted: whoever reaches this scheduler can run programs on its workers.")
        crew = muster(cluster, plan, where)
        with kept_waiting(cluster, crew):
            announce_tour(crew, where)
            _agree(crew, where)
        with _progress(crew) as seen:
            tour = travel(cluster, crew, where, watch=seen, tell=tell)
    return _tell(tour, crew, as_json=as_json)


def announce_tour(crew: Crew, where: Where) -> None:
    """Who measures from where, what, how often, at what cost, and to what end."""
    tell_crew(crew)
    for vantage in crew.vantages:
        for check in vantage.prepared.dropped:
            tell(f"Left out at {vantage.name}: {check.endpoint}: {check.outcome}, {check.detail}")
    introduce(crew.vantages[0].prepared, dropped=False)
    each = [vantage.prepared.scheduled for vantage in crew.vantages]
    tell(f"{sum(each)} requests together, at most {max(each)} at one vantage{_cost(crew)}.")
    if limits := limit_words(where):
        tell(f"Stops at {limits}, all vantages together.")


def tell_crew(crew: Crew) -> None:
    """A line for each vantage, and for each that is left out."""
    for vantage in crew.vantages:
        tell(f"Vantage {vantage.name}: {describe_vantage(vantage)}")
    for name, why in crew.left_out:
        tell(f"Left out: vantage {name}: {why}")


def describe_vantage(vantage: Vantage) -> str:
    """``worker w1, Frankfurt, cloud=aws, clock +1.20 ms (± 0.30 ms)``."""
    tour = dict(vantage.run.tour or {})
    labels = [f"{name}={value}" if value else name for name, value in tour["labels"].items()]
    parts = [f"worker {tour['worker']}", tour["place"], *labels, _clock(tour)]
    return ", ".join(part for part in parts if part)


def _clock(tour: dict[str, Any]) -> str:
    if tour["skew_ns"] is None:
        return "clock not known"
    sign = "-" if tour["skew_ns"] < 0 else "+"
    skew, half = abs(tour["skew_ns"]) / NS_PER_MS, tour["skew_rtt_ns"] / 2 / NS_PER_MS
    return f"clock {sign}{format_ms(skew)} (± {format_ms(half)})"


def _total_usd(crew: Crew) -> float | None:
    each = [vantage.prepared.estimated_usd() for vantage in crew.vantages]
    return None if None in each else sum(usd or 0.0 for usd in each)


def _cost(crew: Crew) -> str:
    usd = _total_usd(crew)
    if crew.vantages[0].run.simulated:
        return "; simulated: no money is spent"
    return "; cost not known" if usd is None else f"; at most about {format_usd(usd)}"


def _agree(crew: Crew, where: Where) -> None:
    usd = 0.0 if crew.vantages[0].run.simulated else _total_usd(crew)
    agree_on_usd(usd, where, " from all vantages together")


@contextmanager
def _progress(crew: Crew) -> Iterator[Seen]:
    tallies = {v.name: Tally(v.prepared, lambda: now_ns() / 1e9) for v in crew.vantages}
    with lines(tallies) as seen:
        yield seen


def _tell(tour: Tour, crew: Crew, *, as_json: bool) -> int:
    codes = [UNMEASURABLE] if tour.left_out else []
    prepared = {vantage.name: vantage.prepared for vantage in crew.vantages}
    documents: list[dict[str, Any]] = []
    for finished in tour.finished:
        code, document = _what_came(finished, prepared[finished.run.vantage])
        codes.append(code)
        documents.append({"vantage": finished.run.vantage, **document})
    if as_json:
        print_json({"schema_version": 1, "batch": tour.batch, "status": tour.status,
                    "left_out": [dict(zip(("vantage", "why"), one, strict=True))
                                 for one in tour.left_out],
                    "vantages": documents})  # fmt: skip
    else:
        _say(tour, documents)
    return INTERRUPTED if INTERRUPTED in codes else max(codes, default=0)


def _what_came(finished: Finished, prepared: Prepared) -> tuple[int, dict[str, Any]]:
    """Its exit code and its document; nobody who interrupted waits for figures."""
    if finished.status == "interrupted":
        return INTERRUPTED, {**about(finished), "summary": None}
    from bench.stats import summarise

    df = finished.frame()
    return exit_code(finished, prepared, df), result_document(finished, summarise(df))


def _sentence(finished: Finished, document: dict[str, Any]) -> str:
    if document["answer"] is None:
        return f"{finished.status}, {finished.rows} rows kept"
    return str(document["answer"]["sentence"])


def _say(tour: Tour, documents: list[dict[str, Any]]) -> None:
    for finished, document in zip(tour.finished, documents, strict=True):
        say(f"{finished.run.vantage}: {_sentence(finished, document)}")
        if finished.reason:
            say(f"  {finished.status}: {finished.reason}")
        tell(f"  Rows: {finished.folder}")
    tell(f"All of them are the batch {tour.batch}: regionbench report RUN draws one's report.")
