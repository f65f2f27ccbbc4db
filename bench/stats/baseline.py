"""Did it get slower than it used to be? A new batch against past ones (the reference's mode B).

A cell is suspect when it lies beyond what its history predicts at one-sided 1 %, by 5 % or 2 points
at least, and beyond Benjamini-Hochberg's 10 % over all cells. Then the suspects alone are measured
once more; regressed is what is beyond one-sided 5 % there too. Without ten past batches there is no
baseline, and that is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NoReturn

import pandas as pd

from bench.errors import NotEnoughData
from bench.model import Caution
from bench.stats.batches import Batch, BatchCell, batch, batches
from bench.stats.corrections import benjamini_hochberg
from bench.stats.looks import ALWAYS, TIMED_OUT, Look
from bench.stats.predict import FDR, FEWEST, detectable_back, look_back
from bench.stats.strata import Stratum, order
from bench.stats.verdict import Judged, Measure, State, Verdict

CONFIRM_ALPHA = 0.05
RECENT = 20
"""Past batches that count: the reference's error rates are measured for 12 to 20, and what a
service was like long ago predicts little."""

SITTINGS = 3
MOSTLY = 0.9
"""A history that fails more often than this had nothing to lose."""

__all__ = [
    "FEWEST",
    "Batch",
    "BatchCell",
    "Trial",
    "against",
    "against_each",
    "batch",
    "batches",
    "judge_newest",
    "suspects",
]

Key = tuple[str, Stratum]


@dataclass(frozen=True, slots=True)
class Case:
    """One cell with its history, the new measurement and, where there is one, the fresh one.

    ``dropped``: why the endpoint could not be measured at all in the new batch; ``dropped_again``:
    nor in the fresh one.
    """

    key: Key
    measure: Measure
    past: tuple[BatchCell, ...]
    new: BatchCell | None
    fresh: BatchCell | None
    look: Look
    dropped: str = ""
    dropped_again: bool = False

    @property
    def always(self) -> bool:
        """Fails every time, which is no matter of chance."""
        every = self.new is not None and self.new.n >= FEWEST and self.new.failed == self.new.n
        return self.measure == "failure_rate" and every


@dataclass(frozen=True, slots=True)
class Trial:
    """A batch to judge: by those before it, oldest first, and by a fresh one of its suspects."""

    past: Sequence[Batch]
    new: Batch
    confirmation: Batch | None = None


def against(past: Sequence[Batch], new: Batch, confirmation: Batch | None = None) -> Verdict:
    """Whether ``new`` is worse than the batches before it, oldest first; the last 20 count.

    ``confirmation`` is a fresh batch of at least the suspects (`suspects`), measured in the same
    way. Without it a suspect is inconclusive. An endpoint that history has and ``new`` lacks is
    inconclusive too, and one that fails every time is regressed, with or without a history.
    """
    (verdict,) = against_each([Trial(past, new, confirmation)])
    return verdict


def against_each(trials: Sequence[Trial]) -> list[Verdict]:
    """A verdict a trial, as `against`, all of them one family: what is judged from three vantages
    has three times the chances to be wrong, so all cells are corrected together."""
    cases = [_all_cases(trial) for trial in trials]
    tested = [case.look.p for found in cases for case in found if case.look.p is not None]
    adjusted = iter(benjamini_hochberg(tested))
    return [
        _verdict(
            trial,
            [
                _judged(case, None if case.look.p is None else next(adjusted), len(tested))
                for case in found
            ],
        )
        for trial, found in zip(trials, cases, strict=True)
    ]


def _all_cases(trial: Trial) -> list[Case]:
    past = trial.past[-RECENT:]
    keys = _keys(past, trial.new)
    return [case for key in keys for case in _cases(key, past, trial.new, trial.confirmation)]


def _verdict(trial: Trial, judged: Sequence[Judged]) -> Verdict:
    past = trial.past[-RECENT:]
    told = tuple(_cautions(past, trial.new))
    by, name = f"{len(past)} past runs", trial.new.name
    return Verdict("history", by, name, False, tuple(judged), told)


def judge_newest(df: pd.DataFrame, confirmation: pd.DataFrame | None = None) -> Verdict:
    """The newest batch of a tidy frame of several runs against those before it, as `against`.

    ``confirmation`` is the frame of a fresh run of the suspects. Which stored runs are comparable
    `bench.gate.find_candidate` knows; here all are taken for that. Raises NotEnoughData for a frame
    without a run.
    """
    *past, new = batches(df) or _no_run()
    fresh = None if confirmation is None else batch(confirmation, "confirmation")
    return against(past, new, fresh)


def _no_run() -> NoReturn:
    raise NotEnoughData("There is no run to judge: measure one, or load several.")


def suspects(verdict: Verdict) -> tuple[str, ...]:
    """The endpoints that have to be measured once more before the verdict is final."""
    waiting = [one for one in verdict.having("inconclusive") if one.confirmed is None]
    found = [one.endpoint for one in waiting if _due(one) or one.observed == 1.0]
    return tuple(dict.fromkeys(found))


def _due(one: Judged) -> bool:
    """A cell that is undecided because too little was asked is no suspect, and costs no more."""
    return one.p_adjusted is not None and one.p_adjusted <= FDR


def _keys(past: Sequence[Batch], new: Batch) -> list[Key]:
    """What is measured now, what was of late, and what could not be measured."""
    keys = {cell.key for one in (*past[-FEWEST:], new) for cell in one.cells}
    keys |= {(name, cell.stratum) for name in new.dropped for cell in new.cells}
    return sorted(keys, key=lambda key: (order(key[1]), key[0]))


def _cases(key: Key, past: Sequence[Batch], new: Batch, confirmation: Batch | None) -> list[Case]:
    before = tuple(cell for one in past if (cell := one.cell(key)) is not None)
    now, fresh = new.cell(key), confirmation.cell(key) if confirmation else None
    measures = (*ALWAYS, "p95") if now is not None and "p95" in now.quantiles else ALWAYS
    why = new.dropped.get(key[0], "")
    again = confirmation is not None and key[0] in confirmation.dropped
    return [
        Case(key, m, before, now, fresh, _look(before, now, m, why), why, again) for m in measures
    ]


def _look(past: Sequence[BatchCell], new: BatchCell | None, measure: Measure, dropped: str) -> Look:
    if new is not None:
        return look_back(past, new, measure)
    gone = f"not measured now, though it was in {len(past)} past runs: ask for it again"
    untold = f"could not be measured at all: {dropped}" if dropped else gone
    observed = 1.0 if dropped and measure == "failure_rate" else None
    return Look(measure, 0, len(past), observed=observed, untold=untold)


def _judged(case: Case, adjusted: float | None, cells: int) -> Judged:
    look = case.look
    state, confirmed, reason = _settled(case, adjusted)
    seen = detectable_back(look, case.past, cells) if state == "ok" else None
    if state == "ok" and seen is None:
        state, reason = "inconclusive", "nothing could have been seen: too few requests"
    return Judged(
        endpoint=case.key[0],
        stratum=case.key[1],
        measure=case.measure,
        state=state,
        baseline=look.baseline,
        observed=look.observed,
        change=look.change,
        low=look.low,
        high=look.high,
        p=look.p,
        p_adjusted=adjusted,
        detectable=seen,
        n=look.n,
        n_baseline=look.n_baseline,
        confirmed=confirmed,
        reason=reason,
    )


Settled = tuple[State, bool | None, str]


def _settled(case: Case, adjusted: float | None) -> Settled:
    """State, whether a fresh measurement agreed, and why."""
    if case.always:
        return _failing(case)
    if case.dropped and case.measure == "failure_rate":
        return _dropped(case)
    if adjusted is None:
        return "inconclusive", None, case.look.untold
    if not case.look.flagged:
        return "ok", None, ""
    if adjusted > FDR:
        return "ok", None, f"high by itself, yet within chance among all cells (p {adjusted:.2g})"
    return _confirmed(case)


def _failing(case: Case) -> Settled:
    """Every request failed: that needs no history, unless it never did anything else."""
    if case.look.baseline is not None and case.look.baseline > MOSTLY:
        return "inconclusive", None, "fails every time, as it did before: leave it out of the plan"
    return "regressed", None, "every request failed"


def _dropped(case: Case) -> Settled:
    fails = case.fresh is not None and case.fresh.failed == case.fresh.n
    if case.dropped_again or fails:
        return "regressed", True, f"could not be measured at all, twice: {case.dropped}"
    if case.fresh is not None:
        return "inconclusive", False, f"answers again, and was not measured before: {case.dropped}"
    return "inconclusive", None, f"{case.look.untold}; {_ONCE_MORE}"


def _confirmed(case: Case) -> Settled:
    """What a fresh measurement of a suspect says."""
    if case.fresh is None:
        return "inconclusive", None, f"suspect; {_ONCE_MORE}"
    fresh = look_back(case.past, case.fresh, case.measure)
    if fresh.p is None:
        return "inconclusive", None, f"suspect, and measured once more in vain: {fresh.untold}"
    if fresh.p < CONFIRM_ALPHA:
        timed_out = f"; {TIMED_OUT}" if case.look.observed == math.inf else ""
        return "regressed", True, f"beyond its history, in a fresh measurement too{timed_out}"
    return "ok", False, "suspect at first, not in a fresh measurement"


_ONCE_MORE = "measure it once more, in fresh rounds, and judge again with that as confirmation"


def _cautions(past: Sequence[Batch], new: Batch) -> list[Caution]:
    found = []
    if not new.cells:
        text = f"No request of {new.name} counts: nothing was judged but what is missing."
        advice = "`regionbench doctor` says what can be reached."
        found.append(Caution("nothing_measured", text, advice))
    if new.sittings < SITTINGS:
        text = (
            f"{new.name} was measured in {new.sittings} sittings: what drifts for hours is in it."
        )
        advice = f"Split a run over {SITTINGS} sittings, hours apart."
        found.append(Caution("few_sittings", text, advice))
    uneven = [one.endpoint for one in new.cells if _uneven(one, past)]
    if uneven:
        text = f"{', '.join(dict.fromkeys(uneven))}: far more or fewer requests than in past runs."
        advice = "Keep the rounds of a plan; a run of other size varies otherwise than its history."
        found.append(Caution("uneven_runs", text, advice))
    return found


def _uneven(cell: BatchCell, past: Sequence[Batch]) -> bool:
    sizes = [found.n for one in past if (found := one.cell(cell.key)) is not None]
    usual = median(sizes) if sizes else cell.n
    return not 0.5 <= cell.n / max(1, usual) <= 2
