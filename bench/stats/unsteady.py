"""Cautions about what did not hold still while it was measured: the service or this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bench.model import Caution
from bench.stats.facts import Facts, counted
from bench.stats.metrics import coded, latency_ms, plain_ms
from bench.stats.quantiles import Values
from bench.stats.strata import Stratum
from bench.units import NS_PER_MS, format_ms

DRIFT_ALPHA = 0.01
DRIFT_SHARE = 0.10
COLD_RATIO = 1.3
OUTLIER_RATIO = 10.0
OUTLIER_SHARE = 0.01
LATE_SHARE = 0.05
MEMORY_SHARE = 0.5


def drift_seen(facts: Facts) -> list[Caution]:
    found = (_drift_in(stratum, table) for stratum, table in facts.rounds.items())
    return [caution for caution in found if caution is not None]


def _drift_in(stratum: Stratum, table: pd.DataFrame) -> Caution | None:
    ms = table.to_numpy(dtype=np.float64)
    ms = np.where(np.isinf(ms), np.nan, ms)
    # Each beside its own median: where endpoints were asked one after the other, they differ
    rounds = row_medians(ms / row_medians(ms.T))
    change = drift(rounds[~np.isnan(rounds)])
    if change is None:
        return None
    text = f"{stratum}: the median moved by {100 * change:+.0f} % from the first to the last third."
    advice = "Differences are paired by round and stand; single quantiles mix two states: run again"
    return Caution("drift", text, advice)


def row_medians(ms: Values) -> Values:
    """Of each row's numbers, shape (rows,); NaN where it has none."""
    if not ms.size:
        return np.full(len(ms), np.nan)
    ordered = np.sort(ms, axis=1)  # NaN come last
    n = (~np.isnan(ordered)).sum(axis=1)
    rows = np.arange(len(ordered))
    lower, upper = ordered[rows, np.maximum(n - 1, 0) // 2], ordered[rows, n // 2]
    return np.asarray(lower / 2 + upper / 2, dtype=np.float64)


def drift(values: Values) -> float | None:
    """Relative change of the median from the first to the last third of ``values`` (in order).

    None unless Kendall's tau against time has p < .01 and the change is at least 10 %.
    """
    third = len(values) // 3
    if third < 4:
        return None
    first, last = float(np.median(values[:third])), float(np.median(values[-third:]))
    if first <= 0 or abs(last / first - 1) < DRIFT_SHARE:
        return None
    from scipy.stats import kendalltau  # takes long to import, and few runs get so far

    trend = kendalltau(np.arange(len(values)), values).pvalue
    return last / first - 1 if trend < DRIFT_ALPHA else None


def clock_steps(facts: Facts) -> list[Caution]:
    """The wall clock was set while requests were under way."""
    n = int(facts.df["clock_step"].fillna(False).sum())
    if not n:
        return []
    text = f"The system's clock was set during {n} requests: their starting times may be wrong."
    return [Caution("clock_step", text, "Durations stand: they are counted by another clock")]


def cold_start(facts: Facts) -> list[Caution]:
    eager = {
        str(run.get("run_id"))
        for run in facts.runs
        if (run.get("plan") or {}).get("warmup_rounds") == 0
    }
    groups = facts.groups if eager else ()
    worst = max((_first_ratio(s, part, eager) for s, part in groups), default=0.0)
    if worst < COLD_RATIO:
        return []
    text = f"No warm-up rounds, and the first requests took {worst:.1f} times the median."
    return [Caution("cold_start", text, "Run with --warmup 1: warm-up rows are kept, not counted")]


def _first_ratio(stratum: Stratum, part: pd.DataFrame, runs: set[str]) -> float:
    """How much longer the first request of a run takes: the median endpoint's ratio."""
    codes, names = coded(part["run_id"])
    rows = part[np.array([*(name in runs for name in names), False])[codes]]
    ms = pd.Series(plain_ms(rows, stratum.metric), index=rows.index)
    if not rows.size or not ms.notna().any():
        return 0.0
    first = ms.groupby([rows["run_id"], rows["endpoint"]], observed=True).first()
    usual = ms.groupby([rows["run_id"], rows["endpoint"]], observed=True).median()
    ratio = (first / usual).median()
    return float(ratio) if pd.notna(ratio) else 0.0


def outliers(facts: Facts) -> list[Caution]:
    found = Counter(
        name
        for stratum, part in facts.groups
        for name, ms in _by_endpoint(part, stratum)
        for _ in range(_far_out(ms))
    )
    if not found:
        return []
    text = (
        f"Answers that took more than {OUTLIER_RATIO:.0f} times their endpoint's median: "
        f"{counted(found)}."
    )
    advice = (
        "Quantiles stand, a mean would not; `regionbench plot RUN timeline` shows when, and whether"
        " this machine was late then"
    )
    return [Caution("outliers", text, advice)]


def _by_endpoint(part: pd.DataFrame, stratum: Stratum) -> Iterator[tuple[str, Values]]:
    ms = latency_ms(part, stratum.metric)
    codes, names = coded(part["endpoint"])
    return ((name, ms[codes == place]) for place, name in enumerate(names))


def _far_out(ms: Values) -> int:
    """How many answered requests lie beyond `OUTLIER_RATIO` times the median; 0 when they are the
    odd one that every service has."""
    answered = ms[np.isfinite(ms)]
    if len(answered) == 0:
        return 0
    count = int((answered > OUTLIER_RATIO * np.median(answered)).sum())
    return count if count > max(1, OUTLIER_SHARE * len(answered)) else 0


def late_harness(facts: Facts) -> list[Caution]:
    shown = [abs(d.ms.value_ms) for d in facts.differences if d.ms.value_ms and d.direction]
    if not shown or not np.isfinite(smallest := min(shown)):
        return []
    error_ms = _own_error_ms(facts)
    if error_ms is None or error_ms <= LATE_SHARE * smallest:
        return []
    text = (
        f"This machine's own lateness is {format_ms(error_ms)}; the smallest difference shown is "
        f"{format_ms(smallest)}."
    )
    advice = (
        "Stop other work on this machine, or lower --concurrency; regionbench doctor tells more"
    )
    return [Caution("host_noisy", text, advice)]


def _own_error_ms(facts: Facts) -> float | None:
    """What the harness may have added to a time, by the layer that the times come from.

    The calibration's p90 of that layer's bias; without one, how late this process woke up, which
    reaches every layer but the kernel's stamps.
    """
    layers = facts.df["ttfb_layer"].dropna()
    layer = str(layers.mode().iloc[0]) if len(layers) else "app"
    spreads = [((run.get("calibration") or {}).get("bias") or {}).get(layer) for run in facts.runs]
    measured = [spread["p90_us"] / 1000 for spread in spreads if spread]
    if measured:
        return float(max(measured))
    late = facts.df["wakeup_late_ns"].dropna()
    return None if layer == "kernel" or late.empty else float(late.median()) / NS_PER_MS


def memory(facts: Facts) -> list[Caution]:
    worth = {
        cell.endpoint: f"{cell.n_effective:.0f} of {cell.n_latency}"
        for cell in facts.cells
        if cell.n_effective < MEMORY_SHARE * cell.n_latency
    }
    if not worth:
        return []
    listed = ", ".join(f"{name} {text}" for name, text in worth.items())
    text = f"Requests resemble those just before them; worth as many independent ones: {listed}."
    advice = (
        "Differences allow for it, the intervals of single quantiles do not: measure longer, with"
        " --pause, or in several sittings"
    )
    return [Caution("autocorrelation", text, advice)]
