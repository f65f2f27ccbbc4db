"""What the gate is measured beside: other tools on the same data, and rules it did not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.stats.baseline import against
from bench.stats.batches import BatchCell
from bench.stats.blocks import Side
from bench.stats.compare import judge_pairings
from bench.stats.looks import look
from bench.stats.predict import expect, look_back
from bench.stats.verdict import Judged
from tests.benchmarks.figures import Result
from tests.benchmarks.gate_rules import (
    STRATUM,
    TOOLS,
    Rule,
    batch_of,
    fisher_alone,
    pairing,
    pairings,
)
from tests.benchmarks.worlds import (
    REAL,
    Days,
    Values,
    draw,
    draw_arms,
    draw_blocks,
    draw_days,
    one_drift,
)

WORLD = one_drift(REAL)
FAST_FAILURE_MS = 50.0


def percent(hits: list[bool]) -> float:
    """Of all, in percent."""
    return 100 * float(np.mean(hits))


def tools(runs: int, seed: int) -> Result:
    """False alarms and power of every rule, in the three ways to measure two variants."""
    found: dict[str, dict[str, list[float]]] = {}
    for n in (100, 300):
        for design, (a, b) in _designs(n, runs, seed + n).items():
            together = design not in ("stored, then now", "A, then B")
            for name, rule in (TOOLS | {OURS: _ours(together)}).items():
                share = percent([rule(x, y) for x, y in zip(a, b, strict=True)])
                found.setdefault(name, {}).setdefault(design, []).append(share)
    table = [
        {"rule (p50, n = 100 / 300)": name}
        | {design: " / ".join(f"{share:.1f}" for share in shares) for design, shares in row.items()}
        for name, row in found.items()
    ]
    return Result([], table, ["A/A columns are false alarms, +10 % and +20 % what is found, in %."])


OURS = "this gate's `compare`"


def _designs(n: int, runs: int, seed: int) -> dict[str, tuple[Values, Values]]:
    """Design → both sides, each of shape (runs, n)."""
    stored = draw(WORLD, (450.0,), n, 2 * runs, seed)[..., 0]
    blocks = draw_blocks(WORLD, n, runs, seed + 1)
    arms = draw_arms(WORLD, 1, n, runs, seed + 2)[:, :, 0]
    return {
        "stored, then now": (stored[:runs], stored[runs:]),
        "A, then B": (blocks[..., 0], blocks[..., 1]),
        "same rounds": (arms[..., 0], arms[..., 1]),
        "+10 %, same rounds": (arms[..., 0], 1.1 * arms[..., 1]),
        "+20 %, same rounds": (arms[..., 0], 1.2 * arms[..., 1]),
    }


def _ours(together: bool) -> Rule:
    def rule(a: Values, b: Values) -> bool:
        one = pairing("e0", np.stack([a, b], axis=1))
        assert one.a is not None
        assert one.b is not None
        return look(one.a, one.b, "p50", together, margin=not together).flagged

    return rule


def failure_rows(broken: Values, n: int) -> list[dict[str, Any]]:
    """What other tools say of a variant that fails fast, failures dropped and failures timed."""
    timed = np.where(np.isinf(broken), FAST_FAILURE_MS, broken)
    rows = []
    for name, rule in TOOLS.items():
        for how, arms in (("dropped", broken), ("timed", timed)):
            found = percent([rule(one[:, 0], one[:, 1]) for one in arms])
            faster = percent([rule(one[:, 1], one[:, 0]) for one in arms])
            said = {"found %": round(found, 1), "faster %": round(faster, 1)}
            rows.append({"15 % fail fast": f"{name}, failures {how}", "n": n} | said)
    return rows


def bursts(runs: int, seed: int) -> Result:
    """Three rules for failure rates against history, where batches are alike and where not."""
    rng = np.random.default_rng(seed)
    shape = (runs, 13)
    worlds = {
        "alike: 1 %": (300, np.full(shape, 0.01)),
        "rare: 0.2 %": (30, np.full(shape, 0.002)),
        "uneven: mean 1 %, sd 1 %": (300, rng.beta(0.98, 97.0, shape)),
        "bad days: every tenth 5 %": (300, np.where(rng.random(shape) < 0.1, 0.05, 0.01)),
    }
    table = []
    for name, (n, rates) in worlds.items():
        for rise in (0.0, 0.05, 0.10):
            failed = rng.binomial(n, np.concatenate([rates[:, :-1], rates[:, -1:] + rise], axis=1))
            found = {
                rule: percent([judge(row, n) for row in failed]) for rule, judge in RATES.items()
            }
            table.append(
                {"failures, history": name, "n": n, "rise, points": round(100 * rise)}
                | {f"{rule} %": round(share, 1) for rule, share in found.items()}
            )
    return Result([], table)


def _fisher(failed: Values, n: int) -> bool:
    return fisher_alone(int(failed[-1]), n, int(failed[:-1].sum()), n * (len(failed) - 1))


def _interval(failed: Values, n: int) -> bool:
    steady = np.arcsin(np.sqrt((failed + 0.375) / (n + 0.75)))
    rise = (failed[-1] - failed[:-1].mean()) / n
    return bool(rise >= 0.02 and expect(steady[:-1]).p(float(steady[-1])) < 0.01)


def _both(failed: Values, n: int) -> bool:
    *past, new = [BatchCell("e0", STRATUM, n, int(count), {}) for count in failed]
    return look_back(past, new, "failure_rate").flagged


RATES: dict[str, Callable[[Values, int], bool]] = {
    "Fisher, pooled": _fisher,
    "prediction interval": _interval,
    "both (this gate)": _both,
}


def endpoints(runs: int, seed: int) -> Result:
    """Two equal endpoints: how often p50 alarms when they drift apart on their own."""
    table = []
    for name, world in (("REAL", WORLD), ("REAL, drift twice", REAL)):
        for days in (Days(1, 100), Days(1, 300), Days(3, 100)):
            pairs = draw_days(world, 2, 1, runs, seed + days.rounds, days)[:, 0]
            sides = [pairing("e0", one) for one in pairs]
            row = {
                rule: percent([_alarms(one.a, one.b, margin) for one in sides])
                for rule, margin in (("interval > 1", False), ("interval > 1.05", True))
            }
            form = f"{days.sittings} × {days.rounds} rounds"
            table.append({"two endpoints, A/A p50": name, "measured in": form} | row)
    return Result([], table)


def _alarms(a: Side | None, b: Side | None, margin: bool) -> bool:
    return a is not None and b is not None and look(a, b, "p50", True, margin).flagged


def detectables(runs: int, seed: int) -> Result:
    """What is found of an effect as large as the verdict said it could have seen: about 80 %."""
    rows = [_seen_by_variants(n, runs, seed + n) for n in (100, 300)]
    return Result([], [row for part in (*rows, _seen_by_history(runs, seed)) for row in part])


def _seen_by_variants(n: int, runs: int, seed: int) -> list[dict[str, Any]]:
    arms = draw_arms(WORLD, 1, n, runs, seed)
    said = _said([judge_pairings(pairings(one), False) for one in arms])
    rows = []
    for m in ("p50", "p90"):
        slowed = [judge_pairings(pairings(one, {0: 1 + said[m]}), False) for one in arms]
        rows.append(_seen(f"mode A, n = {n}", m, said[m], [_finds(one, m) for one in slowed]))
    return rows


def _seen_by_history(runs: int, seed: int) -> list[dict[str, Any]]:
    worlds = draw_days(WORLD, 3, 14, runs, seed, Days())
    past = [[batch_of(one[k], f"b{k}") for k in range(12)] for one in worlds]
    both = list(zip(past, worlds, strict=True))
    said = _said([against(p, batch_of(one[12], "new")).judged for p, one in both])
    rows = []
    for m in ("p50", "p90"):
        slow = {0: 1 + said[m]}
        news = [(p, batch_of(o[12], "n", slow), batch_of(o[13], "c", slow)) for p, o in both]
        found = [_finds(against(*one).judged, m) for one in news]
        rows.append(_seen("mode B, n = 300, confirmed", m, said[m], found))
    return rows


def _said(verdicts: list[tuple[Judged, ...]]) -> dict[str, float]:
    """The median of what the verdicts on equals call detectable in the first endpoint."""
    cells = [one for judged in verdicts for one in judged if one.endpoint == "e0"]
    return {
        m: float(np.median([c.detectable for c in cells if c.measure == m and c.detectable]))
        for m in ("p50", "p90")
    }


def _finds(judged: tuple[Judged, ...], measure: str) -> bool:
    cells = (c for c in judged if c.endpoint == "e0" and c.measure == measure)
    return any(cell.state == "regressed" for cell in cells)


def _seen(where: str, measure: str, said: float, found: list[bool]) -> dict[str, Any]:
    return {
        "detectable": where,
        "measure": measure,
        "said %": round(100 * said, 1),
        "found %": round(percent(found), 1),
    }
