"""regionbench: a latency benchmark for the xAI API and services that speak its protocol.

    plan → schedule → probe × client × wire → Sample rows → store (results/)
                                                              │
                        frame (tidy DataFrame, a row a request)
                          │
           stats → plots, report

In a notebook:

    >>> import bench
    >>> df = bench.load("results")                  # one row per request
    >>> bench.summarise(df)                         # per endpoint, with intervals
    >>> bench.plots.ecdf(df)                        # a matplotlib Figure
    >>> bench.run(bench.make_plan(catalogue="fleet", rounds=10)).frame()

Importing this loads nothing heavy; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench import plots, report
    from bench.errors import RegionbenchError
    from bench.loading import load
    from bench.model import COLUMNS, Endpoint, Plan, Run, Sample
    from bench.plan import make_plan, read_plan
    from bench.prepare import Where
    from bench.session import Finished, run
    from bench.stats import Summary, summarise

_HOME = {
    "COLUMNS": "bench.model",
    "Endpoint": "bench.model",
    "Finished": "bench.session",
    "Plan": "bench.model",
    "RegionbenchError": "bench.errors",
    "Run": "bench.model",
    "Sample": "bench.model",
    "Summary": "bench.stats",
    "Where": "bench.prepare",
    "load": "bench.loading",
    "make_plan": "bench.plan",
    "plots": "bench.plots",
    "read_plan": "bench.plan",
    "report": "bench.report",
    "run": "bench.session",
    "summarise": "bench.stats",
}

__all__ = [
    "COLUMNS",
    "Endpoint",
    "Finished",
    "Plan",
    "RegionbenchError",
    "Run",
    "Sample",
    "Summary",
    "Where",
    "load",
    "make_plan",
    "plots",
    "read_plan",
    "report",
    "run",
    "summarise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    module = import_module(_HOME[name])
    value = module if module.__name__ == f"bench.{name}" and name in ("plots", "report") else None
    value = value if value is not None else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
