"""What the end of a race means for its user: the answer, its price, and what to paste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench import html
from bench.errors import NotEnoughData, UsageError
from bench.model import GLOBAL, Endpoint
from bench.snippets import snippets
from bench.stats import Stratum, countable, latency_ms, stratify
from bench.stats.metrics import failed, plain_ms
from bench.stats.pairs import paired, table
from bench.stats.race import RaceRules, fixed_plan_requests, replay
from bench.stats.race_verdict import RaceVerdict
from bench.stats.rates import Rate
from bench.stats.strata import runs_of
from bench.stats.vantages import vantages_of
from bench.units import format_ms, format_usd


@dataclass(frozen=True, slots=True)
class Choice:
    """A race's end in a user's terms.

    ``sentence`` is the answer; ``facts`` are further sentences: failures, cost, what was saved,
    the network's part, what pinning costs. ``configuration``: client → line, for the best.
    """

    kind: str
    best: str | None
    sentence: str
    facts: tuple[str, ...]
    configuration: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        return {
            "kind": self.kind,
            "best": self.best,
            "sentence": self.sentence,
            "facts": list(self.facts),
            "configuration": dict(self.configuration),
        }

    def _repr_html_(self) -> str:
        lines = [[client, line] for client, line in self.configuration.items()]
        paste = html.table(("client", "to paste"), lines, names=2) if lines else ""
        return html.card(self.kind, self.sentence, html.listed(self.facts), paste)


def decide_stored(df: pd.DataFrame, rules: RaceRules) -> RaceVerdict:
    """Replay the race on the stored rounds of the frame's main stratum.

    Raises NotEnoughData without a request, and UsageError for rows of several vantages, of which
    `bench.places` answers for each.
    """
    if len(names := vantages_of(df)) > 1:
        told = f"these rows are of several vantages ({', '.join(names)})"
        raise UsageError(f"{told}: bench.places(df) answers for each of them")
    rows = _main_rows(df)
    if rows.empty:
        raise NotEnoughData("There is no measured request to race with.")
    return replay(rows, rules)


def _main_rows(df: pd.DataFrame) -> pd.DataFrame:
    """The countable rows of the first stratum; none where nothing was measured."""
    strata = stratify(countable(df), runs_of(df))
    return strata[0][1] if strata else df[:0]


def explain(verdict: RaceVerdict, df: pd.DataFrame, rules: RaceRules) -> Choice:
    """Say what the verdict on the rows of ``df`` means."""
    rows = _main_rows(df)
    facts = [_failures(verdict), _spent(verdict, df)]
    if not rows.empty:
        facts += [*_network(verdict, rows, df), *_pinning(verdict, rows, df)]
    return Choice(
        kind=verdict.kind,
        best=verdict.best,
        sentence=_sentence(verdict, rules),
        facts=tuple(fact for fact in facts if fact),
        configuration=_configuration(verdict.best, df),
    )


def _sentence(verdict: RaceVerdict, rules: RaceRules) -> str:
    names = _listed(verdict.endpoints)
    margin = f"{100 * rules.within:g} % or {rules.within_ms:g} ms"
    if verdict.kind == "undecided" or verdict.best is None:
        return f"Undecided between {names} after {verdict.rounds} rounds."
    chance = f"chance of being wrong by more than {margin}: {100 * (verdict.wrong or 0):.1f} %"
    if verdict.kind == "equivalent":
        return f"Equivalent within {margin}: {names} ({chance})."
    if verdict.kind == "choice":
        return f"Choose {verdict.best}: nothing else is faster by more than {margin} ({chance})."
    return f"{verdict.best} is the fastest{_lead(verdict)} ({chance})."


def _lead(verdict: RaceVerdict) -> str:
    if verdict.lead_ms is None or verdict.lead_ms.value_ms is None or verdict.next_best is None:
        return ""
    return f", {format_ms(verdict.lead_ms.value_ms)} ahead of {verdict.next_best}"


def _failures(verdict: RaceVerdict) -> str:
    found = verdict.failures.items()
    failing = [f"{name} {_percent(rate)}" for name, rate in found if rate.share]
    return f"Failures: {', '.join(failing)}." if failing else "Nothing failed."


def _spent(verdict: RaceVerdict, df: pd.DataFrame) -> str:
    fixed = fixed_plan_requests(len(verdict.failures))
    usd = float(df["cost_usd"].sum())
    saved = 1 - verdict.requests / fixed
    money = f" and {format_usd(usd * fixed / max(1, verdict.requests) - usd)}" if usd else ""
    return (
        f"{verdict.requests} requests in {verdict.rounds} rounds"
        f"{f' for {format_usd(usd)}' if usd else ''}: {100 * saved:.0f} % of requests{money} saved"
        f" against a fixed plan that is as safe ({fixed} requests)."
    )


def _network(verdict: RaceVerdict, rows: pd.DataFrame, df: pd.DataFrame) -> list[str]:
    """What distance explains: by the server's own word, or else by cheap requests."""
    ours = rows[(rows["endpoint"] == verdict.best) & ~failed(rows)]
    cheap = df[(df["endpoint"] == verdict.best) & (df["kind"] == "models") & ~df["warmup"]]
    by_word, by_probe = plain_ms(ours, "network"), plain_ms(cheap, "ttfb")
    known, how = (by_word, "") if np.isfinite(by_word).any() else (by_probe, ", by cheap requests")
    if not np.isfinite(known).any() or ours.empty:
        return []
    whole = float(np.nanmedian(latency_ms(ours, _metric(ours))))
    network = format_ms(float(np.nanmedian(known)))
    return [f"Of {format_ms(whole)}, {network} is network and edge{how}; no region can save more."]


