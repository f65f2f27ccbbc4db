"""How true this host's times are: the harness measured against a fleet whose delay is known.

Every request of the calibration carries its true delay (the fleet notes when the request's last
byte came and when the first byte of the response left), so bias = what a layer measured − truth.
It includes some 0.1 ms of transit and of the fleet's own waking up, which no client can avoid.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.catalogue import load_catalogue
from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.key import find_key
from bench.model import Reply
from bench.plan import make_plan
from bench.request import build_request, nonce
from bench.simulator import Fleet
from bench.units import NS_PER_MS, NS_PER_US
from bench.wire.clock import clock_facts, now_ns, sleep_until
from bench.wire.trust import trust

LAYERS = ("kernel", "socket", "app")
DELAY_MS = 20.0
_PROFILE, _ENDPOINT = "steady", "steady"
_WARMUPS = 3
_NAP_NS = 2 * NS_PER_MS

NOISY_WAKEUP_P90_US = 500.0
NOISY_TIMER_P99_US = 1000.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles of n values in microseconds."""

    n: int
    p50_us: float
    p90_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the doctor found: ``bias`` per layer, lateness of timers and of waking up, the clock.

    ``verdict`` is quiet or noisy; ``advice`` says what to do about it.
    """

    delay_ms: float
    best_layer: str
    bias: Mapping[str, Spread]
    wakeup_late: Spread | None
    timer_late: Spread
    sleep_late: Spread
    clock_steps: int
    clock: Mapping[str, object]
    load_1m: float
    verdict: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON for ``run.json``."""
        return asdict(self)


def calibrate(requests: int = 40) -> Calibration:
    """Measure this host with ``requests`` streamed requests of 20 ms each. Raises FleetError."""
    with Fleet.start(profile=_PROFILE) as fleet:
        replies = _ask(fleet, requests)
        truth = {deed["request_id"]: deed.get("first_ms") for deed in fleet.truth()}
    bias = {layer: spread for layer in LAYERS if (spread := _bias(replies, truth, layer))}
    late = [r.wakeup_late_ns / NS_PER_US for r in replies if r.wakeup_late_ns is not None]
    return _judged(
        delay_ms=DELAY_MS,
        best_layer=next(iter(bias), "none"),
        bias=bias,
        wakeup_late=_spread(late),
        timer_late=_timer(_spin),
        sleep_late=_timer(_sleep),
        clock_steps=sum(bool(reply.clock_step) for reply in replies),
        clock=clock_facts(),
        load_1m=round(os.getloadavg()[0], 2),
    )


def _ask(fleet: Fleet, requests: int) -> list[Reply]:
    catalogue = load_catalogue(str(fleet.catalogue))
    settings = Settings(trust(fleet.ca), find_key(catalogue.provider), timeout_s=5.0)
    endpoint = catalogue.choose((_ENDPOINT,))[0]
    with _client(settings) as client:
        replies = [
            client.send(endpoint, _request(number, catalogue.models[0].id), "warm")
            for number in range(_WARMUPS + requests)
        ]
    return [reply for reply in replies[_WARMUPS:] if reply.outcome == "ok"]


@contextmanager
def _client(settings: Settings) -> Iterator[HttpClient]:
    client = HttpClient(settings)
    try:
        yield client
    finally:
        client.close()


def _request(number: int, model: str) -> Any:
    return build_request(
        "chat",
        make_plan(),
        api="/v1",
        model=model,
        parameters={"reasoning_effort": "none"},
        nonce=nonce("doctor", number),
    )


def _bias(replies: Sequence[Reply], truth: Mapping[str, float | None], layer: str) -> Spread | None:
    found = []
    for reply in replies:
        measured_ns = getattr(reply, f"ttfb_{layer}_ns")
        true_ms = truth.get(reply.request_id or "")
        if measured_ns is not None and true_ms is not None:
            found.append(measured_ns / NS_PER_US - true_ms * 1000)
    return _spread(found)


def _spin(due_ns: int) -> None:
    sleep_until(due_ns, threading.Event())


def _sleep(due_ns: int) -> None:
    time.sleep(max(0, due_ns - now_ns()) / 1e9)


def _timer(wait: Any, naps: int = 100) -> Spread:
    late = []
    for _ in range(naps):
        due_ns = now_ns() + _NAP_NS
        wait(due_ns)
        late.append((now_ns() - due_ns) / NS_PER_US)
    spread = _spread(late)
    assert spread is not None  # noqa: S101  # there were naps
    return spread


def _spread(values_us: Sequence[float]) -> Spread | None:
    """Nearest-rank quantiles; None of nothing."""
    if not values_us:
        return None
    ordered = sorted(values_us)

    def at(q: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 1)

    return Spread(len(ordered), at(0.5), at(0.9), at(0.99))


def _judged(**found: Any) -> Calibration:
    wakeup, timer = found["wakeup_late"], found["timer_late"]
    reasons = []
    if wakeup is not None and wakeup.p90_us > NOISY_WAKEUP_P90_US:
        reasons.append(f"wakes up {wakeup.p90_us:.0f} µs late (p90)")
    if timer.p99_us > NOISY_TIMER_P99_US:
        reasons.append(f"timers are {timer.p99_us:.0f} µs late (p99)")
    if found["load_1m"] > (os.cpu_count() or 1):
        reasons.append(f"load {found['load_1m']} on {os.cpu_count()} cores")
    if found["clock_steps"]:
        reasons.append("the wall clock was stepped")
    return Calibration(
        **found,
        verdict="noisy" if reasons else "quiet",
        advice=_advice(reasons, found["best_layer"]),
    )


def _advice(reasons: Sequence[str], best: str) -> str:
    if best != "kernel":
        stamps = "No kernel stamps here: times come from the socket and carry this host's lateness."
    elif reasons:
        stamps = "Kernel stamps keep TTFB and TTFT true; start times and other clients are late."
    else:
        stamps = "Times come from kernel stamps."
    if not reasons:
        return stamps
    return f"This host {', '.join(reasons)}: stop other work on it, or measure elsewhere. {stamps}"
