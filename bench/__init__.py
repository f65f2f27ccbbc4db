"""regionbench: a latency benchmark for the xAI API and services that speak its protocol.

    plan → schedule → probe × client × wire → Sample rows → store (results/)
                                                              │
                        frame (tidy DataFrame, a row a request)
                          │
           stats → plots, report

In a notebook:

    >>> import bench
    >>> df = bench.load_example("regions")          # recorded, to look around
    >>> df = bench.load("results")                  # yours: one row per request
    >>> bench.summarise(df)                         # per endpoint, with intervals
    >>> bench.plots.ecdf(df)                        # a matplotlib Figure
    >>> bench.route(df).words()                     # where global sends requests
    >>> bench.places(df)                            # from each vantage; one for all, or one each
    >>> bench.choose(bench.make_plan(catalogue="fleet")).choice.sentence
    >>> bench.run(bench.make_plan(catalogue="fleet", rounds=10)).frame()

Importing this loads nothing heavy; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench import plots, report
    from bench.choice import Choice, decide_stored, explain
    from bench.choosing import Chosen, choose
    from bench.comparing import Comparison, compare_stored
    from bench.errors import RegionbenchError
    from bench.examples import load_example
    from bench.gate import find_candidate, find_candidates, judge, judge_all
    from bench.loading import load
    from bench.model import COLUMNS, Endpoint, Plan, Run, Sample
    from bench.plan import make_plan, read_plan
    from bench.prepare import Where
    from bench.running import run
    from bench.session import Finished
    from bench.stats import Summary, summarise
    from bench.stats.baseline import judge_newest
    from bench.stats.places import Places, places
    from bench.stats.race import RaceRules
    from bench.stats.race_verdict import RaceVerdict
    from bench.stats.routing import Routing, route, routes
    from bench.stats.spillover import Spillover, spillover
    from bench.stats.verdict import Verdict
    from bench.vantage import Tls, Tour

_HOME = {
    "COLUMNS": "bench.model",
    "Choice": "bench.choice",
    "Chosen": "bench.choosing",
    "Comparison": "bench.comparing",
    "Endpoint": "bench.model",
    "Finished": "bench.session",
    "Places": "bench.stats.places",
    "Plan": "bench.model",
    "RaceRules": "bench.stats.race",
    "RaceVerdict": "bench.stats.race_verdict",
    "RegionbenchError": "bench.errors",
    "Routing": "bench.stats.routing",
    "Run": "bench.model",
    "Sample": "bench.model",
    "Spillover": "bench.stats.spillover",
    "Summary": "bench.stats",
    "Tls": "bench.vantage",
    "Tour": "bench.vantage",
    "Verdict": "bench.stats.verdict",
    "Where": "bench.prepare",
    "choose": "bench.choosing",
    "compare_stored": "bench.comparing",
    "decide_stored": "bench.choice",
    "explain": "bench.choice",
    "find_candidate": "bench.gate",
    "find_candidates": "bench.gate",
    "judge": "bench.gate",
    "judge_all": "bench.gate",
    "judge_newest": "bench.stats.baseline",
    "load": "bench.loading",
    "load_example": "bench.examples",
    "make_plan": "bench.plan",
    "places": "bench.stats.places",
    "plots": "bench.plots",
    "read_plan": "bench.plan",
    "report": "bench.report",
    "route": "bench.stats.routing",
    "routes": "bench.stats.routing",
    "run": "bench.running",
    "spillover": "bench.stats.spillover",
    "summarise": "bench.stats",
}

__all__ = [
    "COLUMNS",
    "Choice",
    "Chosen",
    "Comparison",
    "Endpoint",
    "Finished",
    "Places",
    "Plan",
    "RaceRules",
    "RaceVerdict",
    "RegionbenchError",
    "Routing",
    "Run",
    "Sample",
    "Spillover",
    "Summary",
    "Tls",
    "Tour",
    "Verdict",
    "Where",
    "choose",
    "compare_stored",
    "decide_stored",
    "explain",
    "find_candidate",
    "find_candidates",
    "judge",
    "judge_all",
    "judge_newest",
    "load",
    "load_example",
    "make_plan",
    "places",
    "plots",
    "read_plan",
    "report",
    "route",
    "routes",
    "run",
    "spillover",
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