def _pinning(verdict: RaceVerdict, rows: pd.DataFrame, df: pd.DataFrame) -> list[str]:
    """What is given up, and won, by not using the global endpoint."""
    best = verdict.best
    if best is None or best == GLOBAL or GLOBAL not in verdict.failures:
        return []
    ours, theirs = verdict.failures[best], verdict.failures[GLOBAL]
    said = [
        *_won(best, rows),
        f"Pinned to {best}, a request fails when the region cannot take it ({_percent(ours)} here);"
        f" the global endpoint sends it elsewhere ({_percent(theirs)} failed here).",
    ]
    lost = sorted(_models(df, GLOBAL) - _models(df, best))
    if lost:
        said.append(f"Models of the global endpoint that {best} does not list: {', '.join(lost)}.")
    return said


def _won(best: str, rows: pd.DataFrame) -> list[str]:
    stratum = _stratum(rows)
    found = paired(table(rows, stratum), stratum, best, GLOBAL)
    if found.ms.value_ms is None or found.ms.low_ms is None or found.ms.high_ms is None:
        return []
    low, high = format_ms(found.ms.low_ms), format_ms(found.ms.high_ms)
    return [
        f"Pinning changes the wait by {found.ms.value_ms:+.1f} ms ({low} to {high}, in"
        f" {found.n_pairs} rounds that asked both)."
    ]


def _stratum(rows: pd.DataFrame) -> Stratum:
    return stratify(rows)[0][0]


def _metric(rows: pd.DataFrame) -> str:
    return _stratum(rows).metric


def _models(df: pd.DataFrame, endpoint: str) -> set[str]:
    checks = [check for run in runs_of(df) for check in run.get("preflight") or []]
    lists = [check.get("models") or () for check in checks if check.get("endpoint") == endpoint]
    return {model for models in lists for model in models}


def _configuration(best: str | None, df: pd.DataFrame) -> Mapping[str, str]:
    for run in runs_of(df):
        for entry in run.get("endpoints") or []:
            if entry.get("name") == best:
                return snippets(Endpoint(name=entry["name"], url=entry["url"]))
    return {}


def _percent(rate: Rate) -> str:
    return f"{100 * (rate.share or 0.0):.1f} %"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1)) if names else "nobody"
