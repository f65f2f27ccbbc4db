"""Real runs on a disk that is full, limited, broken or read-only: they stop sending and say so."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import WRONG_USAGE
from bench.simulator import Fleet
from bench.store import StoredRun, read_run
from tests.namespace import require_namespaces
from tests.test_store_injected import require_strace


def words(fleet: Fleet, results: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "bench", "run", "--catalogue", str(fleet.catalogue)),
        *("--results", str(results), "--vantage", "here", "--no-calibrate", "--no-report"),
        *("--rounds", "500"),
    ]


def stopped(fleet: Fleet, command: list[str], results: Path, why: str) -> StoredRun:
    """The run that a fault stopped: one sentence, exit code 2, all that was asked is a row but the
    one that could not be stored, and nothing was asked after it."""
    before = len(fleet.truth())
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == WRONG_USAGE, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("regionbench: Could not")
    assert why in last
    (folder,) = results.iterdir()
    stored = read_run(folder)
    asked = [deed for deed in fleet.truth()[before:] if deed["model"]]
    assert 0 <= len(asked) - len(stored.rows) <= 1
    assert stored.rows
    assert {c.code for c in stored.cautions} <= {"incomplete", "killed"}
    return stored


def test_a_full_disk_stops_a_run(fleet: Fleet, tmp_path: Path) -> None:
    """A file system of 64 kB, which is full after some forty rows."""
    require_namespaces()
    full, saved = tmp_path / "full", tmp_path / "saved"
    full.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {full} && {shlex.join(words(fleet, full))};"
        f" code=$?; cp -r {full} {saved}; exit $code"
    )
    stopped(fleet, ["unshare", "-rm", "sh", "-c", script], saved, "the disk is full")


def test_a_limit_for_the_size_of_files_stops_a_run(fleet: Fleet, tmp_path: Path) -> None:
    """A row that goes in in part is cut off again; run.json is short enough to say how it ended."""
    command = shlex.join(words(fleet, tmp_path / "results"))
    limited = ["bash", "-c", f"ulimit -f 40; exec {command}"]
    stored = stopped(fleet, limited, tmp_path / "results", "ulimit -f")
    assert stored.run["status"] == "stopped"


def test_a_broken_disk_stops_a_run(fleet: Fleet, tmp_path: Path) -> None:
    """The first sync of rows fails: nobody knows what is on the disk, and nothing is added."""
    traced = ["-f", "--seccomp-bpf", "-qq", "-o", os.devnull]
    fault = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=3"]
    command = [require_strace(), *traced, *fault, *words(fleet, tmp_path / "results")]
    stored = stopped(fleet, command, tmp_path / "results", "the disk reports an error")
    assert stored.run["status"] == "stopped"


@pytest.mark.parametrize("command", ["run", "choose", "watch"])
def test_results_that_are_read_only_are_found_before_anything_is_asked(
    command: str, fleet: Fleet, tmp_path: Path
) -> None:
    """Nor is the preflight sent."""
    require_namespaces()
    before = len(fleet.truth())
    asked = words(fleet, tmp_path)
    place = asked[5 : asked.index("--no-report")]
    line = shlex.join([*asked[:3], command, "--catalogue", *place])
    script = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path} && {line}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == WRONG_USAGE
    assert "the file system is read-only: choose another results folder" in done.stderr
    assert len(fleet.truth()) == before
