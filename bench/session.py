"""One measurement from plan to run folder: prepare, calibrate, measure, store."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bench import notebook
from bench.admission import Admission
from bench.arms import variants
from bench.awake import Awake, Pulse, beating
from bench.budget import Budget
from bench.clients import Settings, make_client
from bench.doctor import calibrate
from bench.errors import FleetError, RegionbenchError
from bench.html import paragraph
from bench.manners import Manners
from bench.model import Kind, Reply, Request, Run, Sample, Trial
from bench.notebook import Watcher
from bench.plan import plan_sha256
from bench.prepare import FLEET, Prepared, Where, proxy_words
from bench.probe import Bench, Stop, measure
from bench.request import build_request, nonce
from bench.resuming import Rest
from bench.schedule import schedule
from bench.store import RunWriter, reopen
from bench.wire import httplib
from bench.wire.clock import clock_facts, utc_text

if TYPE_CHECKING:
    import pandas as pd

CALIBRATING_REQUESTS = 40


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over: where it lies and how it ended (complete, interrupted or stopped).

    ``reason`` says what stopped a run that is ``stopped``; ``rows`` are those that it holds.
    """

    folder: Path
    status: str
    run: Run
    reason: str | None = None
    rows: int = 0

    def frame(self) -> pd.DataFrame:
        """Its rows as a tidy DataFrame."""
        from bench.loading import load

        return load(self.folder)

    def _repr_html_(self) -> str:
        """What came of it; what is not known of a folder that is gone is left out."""
        try:
            from bench.stats import summarise

            found = summarise(self.frame())._repr_html_()
        except RegionbenchError as error:
            found = paragraph(error)
        why = f", {self.reason}" if self.reason else ""
        return f"{found}{paragraph(f'{self.status}{why}: {self.folder}')}"


def execute(
    prepared: Prepared,
    where: Where,
    *,
    watch: Watcher | None = None,
    stop: Stop | None = None,
    trials: Iterable[Trial] | None = None,
    rest: Rest | None = None,
) -> Finished:
    """Measure everything that was prepared and store each row as it ends.

    ``trials`` take the place of the plan's schedule for who decides while measuring; the run is
    then complete with however many there were. With ``rest`` an unfinished run goes on in its own
    folder, with what it has no rows of.
    The first SIGINT or SIGTERM ends the run with what it has, the second ends the process: whoever
    interrupts is in a hurry, and the rows stay in their JSON lines. A limit of ``where`` that is
    reached stops the run: it sends nothing more, and says why.
    Raises StoreError when rows can no longer be stored; the run stops sending then.
    """
    stop = stop or Stop()
    run, writer, planned = _begin(prepared, where, rest)
    door = Admission(Budget(where.limits, _worst_usd(prepared)), Manners())
    with writer, draining(stop.now), clock_limit(stop, where), beating() as pulse:
        bench = bench_for(prepared, run.run_id, pulse)
        samples = measure(bench, trials or planned, stop, prepared.plan.concurrency, door)
        record(samples, writer, watch)
        known: dict[str, Any] = {} if trials is None else {"scheduled": writer.rows}
        known |= {"finished_at": utc_text(), "reason": stop.reason}
        writer.finish(stop.status, compact=stop.status != "interrupted", **known)
    return Finished(writer.folder, stop.status, run, stop.reason, writer.rows)


def _begin(
    prepared: Prepared, where: Where, rest: Rest | None
) -> tuple[Run, RunWriter, Iterable[Trial]]:
    """The run's folder, ours alone, and what is to be asked."""
    profile = where.profile if prepared.plan.catalogue == FLEET else None
    run = describe(prepared, host_calibration() if where.calibrate else None, profile)
    if rest is None:
        planned = schedule(prepared.plan, [endpoint.name for endpoint in prepared.endpoints])
        return run, RunWriter.create(where.results, run), planned
    kept = reopen(rest.folder)
    try:
        left = rest.left(kept)
        run = rest.continued(run, kept, left)
        return run, kept.writer(run), left
    except BaseException:
        kept.release()
        raise


def record(samples: Generator[Sample], writer: RunWriter, watch: Watcher | None) -> None:
    """Store each sample as it comes, and show it to ``watch``. What ends this early, a StoreError
    among it, finishes the run as stopped and is raised."""
    try:
        for sample in samples:
            writer.append(sample)
            if watch is not None:
                watch(sample)
            writer.sync_if_due()
    except BaseException as error:
        samples.close()
        writer.finish("stopped", compact=isinstance(error, Exception), finished_at=utc_text())
        raise


