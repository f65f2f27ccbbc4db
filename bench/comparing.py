"""A or B? Two endpoints, clients, models, arms or stored runs, and which of them is slower."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from bench.catalogue import Catalogue
from bench.clients import CLIENTS
from bench.errors import UsageError
from bench.html import card
from bench.model import Arm, Plan
from bench.stats import verdict_words as words
from bench.stats.cards import judged
from bench.stats.compare import compare, compare_runs
from bench.stats.strata import runs_of, stratify
from bench.stats.variants import By
from bench.stats.verdict import Judged, Verdict
from bench.words import clean

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMES = 10

Names = Mapping[str, Collection[str]]
Said = Literal["slower", "faster", "no clear difference", "not enough data"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of B against A: ``state`` and ``sentence`` say it, ``verdict`` has every cell.

    ``by`` is what the two are: endpoint, client, model, arm or run. ``slower`` also stands for
    failing more. ``better`` are the cells in which B is clearly better, seen from A.
    """

    by: str
    state: Said
    sentence: str
    verdict: Verdict
    better: tuple[Judged, ...]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        told = {"by": self.by, "state": self.state, "sentence": self.sentence}
        better = replace(self.verdict, judged=self.better).to_dict()["judged"]
        return {"schema_version": 1, **told, "verdict": self.verdict.to_dict(), "better": better}

    def _repr_html_(self) -> str:
        return card(self.state, self.sentence, *judged(self.verdict))


def names_in(df: pd.DataFrame) -> Names:
    """What the rows of a frame can be told apart by, and the names there are."""
    strata = [stratum for stratum, _ in stratify(df, runs_of(df))]
    listed = [str(item["name"]) for run in runs_of(df) for item in run.get("endpoints") or ()]
    return {
        "arm": sorted({stratum.arm for stratum in strata if stratum.arm}),
        "endpoint": list(dict.fromkeys([*listed, *df["endpoint"].dropna().astype(str)])),
        "client": sorted({stratum.client for stratum in strata}),
        "model": sorted({stratum.model for stratum in strata if stratum.model}),
    }


def names_of(plan: Plan, catalogue: Catalogue) -> Names:
    """What could be measured now, and compared."""
    return {
        "arm": list(plan.arms),
        "endpoint": [endpoint.name for endpoint in catalogue.endpoints],
        "client": list(CLIENTS),
        "model": [model.id for model in catalogue.models],
    }


def kind_of(names: Names, a: str, b: str) -> str:
    """The first kind of thing that both names are.

    Raises UsageError for a name that is none, with the nearest that is one and all there are.
    """
    if a == b:
        raise UsageError(f"{a} cannot be compared with itself; two arms may ask the same")
    for kind, known in names.items():
        if a in known and b in known:
            return kind
    for name in (a, b):
        if not any(name in known for known in names.values()):
            raise UsageError(f"there is no {name!r} to compare{_hint(names, name)}")
    kinds = [next(kind for kind, known in names.items() if name in known) for name in (a, b)]
    raise UsageError(f"{a} is one of the {kinds[0]}s and {b} of the {kinds[1]}s: name two alike")


def _hint(names: Names, name: str) -> str:
    near = difflib.get_close_matches(name, [n for known in names.values() for n in known], 1)
    guess = f"; did you mean {near[0]}?" if near else "."
    lists = [f"{kind}s {_listed(known)}" for kind, known in names.items() if known]
    return f"{guess} There are {'; '.join(lists)}"


def _listed(known: Collection[str]) -> str:
    """The last ones: of runs those are the newest."""
    shown = list(known)[-MOST_NAMES:]
    rest = f"{len(known) - len(shown)} more and " if len(known) > len(shown) else ""
    return rest + ", ".join(shown)


def contest(plan: Plan, kind: str, a: str, b: str) -> tuple[Plan, By]:
    """The plan that measures the two in the same rounds, and the column that tells them apart.

    Two models become two arms.
    """
    if kind == "endpoint":
        return replace(plan, endpoints=(a, b)), "endpoint"
    if kind == "client":
        return replace(plan, clients=(a, b)), "client"
    if kind == "model":
        return replace(plan, arms={name: Arm(model=name) for name in (a, b)}), "arm"
    return replace(plan, arms={name: plan.arms[name] for name in (a, b)}), "arm"


