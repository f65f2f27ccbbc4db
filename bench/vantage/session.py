"""One measurement at a vantage: the ordinary loop in a thread, held back and read from outside."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.admission import Admission
from bench.awake import Pulse, beating
from bench.budget import Word as Leave
from bench.catalogue import Catalogue
from bench.errors import RegionbenchError
from bench.manners import Manners
from bench.model import Plan, Reply, Sample, Trial
from bench.plan import make_plan
from bench.prepare import FLEET, Prepared, Where, open_catalogue, prepare
from bench.probe import Bench, Stop, measure
from bench.schedule import schedule
from bench.session import bench_for, describe, host_calibration
from bench.units import NS_PER_S
from bench.vantage.speech import Introduction, Order, Said, State, Word, row_of
from bench.wire.clock import now_ns

LEASE_S = 10.0
"""A driver that was not heard of for so long is gone: nothing more is sent."""

HOLD_S = 0.5
"""How long an answer waits for news: few answers, so that little happens within a request."""

_LOOK_S = 0.5


class Leash:
    """The books of `bench.admission.Admission` where a driver keeps the real ones: what is below
    ``go`` may start, and nothing after an ``end``."""

    def __init__(self) -> None:
        self.go = 0
        self.over: str | None = None

    def ask(self, trial: Trial) -> Leave:
        """See `bench.admission.Books`."""
        if trial.seq < self.go:
            return "start"
        return "wait" if self.over is None else "over"

    def start(self, trial: Trial) -> None:
        """It counts since it was let go."""

    def end(self, trial: Trial, reply: Reply, cost_usd: float | None) -> None:
        """The driver reads that in the row."""

    def forget(self, trial: Trial) -> None:
        """That it has no row tells the driver."""

    def reason(self) -> str:
        """What the driver said."""
        return self.over or ""


class Session:
    """What a driver ordered, under way in a thread of its own. `hear` is for any thread.

    A row is given away before the next request is sent, and kept until it is stored.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._stop = Stop()
        self._leash = Leash()
        self._door = Admission(self._leash, Manners())
        self._changed = threading.Condition()
        self._rows: list[str] = []
        self._stored = 0
        self._state: State = "preparing"
        self._told: State | None = None
        self._introduction: Introduction | None = None
        self._failed: tuple[int, str] | None = None
        self._heard_ns = now_ns()
        for work in (self._work, self._watch_driver):
            threading.Thread(target=work, name="vantage", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether nothing more is sent."""
        return self._state == "over"

    def hear(self, word: Word) -> Said:
        """Do as the driver says, and tell what it does not know, or after `HOLD_S` that there is
        nothing new."""
        with self._changed:
            self._take(word)
            self._changed.wait_for(self._has_news, HOLD_S)
            self._heard_ns = now_ns()
            self._told = self._state
            introduction = None if word.go else self._introduction
            return Said(self._state, tuple(self._rows), introduction, self._failed)

    def _take(self, word: Word) -> None:
        self._heard_ns = now_ns()
        del self._rows[: max(0, word.stored - self._stored)]
        self._stored = max(self._stored, word.stored)
        self._leash.go = max(self._leash.go, word.go)
        self._leash.over = self._leash.over or word.end
        if word.now:
            self._stop.now(word.end)
        self._door.look_again()
        self._changed.notify_all()

    def _has_news(self) -> bool:
        return bool(self._rows) or self._state != self._told

    def _become(self, state: State, **known: Any) -> None:
        with self._changed:
            for name, value in known.items():
                setattr(self, f"_{name}", value)
            self._state = state
            self._changed.notify_all()

    def _work(self) -> None:
        failed: tuple[int, str] | None = None
        try:
            with (
                _belongings(self._order) as (plan, where),
                _opened(self._order, plan, where) as catalogue,
                beating() as pulse,
            ):
                self._measure(prepare(plan, catalogue, where), where, pulse)
        except RegionbenchError as error:
            failed = error.exit_code, str(error)
        except BaseException as error:
            failed = RegionbenchError.exit_code, _defect(error)
        self._become("over", failed=failed)

    def _measure(self, prepared: Prepared, where: Where, pulse: Pulse) -> None:
        order = self._order
        calibration = host_calibration() if where.calibrate else None
        profile = where.profile if prepared.plan.catalogue == FLEET else None
        run = replace(describe(prepared, calibration, profile), run_id=order.run_id)
        own = prepared.catalogue if prepared.plan.catalogue == FLEET else None
        bench = bench_for(prepared, order.run_id, pulse)
        asks = _asks(prepared, bench_for(prepared, "", pulse))
        self._become("ready", introduction=Introduction(asdict(run), asks, _dump(own)))
        trials = schedule(prepared.plan, [endpoint.name for endpoint in prepared.endpoints])
        for sample in measure(bench, trials, self._stop, prepared.plan.concurrency, self._door):
            self._give(sample)

    def _give(self, sample: Sample) -> None:
        """Return when the row is stored, or when everything ends."""
        row = row_of(sample)
        with self._changed:
            self._rows.append(row)
            number = self._stored + len(self._rows)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stored >= number or self._stop.event.is_set())

    def _watch_driver(self) -> None:
        while not self.over:
            with self._changed:
                self._changed.wait(_LOOK_S)
                if now_ns() - self._heard_ns > LEASE_S * NS_PER_S:
                    self._stop.now(f"the driver was not heard of for {LEASE_S:g} s")
                    self._changed.notify_all()
                    return


@contextmanager
def _belongings(order: Order) -> Iterator[tuple[Plan, Where]]:
    """The plan, and this machine's part of it, with a folder for what is to be a file."""
    with tempfile.TemporaryDirectory(prefix="regionbench-vantage-") as name:
        folder = Path(name)
        ca = None
        if order.ca is not None:
            ca = folder / "ca.pem"
            ca.write_text(order.ca, "ascii")
        machine = {**order.machine, "resolve": tuple(order.machine.get("resolve", ()))}
        yield make_plan(order.plan), Where(results=folder, ca=ca, vantage=order.vantage, **machine)


@contextmanager
def _opened(order: Order, plan: Plan, where: Where) -> Iterator[Catalogue]:
    """The driver's catalogue; where that is a fleet, one of this machine's own."""
    if order.catalogue is not None:
        yield Catalogue.model_validate(order.catalogue)
        return
    with open_catalogue(plan, where) as catalogue:
        yield catalogue


def _defect(error: BaseException) -> str:
    """Where it happened; what it says may hold what must not travel."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"a defect of the vantage: {type(error).__name__} in {place.name}, line {place.lineno}"


def _asks(prepared: Prepared, bench: Bench) -> str:
    """Digest of all that one round asks, with the same nonce on every vantage."""
    trials = schedule(replace(prepared.plan, rounds=1), [prepared.endpoints[0].name])
    first = {(t.kind, t.arm): bench.request_for(replace(t, round=0)).sha256 for t in trials}
    text = " ".join(f"{kind}/{arm}={digest}" for (kind, arm), digest in sorted(first.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _dump(catalogue: Catalogue | None) -> dict[str, Any] | None:
    return None if catalogue is None else dump(catalogue)


def dump(catalogue: Catalogue) -> dict[str, Any]:
    """A catalogue as it travels: without files of the machine that it is from."""
    content = catalogue.model_dump(mode="json", by_alias=True)
    content["provider"]["ca"] = None
    return content
