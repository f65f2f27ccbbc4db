"""One plan from many places: every worker of a Dask cluster is a vantage.

    muster       who is there, who prepares for itself, who is left out
    tour         the loop: rounds begin together, rows are stored as they come
    convoy       who may begin which round (pure)      purse     one budget for all
    leg          one vantage as the driver sees it     skew      how far its clock is off
    speech       what both sides say to each other     names     what vantages are called
    post         a worker's side: asked by the driver  session   one measurement there
    cluster      the one file that speaks Dask

A measurement from N vantages is N ordinary run folders that share ``plan.batch``; ``run.json`` of
each has a ``tour``.
"""

from __future__ import annotations

from bench.vantage.cluster import Cluster, Tls, connected
from bench.vantage.muster import Crew, dismiss, muster
from bench.vantage.tour import Tour, kept_waiting, travel

__all__ = [
    "Cluster",
    "Crew",
    "Tls",
    "Tour",
    "connected",
    "dismiss",
    "kept_waiting",
    "muster",
    "travel",
]
