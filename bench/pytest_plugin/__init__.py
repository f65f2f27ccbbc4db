"""pytest-benchmark for endpoints: the wire's own times, N requests for N rounds, failures kept.

    def test_region(endpoint_benchmark):
        timed = endpoint_benchmark("us-east-1", kind="chat")
        assert timed.failure_rate <= 0.05

Loaded by itself where regionbench is installed, or with ``-p bench.pytest_plugin``. `bench.suite`
is such a test for every endpoint and kind: ``python -m pytest --pyargs bench.suite``.

What is measured is a local fleet of the session's own, unless ``--regionbench-catalogue`` names
another service, whose key comes from the environment. What pytest-benchmark is told is the time of
the stratum's main metric (time to first token of a stream, else the total), taken on the wire, not
around the call. A failure counts as the plan's timeout there (or as what it took, if that was
longer): slow, finite, and never fast. The rows themselves go into ``extra_info`` with their
outcomes; `bench.load` reads them back from any file that pytest-benchmark writes.

Whoever does not use it pays for this file alone: everything else is loaded by the first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.pytest_plugin.timed import Stopwatch, Timed, Timer
    from bench.pytest_plugin.venue import Venue

_FIXTURE = "endpoint_benchmark"

OPTIONS = {
    "plan": "plan file (TOML) to start from; the options win over it",
    "catalogue": "fleet (default: local, simulated), xai, or a TOML file",
    "endpoints": "names, with commas between; default: all of the catalogue",
    "kinds": "of chat, responses, models, edge; default: chat,edge",
    "connections": "warm (default), cold, or both with a comma",
    "model": "default auto: one that every endpoint lists",
    "rounds": "requests per benchmark; default 30",
    "timeout": "of one request, and what a failure counts as: 30s; default 60s",
    "profile": "the fleet's profile: name or TOML file; default: typical",
    "vantage": "name of the place measured from; default: the host name",
}
"""Option → help; ``rounds`` is ``--regionbench-rounds``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all of them text: what is wrong with one is said when it is used."""
    group = parser.getgroup("regionbench", "regionbench: latency of API endpoints")
    for name, help_ in OPTIONS.items():
        group.addoption(f"--regionbench-{name}", metavar=name.upper(), help=help_)


_venue: pytest.StashKey[Venue] = pytest.StashKey()
_failing: pytest.StashKey[list[Timed]] = pytest.StashKey()
_clock: pytest.StashKey[Stopwatch] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Say in one sentence, before any test, what is wrong with the options or the key."""
    config = session.config
    if all(config.getoption(f"regionbench_{name}") is None for name in OPTIONS):
        return
    from bench.errors import RegionbenchError
    from bench.pytest_plugin.asked import check

    try:
        check(config)
    except RegionbenchError as error:
        raise pytest.UsageError(f"regionbench: {error}") from None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give the benchmark the wire's clock, by pytest-benchmark's own mark for timers."""
    if _FIXTURE not in getattr(item, "fixturenames", ()):
        return
    if not item.config.pluginmanager.hasplugin("benchmark"):
        told = f"{_FIXTURE} needs pytest-benchmark: pip install 'regionbench[pytest]'"
        pytest.fail(told, pytrace=False)
    from bench.pytest_plugin.timed import Stopwatch

    item.stash[_clock] = Stopwatch()
    given = item.get_closest_marker("benchmark")
    options = {**(given.kwargs if given else {}), "timer": item.stash[_clock]}
    item.add_marker(pytest.mark.benchmark(**options), append=False)


@pytest.fixture(scope="session")
def regionbench_venue(pytestconfig: pytest.Config) -> Iterator[Venue]:
    """What is measured in this session: opened by the first benchmark, closed after the last."""
    from bench.errors import RegionbenchError
    from bench.pytest_plugin.venue import open_venue

    try:
        with open_venue(pytestconfig) as venue:
            pytestconfig.stash[_venue] = venue
            yield venue
    except RegionbenchError as error:
        raise pytest.fail.Exception(f"regionbench: {error}", pytrace=False) from None


@pytest.fixture
def endpoint_benchmark(
    request: pytest.FixtureRequest, benchmark: Any, regionbench_venue: Venue
) -> Timer:
    """``endpoint_benchmark(endpoint, kind=, connection=, client=, metric=, rounds=) -> Timed``.

    Times one endpoint through ``benchmark.pedantic``; see `bench.pytest_plugin.timed.Timer`. Can be
    called once in a test, as ``benchmark`` can.
    """
    from bench.pytest_plugin.timed import Timer

    failing = request.config.stash.setdefault(_failing, [])
    return Timer(benchmark, regionbench_venue, request.node.stash[_clock], failing)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Put what is true of all rows, as in a ``run.json``, beside the benchmarks."""
    venue = config.stash.get(_venue, None)
    if venue is not None:
        output_json["regionbench"] = venue.document()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was sent, at what cost, and what failed."""
    venue = terminalreporter.config.stash.get(_venue, None)
    if venue is None:
        return
    terminalreporter.section("regionbench")
    terminalreporter.write_line(venue.words())
    for timed in terminalreporter.config.stash.get(_failing, ()):
        terminalreporter.write_line(str(timed))
