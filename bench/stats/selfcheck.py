"""How often would the gate be wrong here? The same rules, on the user's own rows, where nothing
changed: every alarm is a false one.

Mode A: an endpoint's own rounds are dealt to two sides, of two rounds that follow each other one to
each, by chance; that is what two equal arms of a plan would have seen. Mode B: each stored batch is
judged against all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.stats import encode
from bench.stats.baseline import against
from bench.stats.batches import Batch, batches
from bench.stats.blocks import ROUNDS, Side
from bench.stats.compare import judge_pairings
from bench.stats.looks import FLOOR, SMALLEST_N
from bench.stats.metrics import countable, latency_ms
from bench.stats.predict import FEWEST
from bench.stats.quantiles import Values
from bench.stats.rates import Rate, rate
from bench.stats.strata import Stratum, runs_of, stratify
from bench.stats.variants import Pairing
from bench.stats.verdict import Judged, Measure

SPLITS = 200
LARGEST = 300
"""Requests a side at most; of more rounds each split takes a stretch at a random place."""

_SEED = 20260314

Mode = Literal["variants", "history"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One endpoint × stratum × measure: ``alarms`` of so many comparisons of equals.

    ``n`` requests were on each side; ``detectable`` is the smallest change that 80 % of these
    comparisons would have found, a ratio less one or points, None where none would.
    """

    mode: Mode
    endpoint: str
    stratum: Stratum
    measure: Measure
    n: int
    alarms: Rate
    detectable: float | None


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What the gate's rules do on rows in which nothing changed.

    ``any_variant`` and ``any_history``: verdicts with any alarm at all, of so many; None: not
    enough data, and ``untold`` says what is missing. Splits of one set of rows resemble each other,
    so the intervals bound the luck of dealing and not that of the days on which was measured.
    """

    cells: tuple[Checked, ...]
    any_variant: Rate | None
    any_history: Rate | None
    untold: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        found: dict[str, Any] = encode.plain(self)
        return found


def calibrate_gate(df: pd.DataFrame, splits: int = SPLITS) -> SelfCheck:
    """Measure both modes on the rows of a tidy frame; seeds are fixed.

    Never raises for want of rows.
    """
    series, few = _series(df)
    dealt = [_deal(series, np.random.default_rng((_SEED, k))) for k in range(splits)]
    verdicts = [judge_pairings(one, margin=False) for one in dealt] if series else []
    stored = batches(df)
    looks = list(_leave_one_out(stored)) if len(stored) > FEWEST else []
    short = [] if looks else [f"mode B needs {FEWEST + 1} batches, and these are {len(stored)}"]
    return SelfCheck(
        (*_checked("variants", verdicts), *_checked("history", looks)),
        _any(verdicts),
        _any(looks),
        (*few, *short),
    )


Series = tuple[str, Stratum, Values]


def _series(df: pd.DataFrame) -> tuple[list[Series], list[str]]:
    """The latencies of each endpoint × stratum in order of time, and what has too few of them."""
    found, few = [], []
    for stratum, rows in stratify(countable(df), runs_of(df)):
        ordered = rows.sort_values(["started_at", "run_id", "seq"], kind="stable")
        for name, part in ordered.groupby(ordered["endpoint"].astype("string")):
            if len(part) >= 2 * SMALLEST_N["p50"]:
                found.append((str(name), stratum, latency_ms(part, stratum.metric)))
            else:
                need = 2 * SMALLEST_N["p50"]
                few.append(f"{name} ({stratum}): mode A needs {need} requests, not {len(part)}")
    return found, few


def _deal(series: Sequence[Series], rng: np.random.Generator) -> list[Pairing]:
    return [Pairing(name, stratum, *_sides(ms, rng)) for name, stratum, ms in series]


def _sides(ms: Values, rng: np.random.Generator) -> tuple[Side, Side]:
    """Two sides that took turns in random order, in blocks as a plan with two arms has them."""
    pairs = min(LARGEST, len(ms) // 2)
    begin = int(rng.integers(0, len(ms) - 2 * pairs + 1))
    turns = ms[begin : begin + 2 * pairs].reshape(pairs, 2)
    first = (rng.random(pairs) < 0.5).astype(np.int64)
    block = np.arange(pairs, dtype=np.int64) // ROUNDS
    place = np.arange(pairs)
    return Side(turns[place, first], block), Side(turns[place, 1 - first], block)


def _leave_one_out(stored: Sequence[Batch]) -> Iterator[tuple[Judged, ...]]:
    """Each batch against all others; with enough of them the next one is the confirmation."""
    confirms = len(stored) > FEWEST + 1
    for place, new in enumerate(stored):
        after = (place + 1) % len(stored)
        left_out = {place, after} if confirms else {place}
        past = [one for k, one in enumerate(stored) if k not in left_out]
        yield against(past, new, stored[after] if confirms else None).judged


def _checked(mode: Mode, verdicts: Sequence[tuple[Judged, ...]]) -> list[Checked]:
    """The cells of all verdicts that could tell anything, in order."""
    cells: dict[tuple[str, Stratum, Measure], list[Judged]] = {}
    for judged in verdicts:
        for one in judged:
            if one.p is not None:
                cells.setdefault((one.endpoint, one.stratum, one.measure), []).append(one)
    return [
        Checked(
            mode,
            *key,
            n=round(float(np.median([one.n for one in found]))),
            alarms=rate(sum(map(_alarms, found)), len(found)),
            detectable=_detectable(mode, found),
        )
        for key, found in cells.items()
    ]


def _alarms(one: Judged) -> bool:
    """Regressed, or suspect where there was nothing to confirm it with."""
    return one.state == "regressed" or (one.state == "inconclusive" and one.p is not None)


def _any(verdicts: Sequence[tuple[Judged, ...]]) -> Rate | None:
    hits = [any(map(_alarms, judged)) for judged in verdicts]
    return rate(sum(hits), len(hits)) if hits else None


def _detectable(mode: Mode, found: Sequence[Judged]) -> float | None:
    """Between sides, what had to be added to their difference for an alarm, in 80 % of cases."""
    told = [one.detectable for one in found if one.detectable is not None]
    if mode == "variants" and found[0].measure != "failure_rate":
        return float(np.expm1(np.quantile([_missing(one) for one in found], 0.8)))
    return float(np.median(told)) if told else None


def _missing(one: Judged) -> float:
    """How much slower, in logs, the second side had to be to lift interval and estimate enough."""
    low, value = (np.log1p(max(end or 0.0, -1 + 1e-9)) for end in (one.low, one.change))
    return float(max(FLOOR[one.measure] - value, -low))
