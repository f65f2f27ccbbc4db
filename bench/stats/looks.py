"""One cell of a comparison of two variants: what each measure shows, before chance is corrected.

Source of the rules and of their measured error rates: the reference, "Mode A".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy.special import stdtrit

from bench.stats.blocks import Side, aligned, tail_shift
from bench.stats.cells import QUANTILES
from bench.stats.quantiles import quantile
from bench.stats.rates import SMALLEST_RISE, fisher, smallest_seen
from bench.stats.shift import ALPHA, Z_ALPHA, Z_POWER, Shift, hodges_lehmann
from bench.stats.verdict import Measure

SMALLEST_N: dict[Measure, int] = {"p50": 20, "failure_rate": 20, "p90": 100, "p95": 300}
"""Requests a side from which a measure is judged: the normal approximation of the rank test, ten
blocks of ten rounds (with five, 2 to 3 % of equals are called slower), the reference's for p95."""

ALWAYS: tuple[Measure, ...] = ("p50", "p90", "failure_rate")
"""What is judged whatever n is; too few requests are then the answer."""

FLOOR: dict[Measure, float] = {
    "p50": math.log(1.05),
    "p90": math.log(1.10),
    "p95": math.log(1.10),
    "failure_rate": SMALLEST_RISE,
}
"""The smallest change that matters, in logs, for failure rates in shares."""


TIMED_OUT = "> timeout: too many of its requests fail"


@dataclass(frozen=True, slots=True)
class Look:
    """What one measure of one cell shows. Fields as in `bench.stats.verdict.Judged`.

    ``flagged``: by itself this cell would be an alarm. ``error`` is the standard error of the log
    ratio, None for failure rates. ``untold`` says why nothing can be told; ``p`` is None then.
    """

    measure: Measure
    n: int
    n_baseline: int
    baseline: float | None = None
    observed: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    error: float | None = None
    flagged: bool = False
    untold: str = ""


def measures_of(a: Side, b: Side) -> tuple[Measure, ...]:
    """What is judged: p95 only where both sides have enough for it."""
    enough = min(len(a.known), len(b.known)) >= SMALLEST_N["p95"]
    return ("p50", "p90", "p95", "failure_rate") if enough else ALWAYS


def look(a: Side, b: Side, measure: Measure, together: bool, margin: bool) -> Look:
    """Judge ``b`` against ``a`` by one measure.

    With ``margin`` the whole interval has to lie above the floor, not above nought: for sides that
    may drift apart on their own (two endpoints, two runs).
    """
    if measure == "failure_rate":
        return _failures(a, b)
    return _latency(a, b, measure, together, FLOOR[measure] if margin else 0.0)


def _latency(a: Side, b: Side, measure: Measure, together: bool, margin: float) -> Look:
    bare = _quantiles(a, b, measure)
    if bare.untold:
        return bare
    shift = _shift(a, b, measure, together, margin)
    return replace(
        bare,
        change=math.expm1(shift.value),
        low=math.expm1(shift.low),
        high=math.expm1(shift.high),
        p=shift.p,
        error=shift.error,
        flagged=shift.value >= FLOOR[measure] and shift.low > margin,
    )


def _shift(a: Side, b: Side, measure: Measure, together: bool, margin: float) -> Shift:
    if measure != "p50":
        return tail_shift(a, b, QUANTILES[measure], together, margin)
    if not together:
        return hodges_lehmann(a.known, b.known, margin)
    x, y = aligned(a, b)
    return hodges_lehmann(x.known, y.known, margin, max(a.blocks, b.blocks))


def _quantiles(a: Side, b: Side, measure: Measure) -> Look:
    few = min(len(a.known), len(b.known))
    before, now = (_quantile(side, QUANTILES[measure]) for side in (a, b))
    untold = ""
    if few < SMALLEST_N[measure]:
        untold = f"n too small: {few} of {SMALLEST_N[measure]}"
    elif before == math.inf:
        untold = f"the baseline's {measure} is {TIMED_OUT}"
    return Look(measure, b.n, a.n, before, now, untold=untold)


def _quantile(side: Side, q: float) -> float | None:
    return quantile(side.known, q) if len(side.known) else None


def _failures(a: Side, b: Side) -> Look:
    bare = Look("failure_rate", b.n, a.n, _share(a), _share(b))
    if bare.baseline is None or bare.observed is None:
        return replace(bare, untold="no request was counted")
    rise = bare.observed - bare.baseline
    reach = Z_ALPHA * math.sqrt(_variance(a) + _variance(b))
    p = fisher(b.failed, b.n, a.failed, a.n)
    flagged = rise >= SMALLEST_RISE and p < ALPHA
    untold = "" if flagged else _untold_failures(a, b)
    return replace(
        bare,
        change=rise,
        low=max(-1.0, rise - reach),
        high=min(1.0, rise + reach),
        p=None if untold else p,
        flagged=flagged,
        untold=untold,
    )


def _share(side: Side) -> float | None:
    return side.failed / side.n if side.n else None


def _variance(side: Side) -> float:
    """Of a share, with two imaginary successes and failures (Agresti and Caffo, The American
    Statistician 54, 2000): no share of nought or one is certain."""
    share = (side.failed + 1) / (side.n + 2)
    return share * (1 - share) / (side.n + 2)


def _untold_failures(a: Side, b: Side) -> str:
    if a.failed == a.n:
        return "the baseline fails every time: nothing can be worse"
    few = min(a.n, b.n)
    small = few < SMALLEST_N["failure_rate"]
    return f"n too small: {few} of {SMALLEST_N['failure_rate']}" if small else ""


def detectable(one: Look, a: Side, b: Side, cells: int, margin: bool) -> float | None:
    """The smallest change that would have been found with a chance of 80 %; None: none would.

    exp((z(1 − α) + z.80) · SE) − 1 above the margin, and at least what lifts the estimate over the
    floor so often. α is 1 %, or what Holm leaves to the first of ``cells`` where that is less. In
    the tail t stands for z, since SE is known from as few values as there are blocks.
    """
    alpha = min(ALPHA, 0.05 / max(1, cells))
    if one.measure == "failure_rate":
        return _detectable_failures(a, b.n, alpha)
    if one.error is None or not math.isfinite(one.error):
        return None
    dof = math.inf if one.measure == "p50" else max(1, min(a.blocks, b.blocks) - 1)
    floor = FLOOR[one.measure]
    bound = (floor if margin else 0.0) + float(stdtrit(dof, 1 - alpha)) * one.error
    return math.expm1(max(floor, bound) + Z_POWER * one.error)


def _detectable_failures(a: Side, n: int, alpha: float) -> float | None:
    before = a.failed / a.n

    def alarms(k: int) -> bool:
        return k / n - before >= SMALLEST_RISE and fisher(k, n, a.failed, a.n) < alpha

    seen = smallest_seen(n, alarms)
    return None if seen is None else seen - before
