"""The door, as a person or a script meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import COMMANDS
from bench.simulator import Fleet
from tests.door import call


def test_help_names_every_command_and_each_has_help_of_its_own() -> None:
    """The table is the help."""
    told = call("--help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in told
        own = call(name, "--help")
        assert own.returncode == 0
        assert own.stdout.startswith(f"Usage: regionbench {name}")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rum",), "did you mean `regionbench run`?"),
        (("xyzzy",), "see `regionbench --help`"),
        (("run", "--roudns", "3"), "--rounds"),
        (("run",), "set XAI_API_KEY"),
        (("run", "nowhere.toml"), "regionbench init"),
        (("run", "--catalogue", "nowhere"), "fleet, xai"),
        (("run", "--timeout", "soon"), "250ms or 1.5s"),
        (("run", "--kind", "edge", "--endpoints", "mars"), "us-east-1"),
        (("run", "--cacert", "/dev/null"), "PEM"),
        (("report", "nowhere"), "nowhere"),
        (("plot", "nowhere", "pie"), "ecdf"),
        (("simulate", "--profile", "sunny"), "typical"),
        (("simulate", "--bind", "192.168.0.{n}:443"), "loopback"),
    ],
)
def test_what_is_wrong_is_one_sentence_on_stderr_and_exit_2(
    words: tuple[str, ...], sentence: str
) -> None:
    """What, where and the remedy; no traceback, nothing on stdout."""
    done = call(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("regionbench: ")


def test_run_json_is_one_document_and_progress_stays_on_stderr(
    fleet: Fleet, tmp_path: Path
) -> None:
    """A pipe gets results only."""
    done = call(
        "run",
        "--catalogue",
        str(fleet.catalogue),
        "--rounds",
        "3",
        "--json",
        "--results",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["status"] == "complete"
    assert document["simulated"] is True
    assert {"state", "sentence"} == set(document["answer"])
    assert Path(document["folder"]).is_dir()
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr


def test_endpoints_check_prints_what_each_can_do(fleet: Fleet) -> None:
    """Resolves, TLS, key, models."""
    done = call("endpoints", "--check", "--catalogue", str(fleet.catalogue))
    assert done.returncode == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:]}
    assert rows["global"] == ["yes", "yes", "yes", "3", "ok"]
    assert rows["eu-west-1"] == ["yes", "yes", "yes", "2", "ok"]


def test_endpoints_json_lists_evidence() -> None:
    """Without a check nothing is sent, so no key is needed."""
    document = json.loads(call("endpoints", "--json").stdout)
    assert [e["name"] for e in document["endpoints"]][:2] == ["global", "us-east-1"]
    assert document["checks"] == []


def test_a_named_endpoint_that_is_dead_exits_4_after_the_others_were_measured(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Asked for by name and not measurable: CI must see it; what could be measured is kept."""
    text = fleet.catalogue.read_text().replace('"ca.pem"', f'"{fleet.ca}"')
    dead = '[[endpoints]]\nname = "gone"\nurl = "https://gone.invalid"\n[[models]]'
    catalogue = tmp_path / "c.toml"
    catalogue.write_text(text.replace("[[models]]", dead, 1))
    words = (
        "run",
        "--catalogue",
        str(catalogue),
        "--rounds",
        "1",
        "--results",
        str(tmp_path / "r"),
    )
    asked = call(*words, "--endpoints", "us-east-1,gone")
    assert asked.returncode == 4
    assert "dns_fail" in asked.stderr
    assert "us-east-1" in asked.stdout
    everything = call(*words)
    assert everything.returncode == 0
    assert "Left out: gone (gone.invalid): dns_fail" in everything.stderr
    alone = call(*words, "--endpoints", "gone")
    assert alone.returncode == 4


def test_init_writes_a_plan_that_runs_and_never_overwrites(fleet: Fleet, tmp_path: Path) -> None:
    """The template is valid as it stands."""
    file = tmp_path / "plan.toml"
    assert call("init", str(file)).returncode == 0
    again = call("init", str(file))
    assert (again.returncode, "there already" in again.stderr) == (2, True)
    done = call(
        "run",
        str(file),
        "--catalogue",
        str(fleet.catalogue),
        "--rounds",
        "1",
        "--results",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr


def test_a_seeded_plan_gives_the_same_order_twice(fleet: Fleet, tmp_path: Path) -> None:
    """As seen by the fleet, not by us."""
    orders = []
    for _ in range(2):
        before = len(fleet.truth())
        done = call(
            *("run", "--catalogue", str(fleet.catalogue), "--rounds", "4", "--seed", "7"),
            *("--results", str(tmp_path)),
        )
        assert done.returncode == 0, done.stderr
        orders.append([deed["endpoint"] for deed in fleet.truth()[before:] if deed["model"]])
    assert orders[0] == orders[1]
    assert len(orders[0]) == 25


def test_plot_draws_a_file(fleet: Fleet, tmp_path: Path) -> None:
    """PNG or SVG by its ending."""
    words = (
        "run",
        "--catalogue",
        str(fleet.catalogue),
        "--rounds",
        "3",
        "--results",
        str(tmp_path),
    )
    assert call(*words).returncode == 0
    for name in ("picture.png", "picture.svg"):
        done = call("plot", str(tmp_path), "ecdf", "-o", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 5_000
    assert call("plot", str(tmp_path), "ecdf", "-o", "x.gif").returncode == 2


def test_simulate_prints_what_every_client_needs_and_stops_cleanly() -> None:
    """Addresses, CA file, environment."""
    words = [sys.executable, "-m", "bench", "simulate", "--seconds", "0.5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    for needed in ("https://global.fleet.test", "XAI_API_KEY=", "SSL_CERT_FILE=", "--connect-to"):
        assert needed in done.stdout
    assert "has stopped" in done.stderr
