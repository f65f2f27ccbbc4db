"""A real Prometheus scrapes real watches; what is shipped for it must then have something to show.

Needs Debian's package prometheus (prometheus and promtool).
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.catalogue import load_catalogue
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.watch import Address, Orders, Rhythm, Watch, prepare_watch
from bench.watch.finding import Cell, Finding
from bench.watch.kit import FILES, content
from bench.watch.pace import Gap
from tests.profiles import TWO_REGIONS
from tests.test_watch import Heard, words
from tests.watch_kit import network

DASHBOARD = json.loads(content("grafana.json"))
RULES = yaml.safe_load(content("alerts.yml"))
ALERTS = {rule["alert"]: rule["expr"] for rule in RULES["groups"][0]["rules"]}

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs the Debian package prometheus"
)


def panels() -> list[tuple[str, str]]:
    """(title, expression) of every target, as Grafana asks at first."""
    found = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"].replace("$endpoint", ".*").replace("$model", ".*")
            found.append((panel["title"], expr.replace("$window", "30s")))
    return found


def named(text: str) -> set[str]:
    return set(re.findall(r"regionbench_[a-z_]+", text))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two regions that answer in a few milliseconds."""
    profile = tmp_path_factory.mktemp("profile") / "quick.toml"
    profile.write_text(TWO_REGIONS)
    with Fleet.start(profile, seed=1) as fleet:
        yield fleet


@pytest.fixture
def watched(quick: Fleet, tmp_path: Path) -> Iterator[tuple[Watch, str]]:
    """A watch under way, one of whose endpoints is away; and its URL. What takes an hour to find
    is told to it."""
    with network(quick, tmp_path) as (catalogue, links):
        where = Where(results=tmp_path / "results", vantage="here")
        plan = make_plan(catalogue=str(catalogue), kinds=("chat", "models"))
        prepared = prepare_watch(plan, load_catalogue(str(catalogue)), where, 1.0)
        heard = Heard()
        orders = Orders(Rhythm(0.5, 3600), Address(port=0), day_usd=1.0)
        watch = Watch(prepared, where, orders, heard)
        links["near"].set("refuses")
        thread = threading.Thread(target=watch.run)
        thread.start()
        try:
            url = heard.url
            cells = (Cell("near", "m", "regressed"), Cell("far", "m", "ok"))
            each = {"near": 0.3, "far": 0.7}
            finding = Finding("r", "regressed", "", cells, each, each, "far", 0.1)
            watch.metrics.reviewed(finding, time.time_ns())
            watch.metrics.gap(Gap("suspended", time.time_ns(), 1200.0, 20))
            yield watch, url
        finally:
            watch.end()
            thread.join(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Prometheus:
    """The real one, on loopback, over the targets given; with the rules that are shipped."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        config = yaml.safe_load(content("prometheus.yml"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"][0]["targets"] = targets
        (folder / "alerts.yml").write_text(content("alerts.yml"))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.address = f"127.0.0.1:{free_port()}"
        command = [
            *("prometheus", f"--config.file={folder / 'prometheus.yml'}"),
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=error",
        ]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def get(self, path: str, **query: str) -> Any:
        """The data of one answer of its API."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as response:  # loopback
            answer = json.loads(response.read())
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr: str) -> list[Any]:
        """The series of an expression now."""
        return list(self.get("query", query=expr)["result"])

    def firing(self) -> set[tuple[str, str]]:
        """(alert, instance)."""
        return {
            (one["labels"]["alertname"], one["labels"].get("instance", ""))
            for one in self.get("alerts")["alerts"]
            if one["state"] == "firing"
        }

    def until(self, holds: Any) -> None:
        """Ask until something holds; the test's own time-out ends it."""
        while True:
            with contextlib.suppress(OSError):
                if holds():
                    return
            time.sleep(0.3)


@contextlib.contextmanager
def prometheus(*targets: str) -> Iterator[Prometheus]:
    """Runs until the context ends."""
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        running = Prometheus(Path(folder), list(targets))
        try:
            yield running
        finally:
            running.process.terminate()
            running.process.wait(30)


@needs_prometheus
def test_what_is_shipped_is_valid_by_promtool(watched: tuple[Watch, str], tmp_path: Path) -> None:
    """Rules, configuration, and the metrics themselves."""
    for name in FILES:
        (tmp_path / name).write_text(content(name))
    text = watched[0].metrics.text("")[1]
    for what in ("rules", "config"):
        file = str(tmp_path / ("alerts.yml" if what == "rules" else "prometheus.yml"))
        done = subprocess.run(["promtool", "check", what, file], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_metric_that_is_named_is_served(watched: tuple[Watch, str]) -> None:
    """In the dashboard and in the rules; and each that is served is named somewhere."""
    with urllib.request.urlopen(watched[1], timeout=10) as response:  # noqa: S310  # loopback
        text = response.read().decode()
    served = set(re.findall(r"^# TYPE (regionbench_[a-z_]+)", text, re.MULTILINE))
    shown = named(json.dumps([expr for _, expr in panels()]))
    wanted = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown | named(str(ALERTS))}
    assert wanted <= served
    assert served <= wanted


@needs_prometheus
@pytest.mark.timeout(150)
def test_a_real_prometheus_fills_every_panel_and_evaluates_every_alert(
    watched: tuple[Watch, str], quick: Fleet, tmp_path: Path
) -> None:
    """And a watch that stands still is told, though it answers no scrape any more."""
    target = watched[1].removeprefix("http://").removesuffix("/metrics")
    command = words(quick, tmp_path / "other", "--every", "500ms", "--timeout", "1s")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as other:
        try:
            assert other.stderr is not None
            while not (line := other.stderr.readline()).startswith("Metrics: "):
                assert line
            stopped = line.split()[1].removeprefix("http://").removesuffix("/metrics")
            with prometheus(target, stopped) as running:
                running.until(lambda: len(running.query("regionbench_running == 1")) == 2)
                other.send_signal(signal.SIGSTOP)
                _fills_every_panel(running)
                _evaluates_every_alert(running)
                running.until(lambda: ("RegionbenchStalled", stopped) in running.firing())
                assert ("RegionbenchRegressed", target) in running.firing()
                assert ("RegionbenchStalled", target) not in running.firing()
                _agrees(running, watched[0], target)
        finally:
            other.kill()


def _fills_every_panel(running: Prometheus) -> None:
    left = dict.fromkeys(panels())
    while left:
        left = {one: None for one in left if not running.query(one[1])}
        time.sleep(0.3)


def _evaluates_every_alert(running: Prometheus) -> None:
    for expr in ALERTS.values():
        running.query(expr)
    rules = running.get("rules")["groups"][0]["rules"]
    assert {rule["name"] for rule in rules} == set(ALERTS)
    running.until(lambda: _all_well(running))


def _all_well(running: Prometheus) -> bool:
    return all(r["health"] == "ok" for r in running.get("rules")["groups"][0]["rules"])


def _agrees(running: Prometheus, watch: Watch, target: str) -> None:
    """What Prometheus holds was served: counters that have stood still since are equal."""
    expr = f'regionbench_gap_seconds_total{{instance="{target}"}}'
    (found,) = running.query(expr)
    assert float(found["value"][1]) >= 1200.0
    answered = running.query(f'regionbench_ttft_seconds_count{{instance="{target}"}}')
    assert {one["metric"]["endpoint"] for one in answered} >= {"far", "global"}
    assert watch.alive()
