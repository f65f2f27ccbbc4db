"""What a driver and its vantages say to each other: plain JSON, checked by whoever hears it.

    Order    to open a session: who you are, what to measure
    Word     each time: so many rows are on the disk, so far you may go, stop
    Said     each answer: where I stand, rows that you do not have yet

Saying anything twice changes nothing: what may start is a number that only grows.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from bench.errors import RegionbenchError
from bench.model import COLUMNS, OUTCOMES, Run, Sample, Trial
from bench.store import lines

MAX_BYTES = 64 * 2**20
"""Longer than any honest answer: a row has a few kilobytes, a list of models some more."""

SAME = ("seq", "round", "endpoint", "kind", "connection", "client", "arm", "warmup", "due_ns")
"""What a row has from its trial."""

State = Literal["preparing", "ready", "over"]


class Untrue(RegionbenchError):
    """A vantage said something that cannot be so."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who a worker is. ``born`` is drawn once in the life of its process."""

    regionbench: str
    born: str
    host: str
    name: str | None = None
    labels: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """To open a session. ``machine`` are fields of `bench.prepare.Where`; ``ca`` is PEM."""

    session: str
    born: str
    run_id: str
    vantage: str
    plan: dict[str, Any]
    catalogue: dict[str, Any] | None
    ca: str | None
    machine: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """``stored`` rows are on the driver's disk; trials below ``go`` may start. ``end``: nothing
    more may, and why; ``now``: what is in flight shall end too."""

    session: str
    stored: int = 0
    go: int = 0
    end: str | None = None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a vantage found before anything was timed. ``asks`` is a digest of all that one round
    asks, the nonce aside; ``catalogue`` is said by a vantage with a fleet of its own."""

    run: dict[str, Any]
    asks: str
    catalogue: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Where a session stands. ``rows`` are those after the first ``stored``. ``failed`` is an
    error's exit code and its sentence, and ends the session."""

    state: State
    rows: tuple[str, ...] = ()
    introduction: Introduction | None = None
    failed: tuple[int, str] | None = None


HELLO = TypeAdapter(Hello)
ORDER = TypeAdapter(Order)
WORD = TypeAdapter(Word)
SAID = TypeAdapter(Said)
_RUN = TypeAdapter(Run)
_SAMPLE = TypeAdapter(Sample)


def speak(kind: TypeAdapter[Any], value: object) -> str:
    """JSON of one of the records above."""
    return kind.dump_json(value).decode()


def hear(kind: TypeAdapter[Any], text: object) -> Any:
    """The record in a text. Raises Untrue for anything else."""
    if not isinstance(text, str) or len(text) > MAX_BYTES:
        raise Untrue("it is no text, or too long a one")
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        raise Untrue(_first(error)) from None


def run_of(said: Introduction) -> Run:
    """The run that a vantage describes. Raises Untrue where it is none."""
    try:
        return _RUN.validate_python(said.run)
    except ValidationError as error:
        raise Untrue(f"its run has no such {_first(error)}") from None


def row_of(sample: Sample) -> str:
    """A row as it travels. StoreError for one that could not be stored either."""
    row = lines.plain(sample)
    return json.dumps({name: row.get(name) for name in COLUMNS})


def sample_of(row: str, run: Run, trials: dict[int, Trial]) -> Sample:
    """The sample in a row, if it can be one of ``trials`` (by ``seq``). Raises Untrue."""
    try:
        sample = _SAMPLE.validate_json(row, strict=True)
    except ValidationError as error:
        raise Untrue(_first(error)) from None
    trial = trials.get(sample.seq)
    if trial is None:
        raise Untrue(f"seq: {sample.seq} was not asked for, or is there already")
    _check(sample, run, trial)
    return sample


def _check(sample: Sample, run: Run, trial: Trial) -> None:
    regions = {endpoint.name: endpoint.region for endpoint in run.endpoints}
    true = {name: getattr(trial, name) for name in SAME}
    true |= {"run_id": run.run_id, "vantage": run.vantage, "region": regions[trial.endpoint]}
    for name, value in true.items():
        if (told := getattr(sample, name)) != value:
            raise Untrue(f"{name}: {told!r:.60} instead of {value!r:.60}")
    if sample.outcome not in OUTCOMES:
        raise Untrue(f"outcome: there is no {sample.outcome!r:.60}")
    if min(sample.total_ns or 0, sample.ttft_ns or 0) < 0:
        raise Untrue("it ended before it began")
    if sample.cost_usd is not None and not 0 <= sample.cost_usd < math.inf:
        raise Untrue(f"cost_usd: {sample.cost_usd}")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
