"""The product's hot paths: what is done per request, per row, per look.

Only what is public and likely to stay: the same code is run against older revisions of `bench`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import bench
from bench.frame import tidy
from bench.model import Plan, Run, Sample
from bench.simulator import Fleet
from bench.stats.race import Race, RaceRules
from bench.store import RunWriter
from tests import synthetic
from tests.profiles import at_once

Path_ = Callable[[Path], AbstractContextManager[Callable[[], object]]]


@contextmanager
def request(folder: Path) -> Iterator[Callable[[], object]]:
    """A run of ten streamed requests over a warm connection, from plan to stored rows."""
    profile = folder / "fast.toml"
    profile.write_text(at_once(tokens=12, token_ms=0.1), encoding="utf-8")
    with Fleet.start(profile=profile) as fleet:
        plan = bench.make_plan(catalogue=str(fleet.catalogue), endpoints=("near",), rounds=10)
        where = bench.Where(results=folder / "results")
        yield lambda: bench.run(plan, where=where)


@contextmanager
def append(folder: Path) -> Iterator[Callable[[], object]]:
    """A new run and 400 rows with twelve tokens each appended to it."""
    rows, numbers = [_sample(seq) for seq in range(400)], itertools.count()

    def write() -> None:
        with RunWriter.create(folder / "results", _run(f"r{next(numbers)}", len(rows))) as writer:
            for row in rows:
                writer.append(row)

    yield write


@contextmanager
def load(folder: Path) -> Iterator[Callable[[], object]]:
    """A finished run of 1,000 rows from disk to tidy frame."""
    with RunWriter.create(folder / "results", _run("r", 1000)) as writer:
        for seq in range(1000):
            writer.append(_sample(seq))
        writer.finish("complete", finished_at=_STARTED)
    yield lambda: bench.load(folder / "results")


@contextmanager
def summarise(_: Path) -> Iterator[Callable[[], object]]:
    """The summary of 60 rounds of two endpoints."""
    names = ("global", "us-east-1")
    df = tidy(synthetic.rows(60, names), [synthetic.run(names)])
    yield lambda: bench.summarise(df)


@contextmanager
def decide(_: Path) -> Iterator[Callable[[], object]]:
    """Forty looks of a race between four endpoints that are nearly alike."""
    names = ("a", "b", "c", "d")
    rng = np.random.default_rng(1)
    drawn = 400 * np.exp(0.3 * rng.standard_normal((40, 4)))
    rounds = [dict(zip(names, row.tolist(), strict=True)) for row in drawn]

    def race() -> None:
        running = Race(names, RaceRules(within=0.001, within_ms=0.1))
        for one in rounds:
            running.add(one)

    yield race


PATHS: Mapping[str, Path_] = {
    "request": request,
    "append": append,
    "load": load,
    "summarise": summarise,
    "decide": decide,
}
"""Name → a context with the call to time; in the order in which they are timed."""

_STARTED = "2026-03-14T09:00:00.000000+00:00"


def _sample(seq: int) -> Sample:
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Sample)}
    row = synthetic.rows(1, warmup_rounds=0)[seq % 4]
    offsets = tuple(150_000_000 + 2_000_000 * token for token in range(12))
    own = {"seq": seq, "round": seq // 4, "warmup": False, "late_ns": None, "due_ns": None}
    tokens = {"token_offsets_ns": offsets, "token_coalesced": (False,) * 12}
    known = {name: value for name, value in row.items() if name in values}
    return Sample(**{**values, **known, **own, **tokens})


def _run(run_id: str, scheduled: int) -> Run:
    return Run(
        run_id=run_id,
        plan=Plan(),
        plan_sha256="0" * 64,
        provider="local",
        simulated=True,
        vantage="here",
        model="grok-sim",
        endpoints=(),
        preflight=(),
        scheduled=scheduled,
        started_at=_STARTED,
        versions={},
        clock={},
        platform={},
    )