def bench_for(prepared: Prepared, run_id: str, pulse: Pulse) -> Bench:
    """What `bench.probe.measure` needs to ask whatever was prepared, under a run's name; ``pulse``
    tells of requests in whose midst this process did not run."""
    catalogue, plans = prepared.catalogue, variants(prepared.plan)

    @lru_cache(maxsize=64)
    def request(kind: Kind, round_number: int, arm: str | None) -> Request:
        entry = catalogue.model(prepared.models[arm])
        return build_request(
            kind,
            plans[arm],
            api=catalogue.provider.api,
            model=prepared.models[arm],
            parameters=entry.parameters if entry else {},
            nonce=nonce(run_id, round_number),
        )

    def price(trial: Trial, reply: Reply) -> float | None:
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        completion = reply.completion_tokens + (reply.reasoning_tokens or 0)
        model = prepared.models[trial.arm]
        return catalogue.usd(trial.endpoint, model, reply.prompt_tokens, completion)

    return Bench(
        run_id=run_id,
        vantage=prepared.vantage,
        endpoints={endpoint.name: endpoint for endpoint in prepared.endpoints},
        request_for=lambda trial: request(trial.kind, trial.round, trial.arm),
        make_client=lambda name: Awake(make_client(name, prepared.settings), pulse),
        price=price,
        pause_ms=prepared.plan.pause_ms,
    )


def _worst_usd(prepared: Prepared) -> Callable[[Trial], float]:
    """`Prepared.worst_usd`, worked out once for all trials that ask the same."""
    known: dict[tuple[Kind, str, str | None], float] = {}

    def worst(trial: Trial) -> float:
        asked = (trial.kind, trial.endpoint, trial.arm)
        if asked not in known:
            known[asked] = prepared.worst_usd(trial)
        return known[asked]

    return worst


def host_calibration() -> dict[str, Any] | None:
    """What the doctor says of this host; nothing where it cannot start its fleet."""
    try:
        return calibrate(CALIBRATING_REQUESTS).to_dict()
    except FleetError:
        return None


def describe(
    prepared: Prepared, calibration: dict[str, Any] | None = None, profile: str | None = None
) -> Run:
    """The run that is about to begin, under a name of its own."""
    started_at = utc_text()
    stamp = started_at[:19].replace("-", "").replace(":", "")
    return Run(
        run_id=f"{stamp}-{secrets.token_hex(3)}",
        plan=prepared.plan,
        plan_sha256=plan_sha256(prepared.plan),
        provider=prepared.catalogue.provider.name,
        simulated=prepared.catalogue.provider.simulated,
        vantage=prepared.vantage,
        model=prepared.model,
        models={arm: model for arm, model in prepared.models.items() if arm is not None},
        endpoints=prepared.asked,
        preflight=prepared.checks,
        scheduled=prepared.scheduled,
        started_at=started_at,
        versions=_versions(),
        clock=clock_facts(),
        platform=_platform(prepared.settings) | {"profile": profile},
        calibration=calibration,
    )


def _versions() -> dict[str, str]:
    names = ("regionbench", httplib.NAME, httplib.httpcore.__name__)
    return {
        **{name: importlib.metadata.version(name) for name in names},
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
    }


def _platform(settings: Settings) -> dict[str, object]:
    return {
        "proxy": proxy_words(settings),
        "ip": settings.family,
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "load_1m": round(os.getloadavg()[0], 2),
        "timezone": time.strftime("%z"),
    }


@contextmanager
def clock_limit(stop: Stop, where: Where) -> Iterator[None]:
    """End the run when it has lasted as long as it may."""
    if where.max_duration_s is None:
        yield
        return
    reason = f"the limit of {where.max_duration_s:g} s is reached"
    timer = threading.Timer(where.max_duration_s, stop.now, (reason,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def draining(end: Callable[[], object]) -> Iterator[None]:
    """Call ``end`` on the first SIGINT or SIGTERM, leave at once on the second: the process, or in
    a notebook, which holds a person's other work, the measurement."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    told: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        if told and notebook.inside():
            raise KeyboardInterrupt
        if told:
            os._exit(128 + number)
        told.append(number)
        end()

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, on_signal) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
