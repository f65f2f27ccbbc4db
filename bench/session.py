"""One measurement from plan to run folder: prepare, measure, store."""

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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bench.catalogue import Catalogue, load_catalogue
from bench.clients import CLIENTS, Settings, make_client
from bench.errors import PlanError
from bench.key import find_key
from bench.model import Check, Endpoint, Kind, Plan, Reply, Request, Run, Sample
from bench.plan import plan_sha256
from bench.preflight import check_endpoints, choose_model, measurable
from bench.probe import Bench, Stop, measure
from bench.request import build_request, nonce
from bench.schedule import schedule, scheduled
from bench.store import RunWriter
from bench.wire import httplib
from bench.wire.clock import clock_facts, utc_text
from bench.wire.trust import trust

if TYPE_CHECKING:
    import pandas as pd

FLEET = "fleet"
"""The catalogue name that starts a local fleet of its own for the time of the run."""

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Where:
    """Things of this machine that a measurement needs and a plan does not say."""

    results: Path = Path("results")
    key_file: Path | None = None
    ca: Path | None = None
    vantage: str | None = None
    profile: str = "typical"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that can run: who was asked for, who can be measured, with which model."""

    plan: Plan
    catalogue: Catalogue
    asked: tuple[Endpoint, ...]
    endpoints: tuple[Endpoint, ...]
    checks: tuple[Check, ...]
    model: str | None
    settings: Settings
    vantage: str

    @property
    def scheduled(self) -> int:
        """How many requests the plan sends."""
        return scheduled(self.plan, [endpoint.name for endpoint in self.endpoints])

    @property
    def dropped(self) -> tuple[Check, ...]:
        """Endpoints that the preflight found could not be measured."""
        return tuple(check for check in self.checks if check.outcome != "ok")

    def estimated_usd(self) -> float | None:
        """What the run should cost at most; None when a price is not known, 0 without chat."""
        if "chat" not in self.plan.kinds:
            return 0.0
        characters = sum(len(message.content) for message in self.plan.messages) + 24
        limit = self.plan.parameters.get("max_completion_tokens", 16)
        completion = limit if isinstance(limit, int) else 16
        prices = [
            self.catalogue.usd(e.name, self.model, characters // CHARACTERS_PER_TOKEN, completion)
            for e in self.endpoints
        ]
        if any(price is None for price in prices):
            return None
        chats = self.scheduled / len(self.plan.kinds) / len(self.endpoints)
        return chats * sum(price or 0.0 for price in prices)


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over: where it lies and how it ended (complete, interrupted or stopped)."""

    folder: Path
    status: str
    run: Run

    def frame(self) -> pd.DataFrame:
        """Its rows as a tidy DataFrame."""
        from bench.loading import load

        return load(self.folder)


Watcher = Callable[[Sample], None]


@contextmanager
def open_catalogue(plan: Plan, where: Where) -> Iterator[Catalogue]:
    """The plan's catalogue; for ``fleet`` a local fleet runs until the context ends.

    Raises CatalogueError or FleetError.
    """
    if plan.catalogue != FLEET:
        yield load_catalogue(plan.catalogue)
        return
    from bench.simulator import Fleet

    with Fleet.start(profile=where.profile, seed=plan.seed) as fleet:
        yield load_catalogue(str(fleet.catalogue))


def settings_for(plan: Plan, catalogue: Catalogue, where: Where) -> Settings:
    """What the clients have in common. Raises KeyMissing or UsageError."""
    needs_key = set(plan.kinds) != {"edge"}
    return Settings(
        context=trust(where.ca or catalogue.provider.ca),
        key=find_key(catalogue.provider, where.key_file) if needs_key else None,
        timeout_s=plan.timeout_s,
        http2=plan.http2,
    )


def prepare(plan: Plan, catalogue: Catalogue, where: Where) -> Prepared:
    """Check everything that can be checked before a request is paid for.

    Raises UsageError for what is wrong with the plan, the key or a name; NothingMeasured when no
    endpoint answers.
    """
    for client in plan.clients:
        if client not in CLIENTS:
            raise PlanError(
                f"clients: there is no client {client!r}; there is {', '.join(CLIENTS)}"
            )
    asked = catalogue.choose(plan.endpoints)
    settings = settings_for(plan, catalogue, where)
    checks = check_endpoints(asked, settings, catalogue.provider.api)
    endpoints = measurable(asked, checks)
    model = choose_model(plan, catalogue, checks)
    checks = tuple(_without_model(check, model) for check in checks)
    return Prepared(
        plan=plan,
        catalogue=catalogue,
        asked=asked,
        endpoints=measurable(endpoints, checks),
        checks=checks,
        model=model,
        settings=settings,
        vantage=where.vantage or platform.node() or "here",
    )


