"""`bench.run`: a plan measured from here, or from every worker of a cluster."""

from __future__ import annotations

from typing import Any, overload

from bench import notebook
from bench.model import Plan
from bench.notebook import Watcher
from bench.prepare import Where, open_catalogue, prepare
from bench.session import Finished, execute
from bench.vantage import Tls, Tour, connected, muster, travel


@overload
def run(
    plan: Plan | None = None, *, where: Where | None = None, watch: Watcher | None = None
) -> Finished: ...


@overload
def run(
    plan: Plan | None = None, *, where: Where | None = None, watch: Watcher | None = None,
    scheduler: Any, tls: Tls | None = None, insecure_scheduler: bool = False,
) -> Tour: ...  # fmt: skip


def run(
    plan: Plan | None = None,
    *,
    where: Where | None = None,
    watch: Watcher | None = None,
    scheduler: Any = None,
    tls: Tls | None = None,
    insecure_scheduler: bool = False,
) -> Finished | Tour:
    """Measure ``plan`` and store it: the whole of ``regionbench run`` in one call.

    Without a plan: the default one. Needs the provider's key in the environment, or
    ``make_plan(catalogue="fleet")``, which starts a local fleet and needs nothing.
    ``watch`` is given each sample, between two requests. Without it a Jupyter notebook shows the
    progress, and nothing else does. To interrupt keeps what was measured, as ``interrupted``.

    With ``scheduler``, the address ``tls://host:port`` of a Dask scheduler or a
    ``distributed.Client``, every worker measures, with a key of its own environment; the rows come
    here. See `bench.vantage`. Money is not asked about: ``where.max_usd`` limits it.
    """
    plan, where = plan or Plan(), where or Where()
    if scheduler is not None:
        with connected(scheduler, tls, insecure=insecure_scheduler) as cluster:
            return travel(cluster, muster(cluster, plan, where), where, watch=watch)
    with open_catalogue(plan, where) as catalogue:
        prepared = prepare(plan, catalogue, where)
        with notebook.progress(prepared, watch) as seen:
            return execute(prepared, where, watch=seen)
