"""What the reader of a summary must know beside its numbers. One check per line of `CHECKS`.

A check takes what `Facts` holds and returns cautions: evidence, likely cause, and what to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.model import NOT_ASKED, Caution
from bench.stats import unsteady
from bench.stats.cells import Cell
from bench.stats.facts import Facts, counted, per_endpoint
from bench.stats.metrics import (
    bare,
    failed,
    flagged,
    latency_ms,
    left_out,
    never_kept,
    together,
)
from bench.stats.pairs import Difference
from bench.stats.strata import Stratum, runs_of
from bench.stats.vantages import by_vantage

CACHED_SHARE = 0.05
LENGTH_ALPHA = 0.01
LENGTH_SHARE = 0.10


def cautions(
    df: pd.DataFrame,
    groups: Sequence[tuple[Stratum, pd.DataFrame]],
    cells: Sequence[Cell],
    differences: Sequence[Difference],
    rounds: Mapping[Stratum, pd.DataFrame],
) -> tuple[Caution, ...]:
    """Those that came with the frame (its store's), then what `CHECKS` find at each vantage."""
    brought = [_brought(item) for item in df.attrs.get("cautions") or ()]
    whole = Facts(bare(df), runs_of(df), groups, cells, differences, rounds)
    checks = [check for check in CHECKS if _READS.get(check, set()) <= set(df.columns)]
    places = _apart(whole)
    found = {name: [one for check in checks for one in check(facts)] for name, facts in places}
    told = [_placed(one, name, found) for name, seen in found.items() for one in seen]
    return tuple(dict.fromkeys([*brought, *told, *_mixed_fleets(df)]))


def _apart(facts: Facts) -> list[tuple[str, Facts]]:
    """The facts of each vantage by itself."""
    parts = by_vantage(facts.df, facts.runs)
    if len(parts) < 2:
        return [("", facts)]
    return [
        (
            name,
            Facts(
                bare(df),
                runs_of(df),
                [(s, rows) for s, rows in facts.groups if s.vantage == name],
                [cell for cell in facts.cells if cell.stratum.vantage == name],
                [d for d in facts.differences if d.stratum.vantage == name],
                {s: rows for s, rows in facts.rounds.items() if s.vantage == name},
            ),
        )
        for name, df in parts.items()
    ]


def _placed(one: Caution, name: str, found: Mapping[str, Sequence[Caution]]) -> Caution:
    """With its vantage, unless every vantage says the same."""
    same = all(one in seen for seen in found.values())
    return one if same else replace(one, text=f"From {name}: {one.text}", vantage=name)


def _brought(item: Mapping[str, Any]) -> Caution:
    return Caution(*(str(item.get(name) or "") for name in ("code", "text", "advice")))


def _dropped(facts: Facts) -> list[Caution]:
    lost = {cell.endpoint: cell.reason for cell in facts.cells if cell.n == 0}
    for cell in facts.cells:
        if cell.n:
            lost.pop(cell.endpoint, None)
    if not lost:
        return []
    text = "; ".join(f"{name} ({reason})" for name, reason in lost.items())
    advice = "regionbench endpoints --check shows what each endpoint answers"
    return [Caution("not_measured", f"Not measured: {text}.", advice)]


def _too_few(facts: Facts) -> list[Caution]:
    short = {
        name: min(n for n in ns)
        for name in ("p50", "p90", "p95", "p99")
        if (ns := [c.n_latency for c in facts.cells if c.n and _unbounded(c, name)])
    }
    if not short:
        return []
    text = f"n too small for {', '.join(short)} (fewest: n = {min(short.values())})."
    needs = "p50 needs 6 requests per endpoint, p90 29, p95 59, p99 299: raise --rounds"
    return [Caution("n_too_small", text, needs)]


def _unbounded(cell: Cell, name: str) -> bool:
    return cell.quantiles[name].note.startswith(("n too small", "no data"))


def _not_reused(facts: Facts) -> list[Caution]:
    if not (found := per_endpoint(facts, lambda cell: cell.n_not_reused)):
        return []
    text = f"Warm requests that opened a connection and were left out: {counted(found)}."
    advice = "Idle connections are closed on the way: shorten --pause, or measure --connection cold"
    return [Caution("not_reused", text, advice)]


def _not_kept(facts: Facts) -> list[Caution]:
    rows = facts.df[never_kept(facts.df)]
    if rows.empty:
        return []
    names = ", ".join(sorted(set(rows["client"].astype(str))))
    text = (
        f"{names}: keeps no connection for the next such request; its warm times hold a handshake."
    )
    return [Caution("not_kept", text, "Compare it as --connection cold, or measure --no-stream")]


def _no_value(facts: Facts) -> list[Caution]:
    if not (found := per_endpoint(facts, lambda cell: cell.n_no_value)):
        return []
    text = f"Answered without the stratum's main metric, and left out of it: {counted(found)}."
    return [Caution("no_value", text, "Look at their rows: an answer without tokens has no TTFT")]


def _http_versions(facts: Facts) -> list[Caution]:
    found = _by_endpoint(facts, "http_version")
    if len({frozenset(values) for values in found.values()}) < 2:
        return []
    text = "; ".join(f"{name}: {', '.join(sorted(values))}" for name, values in found.items())
    advice = "Endpoints are not asked alike: choose one with --http1 or --http2"
    return [Caution("http_version", f"The HTTP version differs by endpoint ({text}).", advice)]


def _models(facts: Facts) -> list[Caution]:
    found = _by_endpoint(facts, "model")
    if len({frozenset(values) for values in found.values()}) < 2:
        return []
    text = "; ".join(f"{name}: {', '.join(sorted(values))}" for name, values in found.items())
    advice = "Different models are different work: name one with --model"
    return [Caution("model", f"The model that answered differs by endpoint ({text}).", advice)]


def _by_endpoint(facts: Facts, column: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {str(name): set() for name in facts.df["endpoint"].cat.categories}
    for _, part in facts.groups:
        for name, value in together(part["endpoint"], part[column]):
            found[name].add(value)
    return {name: values for name, values in found.items() if values}


def _rate_limited(facts: Facts) -> list[Caution]:
    if not (found := per_endpoint(facts, lambda cell: cell.outcomes.get("rate_limited", 0))):
        return []
    text = f"Refused with 429: {counted(found)}. These are your limits, not the region's speed."
    return [Caution("rate_limited", text, "Ask more slowly: --rate or --pause")]


def _not_asked(facts: Facts) -> list[Caution]:
    rows = facts.df[flagged(facts.df, NOT_ASKED)]
    if rows.empty:
        return []
    found = Counter(rows["endpoint"].astype(str))
    text = f"Not sent, because nobody could be connected to: {counted(found)}."
    advice = (
        "A dead endpoint is asked rarely; its failures are those of the requests that were sent"
    )
    return [Caution("not_asked", text, advice)]


def _left_out(facts: Facts) -> list[Caution]:
    found = {k: n for k, n in left_out(facts.df).items() if n and k not in ("warmup", "cancelled")}
    if not found:
        return []
    text = f"Rows that say nothing about an endpoint, left out: {counted(found)}."
    return [Caution("left_out", text, "Look at the column error of these rows")]


def _proxied(facts: Facts) -> list[Caution]:
    used = {str((run.get("platform") or {}).get("proxy") or "") for run in facts.runs}
    through = sorted(text.removeprefix("used: ") for text in used if text.startswith("used: "))
    if not through:
        return []
    text = f"Every request went through a proxy ({', '.join(through)}): TCP time is the way to it."
    return [Caution("proxy", text, "Leave --proxy out to measure the direct way")]


def _cached(facts: Facts) -> list[Caution]:
    # Only what is counted: all columns of many rows are gigabytes
    answered = [part[["endpoint", "cached_tokens"]].dropna() for _, part in facts.groups]
    rows = pd.concat(answered) if answered else facts.df[:0]
    means = rows.groupby("endpoint", observed=True)["cached_tokens"].mean().astype(float)
    if means.empty or means.max() <= 0 or means.max() - means.min() <= CACHED_SHARE * means.max():
        return []
    text = "; ".join(f"{name}: {value:.0f}" for name, value in means.items())
    # The orders are random, so no endpoint is favoured; the noise is real all the same.
    advice = (
        "A region asked twice in a round (directly and through global, or warm and cold) may answer"
        " the second from its prompt cache: measure one --connection at a time"
    )
    return [
        Caution("cached", f"Cached prompt tokens differ by endpoint, on average {text}.", advice)
    ]


def _answer_lengths(facts: Facts) -> list[Caution]:
    """More tokens take longer, whoever writes them: then a total says little about a region."""
    found = (_lengths(part) for _, part in facts.groups)
    texts = ["; ".join(f"{name}: {n:.1f}" for name, n in means.items()) for means in found if means]
    advice = (
        "Compare the time to the first token, or fix the length: a prompt with one right answer"
    )
    return [
        Caution(
            "answer_length", f"Answers differ in length by endpoint, mean tokens {text}.", advice
        )
        for text in texts
    ]


def _lengths(part: pd.DataFrame) -> dict[str, float]:
    """Mean tokens written per endpoint, where they differ beyond chance and by a tenth."""
    part = part[["endpoint", "outcome", "completion_tokens", "reasoning_tokens"]]
    rows = part[part["completion_tokens"].notna() & ~failed(part)]
    tokens = (rows["completion_tokens"] + rows["reasoning_tokens"].fillna(0)).astype(float)
    sizes = [values for _, values in tokens.groupby(rows["endpoint"], observed=True)]
    if len(sizes) < 2 or tokens.nunique() < 2:
        return {}
    means = tokens.groupby(rows["endpoint"], observed=True).mean()
    apart = means.max() - means.min() > LENGTH_SHARE * means.max()
    if not apart or not _beyond_chance(sizes):
        return {}
    return {str(name): float(mean) for name, mean in means.items()}


def _beyond_chance(sizes: Sequence[pd.Series[float]]) -> bool:
    from scipy.stats import kruskal  # takes long to import, and answers are mostly alike

    return bool(kruskal(*sizes).pvalue < LENGTH_ALPHA)


def _mixed_connections(facts: Facts) -> list[Caution]:
    mixed = [str(stratum) for stratum, part in facts.groups if _both_kinds(stratum, part)]
    if not mixed:
        return []
    text = f"New and kept connections stand in one number: {'; '.join(mixed)}."
    return [Caution("mixed_connections", text, "Measure --connection warm,cold: they stay apart")]


def _both_kinds(stratum: Stratum, part: pd.DataFrame) -> bool:
    counted = np.isfinite(latency_ms(part, stratum.metric)) & ~never_kept(part).to_numpy()
    return part.loc[counted, "reused"].dropna().nunique() > 1


def _mixed_fleets(df: pd.DataFrame) -> list[Caution]:
    marks = {bool(run.get("simulated")) for run in runs_of(df)}
    if len(marks) < 2:
        return []
    return [
        Caution("mixed_fleets", "Simulated and live runs stand in one number.", "Load them apart")
    ]


CHECKS: tuple[Callable[[Facts], list[Caution]], ...] = (
    _dropped,
    _rate_limited,
    _not_asked,
    _not_reused,
    _not_kept,
    _no_value,
    _left_out,
    _http_versions,
    _models,
    _cached,
    _answer_lengths,
    _mixed_connections,
    unsteady.memory,
    unsteady.drift_seen,
    unsteady.clock_steps,
    unsteady.cold_start,
    unsteady.outliers,
    unsteady.late_harness,
    _proxied,
    _too_few,
)

_READS: Mapping[Callable[[Facts], list[Caution]], set[str]] = {
    _http_versions: {"http_version"},
    _cached: {"cached_tokens"},
    _answer_lengths: {"completion_tokens", "reasoning_tokens"},
    unsteady.clock_steps: {"clock_step"},
    unsteady.late_harness: {"ttfb_layer", "wakeup_late_ns"},
}
"""What a check reads beside `bench.frame.KEYS`: of a frame without it there is nothing to say."""
