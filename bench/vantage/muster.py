"""Before a tour: who is there, who can take part, and what each of them would ask.

Nothing is paid for here. What is wrong with a worker or its configuration refuses the tour, as it
would a run; a place from which no endpoint answers is left out, and that is told.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from bench.catalogue import Catalogue, load_catalogue
from bench.clients import Settings
from bench.errors import UNMEASURABLE, NothingMeasured, PlanError, UsageError
from bench.model import Plan, Run
from bench.plan import make_plan, plan_sha256
from bench.prepare import FLEET, Prepared, Where
from bench.units import NS_PER_S
from bench.vantage import names, post
from bench.vantage.cluster import Cluster, Unable, Unheard, Worker
from bench.vantage.leg import Vantage
from bench.vantage.session import HOLD_S, dump
from bench.vantage.skew import Skew, measure_skew
from bench.vantage.speech import (
    HELLO,
    ORDER,
    SAID,
    WORD,
    Hello,
    Introduction,
    Order,
    Said,
    Untrue,
    Word,
    hear,
    run_of,
    speak,
)
from bench.wire.clock import now_ns, utc_text

GREET_S = 30.0
"""A worker imports regionbench when it is first asked."""

ANSWER_S = HOLD_S + 4.0
PREPARE_S = 180.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Crew:
    """Who takes part, and who does not: (name, why)."""

    vantages: tuple[Vantage, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def plan(self) -> Plan:
        """What all of them ask."""
        return self.vantages[0].prepared.plan


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker and the order that its session was opened with."""

    worker: Worker
    hello: Hello
    order: Order


def muster(cluster: Cluster, plan: Plan, where: Where) -> Crew:
    """Open a session on every worker, and return when each has prepared for itself.

    Raises UsageError for what is wrong with the workers, or what a run from one of them would
    raise; NothingMeasured when no endpoint can be measured from anywhere.
    """
    _check(plan, where)
    workers = _workers(cluster)
    if not workers:
        raise UsageError(
            "the scheduler has no workers: start `dask worker` with its address on each machine to"
            " measure from"
        )
    with ThreadPoolExecutor(len(workers)) as pool:
        hellos = list(pool.map(lambda worker: _greet(cluster, worker), workers))
        _check_hellos(workers, hellos)
        asked = _orders(workers, hellos, plan, where)
        try:
            said = list(pool.map(lambda one: _open(cluster, one), asked))
            skews = list(pool.map(lambda one: _skew(cluster, one.worker), asked))
            return _crew(asked, said, skews, where)
        except BaseException:
            dismiss(cluster, [(one.worker, one.order.session) for one in asked])
            raise


def _workers(cluster: Cluster) -> tuple[Worker, ...]:
    try:
        return cluster.workers()
    except Unheard as why:
        raise UsageError(f"the scheduler does not answer ({why}): is it running?") from None


def dismiss(cluster: Cluster, sessions: Iterable[tuple[Worker, str]]) -> None:
    """Have these sessions end at once; who does not hear it ends by itself soon."""
    listed = list(sessions)
    with ThreadPoolExecutor(max(1, len(listed))) as pool:
        list(pool.map(lambda one: _dismiss(cluster, *one), listed))


def _dismiss(cluster: Cluster, worker: Worker, session: str) -> None:
    word = speak(WORD, Word(session, end="the driver ended it", now=True))
    try:
        cluster.ask(worker, post.talk, word, timeout_s=2 * HOLD_S)
    except (Unheard, Unable):
        return


def _check(plan: Plan, where: Where) -> None:
    if plan.rate is not None:
        raise PlanError(
            "rate: vantages begin each round together, which is a closed loop; leave rate out"
        )
    if where.key_file is not None:
        raise UsageError("--key-file: a key does not travel; each worker reads its own environment")
    if where.vantage is not None:
        raise UsageError(
            f"--vantage: each worker is one; its own environment names it ({names.NAME_VARIABLE})"
        )


