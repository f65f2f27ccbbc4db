"""What the benchmark of the gate lets compete, and simulated latencies as the product's nouns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from bench.frame import tidy
from bench.stats.batches import SMALLEST_N, Batch, BatchCell
from bench.stats.blocks import ROUNDS, Side
from bench.stats.cells import QUANTILES
from bench.stats.quantiles import quantile
from bench.stats.rates import fisher
from bench.stats.shift import hodges_lehmann
from bench.stats.strata import Stratum
from bench.stats.variants import Pairing
from tests.benchmarks.worlds import Values
from tests.synthetic import RUN_ID, run

STRATUM = Stratum("chat", True, "warm", "httpx", "grok-sim")

Rule = Callable[[Values, Values], bool]


def pairing(name: str, arms: Values) -> Pairing:
    """One endpoint's rounds as two sides, shape (rounds, 2)."""
    block = np.arange(len(arms), dtype=np.int64) // ROUNDS
    return Pairing(name, STRATUM, Side(arms[:, 0], block), Side(arms[:, 1], block))


def pairings(arms: Values, slow: Mapping[int, float] | None = None) -> list[Pairing]:
    """Rounds × endpoints × 2 as pairings; ``slow``: endpoint → factor of its second arm."""
    factors = np.ones((arms.shape[1], 2))
    for endpoint, factor in (slow or {}).items():
        factors[endpoint, 1] = factor
    return [pairing(f"e{k}", arms[:, k] * factors[k]) for k in range(arms.shape[1])]


def batch_of(latencies: Values, name: str, slow: Mapping[int, float] | None = None) -> Batch:
    """Requests × endpoints as a batch in three sittings."""
    made = (latencies[:, k] * (slow or {}).get(k, 1.0) for k in range(latencies.shape[1]))
    return Batch(name, 3, tuple(_cell(f"e{k}", values) for k, values in enumerate(made)), {})


def _cell(name: str, values: Values) -> BatchCell:
    kept = {m: quantile(values, QUANTILES[m]) for m, n in SMALLEST_N.items() if len(values) >= n}
    return BatchCell(name, STRATUM, len(values), int(np.isinf(values).sum()), kept)


def rows_of(latencies: Values, **more: object) -> Iterable[dict[str, object]]:
    """Rounds × endpoints as rows of a run, so that the whole way from row to verdict is walked."""
    for (number, endpoint), ms in np.ndenumerate(latencies):
        failed = bool(np.isinf(ms))
        yield {
            "run_id": RUN_ID,
            "seq": number * latencies.shape[1] + endpoint,
            "round": number,
            "endpoint": f"e{endpoint}",
            "kind": "chat",
            "streamed": True,
            "client": "httpx",
            "connection": "warm",
            "warmup": False,
            "started_at": "2026-03-14T09:00:00+00:00",
            "outcome": "server_error" if failed else "ok",
            "ttft_ns": None if failed else round(float(ms) * 1e6),
            "total_ns": None if failed else round(float(ms) * 1e6),
            "reused": True,
            "model": "grok-sim",
            **more,
        }


def frame_of(rows: Iterable[Mapping[str, object]], endpoints: int) -> pd.DataFrame:
    """A tidy frame of those rows with the run.json of their run."""
    return tidy(rows, [run([f"e{k}" for k in range(endpoints)])])


def _answered(values: Values) -> Values:
    """These tools know no failures: what raised is not in their numbers."""
    return values[np.isfinite(values)]


def mean_10(a: Values, b: Values) -> bool:
    """pytest-benchmark's --benchmark-compare-fail=mean:10%."""
    return bool(_answered(b).mean() > 1.10 * _answered(a).mean())


def median_10(a: Values, b: Values) -> bool:
    """pytest-benchmark's --benchmark-compare-fail=median:10%."""
    return bool(np.median(_answered(b)) > 1.10 * np.median(_answered(a)))


def action_200(a: Values, b: Values) -> bool:
    """github-action-benchmark's default alert threshold on a mean: 200 %."""
    return bool(_answered(b).mean() > 2.0 * _answered(a).mean())


def benchstat(a: Values, b: Values) -> bool:
    """A two-sided Mann-Whitney p below .05, and slower."""
    return hodges_lehmann(_answered(a), _answered(b)).p < 0.025


TOOLS: dict[str, Rule] = {
    "pytest-benchmark `mean:10%`": mean_10,
    "pytest-benchmark `median:10%`": median_10,
    "github-action-benchmark 200 %": action_200,
    "benchstat (Mann-Whitney p < .05)": benchstat,
}


def failing(arms: Values, share: float, seed: int) -> Values:
    """The second arm fails fast in a share of its requests."""
    fails = np.random.default_rng(seed).random(arms.shape[:-1]) < share
    found = arms.copy()
    found[..., 1] = np.where(fails, np.inf, found[..., 1])
    return found


def fisher_alone(failed: int, n: int, all_failed: int, all_n: int) -> bool:
    """The reference's rule for failures of variants, taken over to a pooled history."""
    return failed / n - all_failed / all_n >= 0.02 and fisher(failed, n, all_failed, all_n) < 0.01
