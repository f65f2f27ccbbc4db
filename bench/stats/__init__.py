"""Pure statistics: a tidy frame in, small frozen results out. No I/O, no plotting, no clock.

METRICS, main_metric      what can be read from a request
estimate, quantile        quantiles with failures as +∞, intervals without a distribution
summarise → Summary       cells, paired differences, cautions
answer → Answer           the summary in one cautious sentence
"""

from __future__ import annotations

from bench.stats.answer import Answer, answer, main_stratum
from bench.stats.cells import QUANTILES, Cell
from bench.stats.metrics import METRICS, Metric, countable, latency_ms, main_metric
from bench.stats.pairs import Difference, Percent
from bench.stats.quantiles import Estimate, estimate, quantile
from bench.stats.rates import Rate, rate
from bench.stats.strata import Stratum, stratify
from bench.stats.summary import Summary, summarise

__all__ = [
    "METRICS",
    "QUANTILES",
    "Answer",
    "Cell",
    "Difference",
    "Estimate",
    "Metric",
    "Percent",
    "Rate",
    "Stratum",
    "Summary",
    "answer",
    "countable",
    "estimate",
    "latency_ms",
    "main_metric",
    "main_stratum",
    "quantile",
    "rate",
    "stratify",
    "summarise",
]