def _greet(cluster: Cluster, worker: Worker) -> Hello:
    try:
        found: Hello = hear(HELLO, cluster.ask(worker, post.greet, timeout_s=GREET_S))
    except Unheard as why:
        raise UsageError(f"worker {worker.name} does not answer ({why}): end it") from None
    except (Unable, Untrue) as why:
        raise UsageError(
            f"worker {worker.name} cannot measure ({why}): install regionbench"
            f" {version('regionbench')} where it runs, with the extra dask"
        ) from None
    return found


def _check_hellos(workers: Sequence[Worker], hellos: Sequence[Hello]) -> None:
    own = version("regionbench")
    others = [
        f"{worker.name} has {hello.regionbench:.40}"
        for worker, hello in zip(workers, hellos, strict=True)
        if hello.regionbench != own
    ]
    if others:
        raise UsageError(
            f"this is regionbench {own}, and {', '.join(others)}: install one version everywhere"
        )
    if len({hello.born for hello in hellos}) < len(hellos):
        raise UsageError(
            "two workers are threads of one process, and would disturb each other: start each as a"
            " process of its own (LocalCluster: processes=True)"
        )


def _orders(
    workers: Sequence[Worker], hellos: Sequence[Hello], plan: Plan, where: Where
) -> list[Asked]:
    stamp = utc_text()[:19].replace("-", "").replace(":", "")
    plan = replace(plan, batch=plan.batch or f"tour-{stamp}-{secrets.token_hex(2)}")
    catalogue = None if plan.catalogue == FLEET else load_catalogue(plan.catalogue)
    ca = where.ca or (catalogue.provider.ca if catalogue else None)
    shared: dict[str, Any] = {
        "plan": asdict(plan),
        "catalogue": None if catalogue is None else dump(catalogue),
        "ca": None if ca is None else _read(ca),
        "machine": _machine(where),
    }
    called = names.vantage_names(hellos, [worker.name for worker in workers])
    return [
        Asked(worker, hello, _order(hello, name, f"{stamp}-{secrets.token_hex(3)}", shared))
        for worker, hello, name in zip(workers, hellos, called, strict=True)
    ]


def _order(hello: Hello, name: str, run_id: str, shared: dict[str, Any]) -> Order:
    return Order(secrets.token_hex(16), hello.born, run_id, name, **shared)


def _machine(where: Where) -> dict[str, Any]:
    kept = ("profile", "family", "proxy", "resolve", "calibrate", "max_usd", "max_requests")
    return {name: getattr(where, name) for name in kept}


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not PEM"
        raise UsageError(f"cannot read the CA file {file}: {why}") from None


def _open(cluster: Cluster, asked: Asked) -> Said:
    """What the vantage says when it has prepared."""
    deadline_ns = now_ns() + round(PREPARE_S * NS_PER_S)
    said = _ask(cluster, asked, post.open_session, speak(ORDER, asked.order), GREET_S)
    while said.state == "preparing":
        if now_ns() > deadline_ns:
            raise UsageError(f"{asked.order.vantage} did not prepare within {PREPARE_S:g} s")
        said = _ask(cluster, asked, post.talk, speak(WORD, Word(asked.order.session)), ANSWER_S)
    return said


def _ask(
    cluster: Cluster, asked: Asked, question: Callable[..., Any], word: str, timeout_s: float
) -> Said:
    try:
        found: Said = hear(SAID, cluster.ask(asked.worker, question, word, timeout_s=timeout_s))
    except (Unheard, Unable, Untrue) as why:
        raise UsageError(f"{asked.order.vantage} was lost while it prepared ({why})") from None
    return found


def _skew(cluster: Cluster, worker: Worker) -> Skew | None:
    try:
        return measure_skew(
            lambda: int(str(cluster.ask(worker, post.tell_time, timeout_s=ANSWER_S)))
        )
    except (Unheard, Unable, ValueError):
        return None


