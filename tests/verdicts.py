"""Verdicts made by hand: food for tests of what is written of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.model import Caution
from bench.stats.strata import Stratum
from bench.stats.verdict import Judged, Verdict

STRATUM = Stratum("chat", True, "warm", "httpx", "grok-4.3")

OK = Judged(
    endpoint="us-east-1", stratum=STRATUM, measure="p50", state="ok", baseline=410.0,
    observed=418.2, change=0.02, low=-0.05, high=0.09, p=0.31, p_adjusted=0.46, detectable=0.19,
    n=300, n_baseline=14,
)  # fmt: skip

REGRESSED = replace(
    OK, endpoint="eu-west-1", state="regressed", baseline=512.0, observed=671.0, change=0.3105,
    low=0.18, high=0.44, p=0.0004, p_adjusted=0.0048, confirmed=True,
    reason="beyond what 14 past runs vary",
)  # fmt: skip

SUSPECT = replace(
    OK, endpoint="us-west-2", measure="p90", state="inconclusive", baseline=700.0, observed=905.0,
    change=0.293, low=0.02, high=0.57, p=0.004, p_adjusted=0.02,
    reason="suspect and not confirmed: measure it once more with regionbench gate",
)  # fmt: skip

FAILING = replace(
    REGRESSED, endpoint="us", measure="failure_rate", baseline=0.004, observed=0.151, change=0.147,
    low=0.11, high=0.19, detectable=0.021, confirmed=None, reason="",
)  # fmt: skip

BROKEN = replace(
    FAILING, endpoint="us", measure="p90", baseline=690.0, observed=float("inf"),
    change=float("inf"), low=float("inf"), high=float("inf"), detectable=0.24,
)  # fmt: skip

GONE = replace(
    OK, endpoint="eu-west-2", state="inconclusive", observed=None, change=None, low=None, high=None,
    p=None, p_adjusted=None, n=0, reason="not measured: dns_fail",
)  # fmt: skip

CAUTION = Caution(
    "host_noisy", "This host wakes up 3 ms late (p90).", "regionbench doctor shows where"
)

EVIL = "::error::x</testcase>\x1b[31m|*a*\u2028##[error]<b>%0A,title=[x](http://e)\x00\ud800"


def verdict(*judged: Judged, **changes: Any) -> Verdict:
    """Of these cells against fourteen past runs."""
    made = Verdict(
        against="history", a="14 past runs", b="2026-03-14", interleaved=False, judged=judged,
    )  # fmt: skip
    return replace(made, **changes)


MIXED = (
    verdict(OK, REGRESSED, SUSPECT, FAILING, BROKEN, GONE, cautions=(CAUTION,)),
    verdict(
        replace(
            OK,
            measure="p95",
            baseline=800.0,
            observed=640.0,
            change=-0.2,
            low=-0.3,
            high=-0.1,
            p=None,
            p_adjusted=None,
            n_baseline=0,
            objective="ttft.p95 <= 800ms",
        ),
        against="objective",
        a="objectives",
    ),
)
"""One cell of every kind."""
