"""A suite to run as it is: the latency of every endpoint and kind, as pytest benchmarks.

    python -m pytest --pyargs bench.suite --benchmark-json=latency.json

asks a local fleet; with a key, ``--regionbench-catalogue xai`` asks the service. Needs
``pip install 'regionbench[pytest]'``. See ``--regionbench-…`` in ``pytest --help``, and
`bench.pytest_plugin` for what is timed and what becomes of failures.

Benchmarks follow each other: each stands against its own past (``regionbench gate latency.json``).
To set endpoints against each other, ask them in the same rounds: ``regionbench run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.pytest_plugin.asked import endpoint_names, plan_of, where_of

if TYPE_CHECKING:
    import pytest

    from bench.model import Connection, Kind
    from bench.pytest_plugin.timed import Timer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every endpoint, kind and connection of the plan."""
    plan = plan_of(metafunc.config)
    names = endpoint_names(plan, where_of(metafunc.config))
    cases = [(n, k, c) for c in plan.connections for k in plan.kinds for n in names]
    metafunc.parametrize(("endpoint", "kind", "connection"), cases)


def test_latency(
    endpoint_benchmark: Timer, endpoint: str, kind: Kind, connection: Connection
) -> None:
    """Times one endpoint; fails when it did not answer once."""
    timed = endpoint_benchmark(endpoint, kind=kind, connection=connection)
    assert timed.answered, str(timed)