def _crew(
    asked: Sequence[Asked], said: Sequence[Said], skews: Sequence[Skew | None], where: Where
) -> Crew:
    left_out: list[tuple[str, str]] = []
    vantages: list[Vantage] = []
    for one, answer, skew in zip(asked, said, skews, strict=True):
        if answer.failed is not None and answer.failed[0] == UNMEASURABLE:
            left_out.append((one.order.vantage, answer.failed[1]))
        elif answer.failed is not None or answer.introduction is None:
            why = answer.failed[1] if answer.failed else "it ended before it began"
            raise UsageError(f"{one.order.vantage}: {why}")
        else:
            vantages.append(_vantage(one, answer.introduction, skew, len(asked)))
    if not vantages:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out)
        raise NothingMeasured(f"no endpoint can be measured from anywhere: {reasons}")
    _check_same(vantages)
    return Crew(tuple(vantages), tuple(left_out))


def _check_same(vantages: Sequence[Vantage]) -> None:
    """All ask the same, or no comparison between them would be one."""
    if len({vantage.asks for vantage in vantages}) > 1:
        words = ", ".join(f"{v.name} {_models(v)}" for v in vantages)
        raise UsageError(f"the vantages would not ask the same: {words}; name one with --model")


def _models(vantage: Vantage) -> str:
    return "+".join(sorted({model or "none" for model in vantage.prepared.models.values()}))


def _vantage(asked: Asked, said: Introduction, skew: Skew | None, of: int) -> Vantage:
    order = asked.order
    try:
        run = run_of(said)
        catalogue = Catalogue.model_validate(order.catalogue or said.catalogue)
        prepared = _prepared(run, catalogue, order)
        if run.scheduled != prepared.scheduled:
            raise Untrue(f"scheduled: {run.scheduled} instead of {prepared.scheduled}")
    except (Untrue, ValueError, KeyError) as why:
        raise UsageError(f"{order.vantage} introduced itself wrongly: {why}") from None
    run = replace(
        run,
        run_id=order.run_id,
        vantage=order.vantage,
        plan=prepared.plan,
        plan_sha256=plan_sha256(prepared.plan),
        provider=catalogue.provider.name,
        simulated=catalogue.provider.simulated,
        status="running",
        started_at=utc_text(),
        tour=_tour(asked, said.asks, skew, of),
    )
    return Vantage(asked.worker, order.vantage, order.session, run, prepared, said.asks)


def _tour(asked: Asked, asks: str, skew: Skew | None, of: int) -> dict[str, Any]:
    return {
        "labels": names.read_labels(asked.hello.labels),
        "place": names.read_place(asked.hello.place),
        "skew_ns": None if skew is None else skew.skew_ns,
        "skew_rtt_ns": None if skew is None else skew.rtt_ns,
        "worker": asked.worker.name,
        "of": of,
        "asks_sha256": asks,
    }


def _prepared(run: Run, catalogue: Catalogue, order: Order) -> Prepared:
    """As the vantage has it, for whoever reckons and shows; nothing is sent with it."""
    plan = make_plan(order.plan)
    known = {(e.name, e.url, e.region) for e in catalogue.choose(plan.endpoints)}
    if {(e.name, e.url, e.region) for e in run.endpoints} != known:
        raise Untrue("endpoints: others than the catalogue's")
    models: dict[str | None, str | None] = {None: run.model}
    if plan.arms:
        models = {arm: run.models[arm] for arm in plan.arms}
    good = {check.endpoint for check in run.preflight if check.outcome == "ok"}
    return Prepared(
        plan=plan,
        catalogue=catalogue,
        asked=run.endpoints,
        endpoints=tuple(e for e in run.endpoints if e.name in good),
        checks=run.preflight,
        models=models,
        settings=Settings(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None, plan.timeout_s),
        vantage=order.vantage,
    )
