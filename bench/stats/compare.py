"""Did it get slower? Two variants, each with the other as its measure (the reference's mode A).

p50        Hodges and Lehmann's shift of log latency, regressed from +5 % when its interval is
           above nought; in shared rounds each block's median is divided out before
p90, p95   bootstrap over blocks of ten rounds, from +10 %
failures   Fisher's exact test, from 2 points

each at one-sided 1 %, and over all cells of the verdict Holm at 5 %. What may drift apart on its
own (two endpoints, two runs) has to be slower by more than the floor with its whole interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from bench.model import Caution
from bench.stats.corrections import holm
from bench.stats.looks import ALWAYS, TIMED_OUT, Look, detectable, look, measures_of
from bench.stats.vantages import vantages_of
from bench.stats.variants import By, Pairing, pair_runs, pair_variants
from bench.stats.verdict import Judged, State, Verdict

HOLM_ALPHA = 0.05
SITTINGS = 3
"""Two endpoints drift apart for hours: fewer runs than this say little about them."""

Seen = tuple[Pairing, Look]


def compare(df: pd.DataFrame, by: By, a: str, b: str) -> Verdict:
    """Whether variant ``b`` is worse than ``a``, for each endpoint × stratum × measure.

    ``df`` is a tidy frame with the rows of both; ``by`` is the column that tells them apart. Only
    rounds that asked both count; where there are none, the verdict is not interleaved and says so.
    Raises PlanError when a variant is not in the frame.
    """
    pairings = pair_variants(df, by, a, b)
    margin = by == "endpoint"
    judged = judge_pairings(pairings, margin)
    interleaved = all(one.together for one in pairings if one.a and one.b)
    found = [*_endpoint_cautions(df, margin), *_round_cautions(pairings), *_empty(pairings, a, b)]
    return Verdict("variant", a, b, interleaved, judged, tuple(found))


def compare_runs(df_a: pd.DataFrame, df_b: pd.DataFrame, a: str, b: str) -> Verdict:
    """Whether the runs in ``df_b`` are worse than those in ``df_a``, which were measured apart.

    Drift between the two is inside every difference; the margin rule and a caution answer to that.
    """
    pairings = pair_runs(df_a, df_b)
    judged = judge_pairings(pairings, margin=True)
    told = (_NOT_INTERLEAVED, *_elsewhere(df_a, df_b), *_empty(pairings, a, b))
    return Verdict("variant", a, b, False, judged, told)


def judge_pairings(pairings: Sequence[Pairing], margin: bool) -> tuple[Judged, ...]:
    """All cells of one verdict: each by itself, then all of them corrected together."""
    seen = [(one, found) for one in pairings for found in _looks(one, margin)]
    tested = [found.p for _, found in seen if found.p is not None]
    adjusted = iter(holm(tested))
    return tuple(
        _judged(one, found, None if found.p is None else next(adjusted), len(tested), margin)
        for one, found in seen
    )


def _looks(one: Pairing, margin: bool) -> list[Look]:
    a, b = one.a, one.b
    if a is None or b is None:
        side = "baseline" if a is None else "candidate"
        untold = f"the {side} has no rows here: {one.why or 'measure both in the same rounds'}"
        n, n_baseline = b.n if b else 0, a.n if a else 0
        return [Look(measure, n, n_baseline, untold=untold) for measure in ALWAYS]
    loose = margin or not one.together
    return [look(a, b, measure, one.together, loose) for measure in measures_of(a, b)]


def _judged(one: Pairing, found: Look, adjusted: float | None, cells: int, margin: bool) -> Judged:
    state = _state(found, adjusted)
    seen = None
    if state == "ok" and one.a is not None and one.b is not None:
        seen = detectable(found, one.a, one.b, cells, margin or not one.together)
    return Judged(
        endpoint=one.endpoint,
        stratum=one.stratum,
        measure=found.measure,
        state="inconclusive" if state == "ok" and seen is None else state,
        baseline=found.baseline,
        observed=found.observed,
        change=found.change,
        low=found.low,
        high=found.high,
        p=found.p,
        p_adjusted=adjusted,
        detectable=seen,
        n=found.n,
        n_baseline=found.n_baseline,
        reason=_reason(found, state, adjusted, seen),
    )


def _state(found: Look, adjusted: float | None) -> State:
    if adjusted is None:
        return "inconclusive"
    return "regressed" if found.flagged and adjusted <= HOLM_ALPHA else "ok"


def _reason(found: Look, state: State, adjusted: float | None, seen: float | None) -> str:
    if state == "ok" and seen is None:
        return "nothing could have been seen: too few requests, or too many failures"
    if state == "ok" and found.flagged:
        return f"worse by itself, yet within chance among all cells (p {adjusted:.2g})"
    return found.untold or (TIMED_OUT if found.observed == math.inf else "")


_NOT_INTERLEAVED = Caution(
    "not_interleaved",
    "The two were not measured in the same rounds: whatever drifted between them is inside every"
    " difference. In simulation 5 to 15 of 100 such comparisons of equals look slower.",
    "Measure both in one run: `regionbench run --arm name=…`, then `regionbench compare`.",
)


def _elsewhere(df_a: pd.DataFrame, df_b: pd.DataFrame) -> list[Caution]:
    """Two runs of one vantage each, and not of the same: somebody wants to know, and shall."""
    ours, theirs = vantages_of(df_a), vantages_of(df_b)
    if ours == theirs or len(ours) != 1 or len(theirs) != 1:
        return []
    text = f"One was measured from {ours[0]}, the other from {theirs[0]}: the way is part of it."
    advice = "What one place says of its endpoints: `regionbench choose BATCH`."
    return [Caution("other_vantage", text, advice)]


def _endpoint_cautions(df: pd.DataFrame, endpoints: bool) -> list[Caution]:
    runs = int(df["run_id"].nunique())
    if not endpoints or runs >= SITTINGS:
        return []
    return [
        Caution(
            "endpoints_drift",
            f"Two endpoints drift apart on their own for hours, and {_sittings(runs)}: in"
            " simulation 2 to 7 of 100 equal pairs look slower in one, 2 to 3 in three.",
            f"Measure in {SITTINGS} runs or more, hours apart, before changing anything.",
        )
    ]


def _sittings(runs: int) -> str:
    return "this is one sitting" if runs == 1 else f"these are {runs} sittings"


def _round_cautions(pairings: Sequence[Pairing]) -> list[Caution]:
    both = [one for one in pairings if one.a and one.b]
    found = [] if all(one.together for one in both) else [_NOT_INTERLEAVED]
    apart = sum(one.apart for one in both)
    if apart:
        text = f"{apart} requests are of rounds that only one of the two has, and do not count."
        found.append(Caution("rounds_apart", text, "Let a run end by itself."))
    return found


def _empty(pairings: Sequence[Pairing], a: str, b: str) -> list[Caution]:
    if pairings:
        return []
    text = f"No request of {a} nor of {b} counts: nothing was compared."
    return [Caution("nothing_compared", text, "`regionbench doctor` says what can be reached.")]
