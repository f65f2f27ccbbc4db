"""What a user promised, ``ttft.p95 <= 800ms``: text → `Objective`. Nothing is judged here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import PlanError
from bench.units import NS_PER_MS, parse_duration_ns
from bench.words import quoted

TIMES = (
    *("ttft", "total", "ttfb", "dns", "tcp", "tls", "send", "first_event", "first_reasoning"),
    *("last_token", "rtt", "server", "network", "think"),
)
"""The times that a request has: the names of `bench.stats.METRICS`, which this floor cannot see."""

Promised = Literal["p50", "p90", "p95", "failure_rate"]
QUANTILES: dict[str, Promised] = {"p50": "p50", "p90": "p90", "p95": "p95"}
RATE = "failure_rate"

_FORM = re.compile(
    r"(?:(?P<endpoint>[^:<>=]+):)?\s*(?P<what>[^\s<>=:]+)\s*(?P<relation><=|<)\s*(?P<bound>.+)"
)
_SHOWN = "write one such as 'ttft.p95 <= 800ms' or 'us-east-1: failure_rate <= 1%'"


@dataclass(frozen=True, slots=True)
class Objective:
    """``measure`` of ``metric`` shall be at most (``strict``: less than) ``bound``.

    ``bound`` is in ms; for ``failure_rate``, whose ``metric`` is None, a share between 0 and 1.
    ``endpoint`` None: every endpoint. ``text`` is the objective in its one spelling.
    """

    endpoint: str | None
    metric: str | None
    measure: Promised
    strict: bool
    bound: float
    text: str


def parse_objective(text: str) -> Objective:
    """The objective that ``text`` says.

    Raises PlanError naming the text, the word that is wrong, and the nearest that is right.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise PlanError(f"objective {quoted(text)}: not understood; {_SHOWN}")
    endpoint = match["endpoint"].strip() if match["endpoint"] else None
    metric, measure = _what(text, match["what"])
    bound = _share(text, match["bound"]) if metric is None else _ms(text, match["bound"])
    said = f"{match['what']} {match['relation']} {''.join(match['bound'].split())}"
    return Objective(endpoint, metric, measure, match["relation"] == "<", bound, said)


def _what(text: str, what: str) -> tuple[str | None, Promised]:
    if what == RATE:
        return None, "failure_rate"
    metric, dot, quantile = what.partition(".")
    if metric not in TIMES:
        raise _unknown(text, metric, TIMES if dot else (*TIMES, RATE))
    if not dot:
        raise PlanError(
            f"objective {quoted(text)}: write which quantile, such as {metric}.p50 or .p95"
        )
    if quantile not in QUANTILES:
        raise _unknown(text, quantile, tuple(QUANTILES))
    return metric, QUANTILES[quantile]


def _unknown(text: str, word: str, known: Sequence[str]) -> PlanError:
    near = difflib.get_close_matches(word, known, 1, cutoff=0.67)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return PlanError(f"objective {quoted(text)}: there is no {quoted(word)}; {hint}")


def _ms(text: str, bound: str) -> float:
    try:
        found = parse_duration_ns(bound) / NS_PER_MS
    except ValueError as error:
        raise PlanError(f"objective {quoted(text)}: {error}") from None
    if found <= 0:
        raise PlanError(f"objective {quoted(text)}: no request takes no time; write more than 0")
    return found


def _share(text: str, bound: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", bound.strip())
    if match is None or float(match[1]) >= 100:
        raise PlanError(
            f"objective {quoted(text)}: {quoted(bound.strip())} is no share of requests;"
            " write one such as 1%"
        )
    return float(match[1]) / 100