def compare_stored(df: pd.DataFrame, a: str, b: str) -> Comparison:
    """The comparison of two variants in one frame. Raises UsageError for a name it does not have.

    Both directions are tested: worse is not the opposite of better, and neither is neither.
    """
    by = cast("By", kind_of(names_in(df), a, b))
    return _told(by, compare(df, by, a, b), compare(df, by, b, a))


def compare_two(df_a: pd.DataFrame, df_b: pd.DataFrame, a: str, b: str) -> Comparison:
    """The comparison of two runs that were measured apart; the verdict says what that means."""
    return _told("run", compare_runs(df_a, df_b, a, b), compare_runs(df_b, df_a, b, a))


def _told(by: str, verdict: Verdict, back: Verdict) -> Comparison:
    worse = {(one.endpoint, one.stratum.vantage) for one in verdict.having("regressed")}
    ahead = [_turned(one, by, verdict.b) for one in back.having("regressed")]
    better = tuple(one for one in ahead if (one.endpoint, one.stratum.vantage) not in worse)
    state = _state(verdict, better)
    return Comparison(by, state, _sentence(by, state, verdict, better), verdict, better)


def _turned(one: Judged, by: str, b: str) -> Judged:
    """A cell of A against B, seen as B against A. A share's change is a difference of points."""

    def turn(change: float | None) -> float | None:
        if change is None or one.measure == "failure_rate":
            return None if change is None else -change
        return 1 / (1 + change) - 1

    return replace(
        one,
        endpoint=b if by == "endpoint" else one.endpoint,
        baseline=one.observed,
        observed=one.baseline,
        change=turn(one.change),
        low=turn(one.high),
        high=turn(one.low),
        n=one.n_baseline,
        n_baseline=one.n,
        state="ok",
        p=None,
        p_adjusted=None,
        reason="better",
    )


def _state(verdict: Verdict, better: Sequence[Judged]) -> Said:
    if verdict.state == "regressed":
        return "slower"
    if better:
        return "faster"
    return "no clear difference" if verdict.state == "ok" else "not enough data"


def _sentence(by: str, state: Said, verdict: Verdict, better: Sequence[Judged]) -> str:
    a, b = clean(verdict.a), clean(verdict.b)
    if state == "slower":
        worse = sorted(verdict.having("regressed"), key=_weight)
        how = "fails more often than" if _failing(worse) else "is slower than"
        behind = f" It is better at {_places(better)}." if better else ""
        return f"{b} {how} {a}: {_cells(by, worse)}.{behind}"
    if state == "faster":
        better = sorted(better, key=_weight)
        how = "fails less often than" if _failing(better) else "is faster than"
        return f"{b} {how} {a}: {_cells(by, better)}.{_open(verdict)}"
    if state == "not enough data":
        return f"Not enough data to tell {a} and {b} apart.{_open(verdict)}"
    seen = "; ".join(words.detectable(verdict.judged)[:1])
    return f"No clear difference between {a} and {b}{f'; {seen}' if seen else ''}."


def _weight(one: Judged) -> int:
    """What a sentence begins with: a p90 beyond the timeout is the work of failures."""
    return ("p50", "failure_rate", "p90", "p95").index(one.measure)


def _failing(cells: Sequence[Judged]) -> bool:
    return cells[0].measure == "failure_rate"


def _cells(by: str, found: Sequence[Judged]) -> str:
    """The first in words, and how many more."""
    first = found[0]
    own = f"{words.label(first)}{words.place(first)}"
    name = own if by == "endpoint" else words.short(first)
    span = words.interval(first)
    rest = f"; and {len(found) - 1} more of its cells" if len(found) > 1 else ""
    return f"{name} {words.moved(first)}, interval {span}, n = {first.n}{rest}"


def _places(found: Sequence[Judged]) -> str:
    return ", ".join(dict.fromkeys(words.short(one) for one in found))


def _open(verdict: Verdict) -> str:
    """What stays undecided, with the most frequent reason."""
    groups = words.reasons(verdict.judged)
    if not groups:
        return ""
    reason, members = groups[0]
    advice = "; ask in more --rounds" if reason.startswith("n too small") else ""
    return f" Undecided in {len(members)} of {len(verdict.judged)} cells: {reason}{advice}."
