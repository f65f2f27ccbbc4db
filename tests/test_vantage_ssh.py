"""The SSH recipe itself, over real SSH to two machines that are one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench.simulator import Fleet
from bench.vantage.certificates import write_certificates
from bench.vantage.kit import content
from tests.lab.cluster import with_real_key
from tests.lab.inside import require
from tests.lab.ssh import machines, no_sshd
from tests.profiles import TWO_REGIONS

CHANGED = {
    '["vm-paris", "vm-paris", "vm-tokyo", "vm-dallas"]': '["vm-paris", "vm-paris", "vm-tokyo"]',
    "bench.make_plan(rounds=30)": "bench.make_plan(rounds=3, model='m', catalogue={catalogue!r})",
    '{"protocol": "tls",': '{"protocol": "tls", "host": "127.0.0.1",',
}
"""What a user would change in it, and where one machine is not two."""


def recipe(catalogue: str) -> str:
    """The shipped text, so changed; a change that finds nothing to change is an error."""
    text = content("over_ssh.py")
    for old, new in CHANGED.items():
        assert old in text, old
        text = text.replace(old, new.replace("{catalogue!r}", repr(catalogue)))
    return text


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two quick regions."""
    require(no_sshd())
    profile = tmp_path_factory.mktemp("profile") / "two.toml"
    profile.write_text(TWO_REGIONS)
    with Fleet.start(profile) as running:
        yield running


@pytest.fixture
def home(fleet: Fleet, tmp_path: Path) -> Iterator[Path]:
    """Where the recipe is run, with certificates; the key is in the machines' sessions alone."""
    key = {"THE_KEY": fleet.key}
    named = {f"vm-{name}": {**key, "REGIONBENCH_VANTAGE": name} for name in ("paris", "tokyo")}
    with machines(tmp_path, named) as found:
        write_certificates(found / "tls")
        for name in named:
            shutil.copytree(found / "tls", tmp_path / name / "tls")
        yield found


def test_the_ssh_recipe_measures_from_every_machine_it_names(fleet: Fleet, home: Path) -> None:
    """Started by SSH, under TLS, with the key that is in the environment there."""
    done = run(recipe(with_real_key(fleet, home, "THE_KEY")), home)
    assert done.returncode == 0, done.stderr[-3000:]
    said = {line.partition(",")[0] for line in done.stdout.splitlines()}
    assert said == {"paris: complete", "tokyo: complete"}
    df = bench.load(home / "results")
    assert df.groupby("vantage", observed=True).size().to_dict() == {"paris": 12, "tokyo": 12}
    assert (df["outcome"] == "ok").all()


def test_a_cluster_with_certificates_of_another_is_not_spoken_to(fleet: Fleet, home: Path) -> None:
    """The control: what the recipe says of TLS is in force on both sides."""
    shutil.rmtree(home / "tls")
    write_certificates(home / "tls")
    done = run(recipe(str(fleet.catalogue)), home)
    assert done.returncode == 1
    assert "TLS certificate does not match" in done.stderr


def run(text: str, home: Path) -> subprocess.CompletedProcess[str]:
    (home / "over_ssh.py").write_text(text)
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "over_ssh.py"], cwd=home, capture_output=True, text=True, timeout=120,
        check=False, env={**environment, "HOME": str(home)},
    )  # fmt: skip