def _without_model(check: Check, model: str | None) -> Check:
    """A region that lists its models without this one cannot be measured with it."""
    if model is None or check.outcome != "ok" or not check.models or model in check.models:
        return check
    return Check(
        **{name: getattr(check, name) for name in Check.__dataclass_fields__}
        | {"outcome": "model_missing", "detail": f"does not list {model}"}
    )


def execute(
    prepared: Prepared, where: Where, *, watch: Watcher | None = None, stop: Stop | None = None
) -> Finished:
    """Measure everything that was prepared and store each row as it ends.

    The first SIGINT or SIGTERM ends the run with what it has, the second ends the process.
    Raises StoreError when rows can no longer be stored; the run stops sending then.
    """
    stop = stop or Stop()
    run = _describe(prepared)
    bench = _bench(prepared, run.run_id)
    trials = schedule(prepared.plan, [endpoint.name for endpoint in prepared.endpoints])
    with RunWriter.create(where.results, run) as writer, _signals(stop):
        samples = measure(bench, trials, stop, prepared.plan.concurrency)
        try:
            _store(samples, writer, watch)
        except BaseException:
            samples.close()
            writer.finish("stopped", finished_at=utc_text())
            raise
        status = "interrupted" if stop.event.is_set() else "complete"
        writer.finish(status, finished_at=utc_text())
    return Finished(writer.folder, status, run)


def _store(samples: Iterable[Sample], writer: RunWriter, watch: Watcher | None) -> None:
    for sample in samples:
        writer.append(sample)
        if watch is not None:
            watch(sample)
        writer.sync_if_due()


def run(
    plan: Plan | None = None, *, where: Where | None = None, watch: Watcher | None = None
) -> Finished:
    """Measure ``plan`` and store it: the whole of ``regionbench run`` in one call.

    Without a plan: the default one. Needs the provider's key in the environment, or
    ``make_plan(catalogue="fleet")``, which starts a local fleet and needs nothing.
    """
    plan, where = plan or Plan(), where or Where()
    with open_catalogue(plan, where) as catalogue:
        return execute(prepare(plan, catalogue, where), where, watch=watch)


def _bench(prepared: Prepared, run_id: str) -> Bench:
    plan, catalogue = prepared.plan, prepared.catalogue
    entry = catalogue.model(prepared.model)

    @lru_cache(maxsize=64)
    def request_for(kind: Kind, round_number: int) -> Request:
        return build_request(
            kind,
            plan,
            api=catalogue.provider.api,
            model=prepared.model,
            parameters=entry.parameters if entry else {},
            nonce=nonce(run_id, round_number),
        )

    def price(endpoint: str, reply: Reply) -> float | None:
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        completion = reply.completion_tokens + (reply.reasoning_tokens or 0)
        return catalogue.usd(endpoint, prepared.model, reply.prompt_tokens, completion)

    return Bench(
        run_id=run_id,
        vantage=prepared.vantage,
        endpoints={endpoint.name: endpoint for endpoint in prepared.endpoints},
        request_for=request_for,
        make_client=lambda name: make_client(name, prepared.settings),
        price=price,
        pause_ms=plan.pause_ms,
    )


def _describe(prepared: Prepared) -> Run:
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
        endpoints=prepared.asked,
        preflight=prepared.checks,
        scheduled=prepared.scheduled,
        started_at=started_at,
        versions=_versions(),
        clock=clock_facts(),
        platform=_platform(),
    )


def _versions() -> dict[str, str]:
    names = ("regionbench", httplib.NAME, httplib.httpcore.__name__)
    return {
        **{name: importlib.metadata.version(name) for name in names},
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
    }


def _platform() -> dict[str, object]:
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "load_1m": round(os.getloadavg()[0], 2),
        "timezone": time.strftime("%z"),
    }


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """Drain on the first SIGINT or SIGTERM, leave at once on the second."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.event.is_set():
            os._exit(128 + number)
        stop.now()

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, on_signal) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
