"""What others on the machine can reach: processes, files, environments, names in shared folders."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FleetError, RegionbenchError, StoreError
from bench.history import batches
from bench.report import write_report
from bench.simulator import Fleet
from bench.store import RunWriter
from bench.store.reader import read_run, read_runs
from bench.store.repair import repair
from tests.store_kit import run, sample, written

SHIELDED = """\
import ctypes, resource
from bench.plan import make_plan
from bench.catalogue import load_catalogue
from bench.prepare import Where, settings_for
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
settings_for(make_plan(catalogue="xai"), load_catalogue("xai"), Where())
limit = resource.getrlimit(resource.RLIMIT_CORE)[0]
print(limit, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_process_with_a_key_leaves_no_core_and_is_not_dumpable() -> None:
    """Must: from the moment that it holds a real one; a simulator's dummy changes nothing."""
    done = subprocess.run(
        [sys.executable, "-c", SHIELDED],
        env={**os.environ, "XAI_API_KEY": "a-key"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "0"]


PEEK = """\
import ctypes, os, signal, sys
from bench.shield import shield
def as_nobody(then):
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.setuid(65534)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # setuid took it away
        os.write(theirs, then())
        signal.pause()
    return os.read(ours, 9)
def hold():
    if sys.argv[1] == "shielded":
        shield()
    return b"%d" % os.getpid()
def peek():
    try:
        return b"yes" if open(f"/proc/{holder}/environ", "rb").read() else b"no"
    except PermissionError:
        return b"no"
os.setpgrp()
holder = int(as_nobody(hold))
print(as_nobody(peek).decode(), flush=True)
os.killpg(0, signal.SIGKILL)
"""
"""Two processes of a user who is not root: one holds a key, one is curious."""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two processes of another user")
@pytest.mark.parametrize(("state", "readable"), [("shielded", "no"), ("bare", "yes")])
def test_another_process_of_the_same_user_cannot_read_the_environment(
    state: str, readable: str
) -> None:
    """Must: of one that holds a key. Control: of another one it can."""
    done = subprocess.run(
        [sys.executable, "-c", PEEK, state], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == readable


def test_the_simulator_gets_a_dummy_key_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Must: whatever the variable is called that a catalogue takes its key from."""
    names = ("XAI_API_KEY", "MY_KEY", "OPENAI_TOKEN", "some_password", "SSLKEYLOGFILE")
    for name in names:
        monkeypatch.setenv(name, "/nowhere/canary")
    with Fleet.start(profile="steady") as fleet:
        environ = Path(f"/proc/{fleet._process.pid}/environ").read_bytes()
        arguments = Path(f"/proc/{fleet._process.pid}/cmdline").read_bytes()
        assert fleet.key
        assert "canary" not in fleet.key
    assert b"PATH=" in environ
    assert b"canary" not in environ + arguments


@pytest.mark.parametrize("bind", ["0.0.0.0:4430", "192.0.2.{n}:4430", "[::]:4430", "10.0.0.1:1"])
def test_the_fleet_binds_loopback_only(bind: str) -> None:
    """Must: any other address is refused before a process starts."""
    with pytest.raises(FleetError, match="loopback"):
        Fleet.start(bind=bind)


def test_all_that_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    """Must: files 0600, folders 0700, under a umask that would allow everything."""
    old = os.umask(0)
    try:
        folder = written(tmp_path / "results")
        import bench

        write_report(folder, bench.load(str(folder)))
    finally:
        os.umask(old)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "results").rglob("*")}
    assert len(found) >= 6
    for path, mode in found.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "results").stat().st_mode) == 0o700


# A results folder that somebody else has prepared


def test_a_link_where_a_run_shall_be_is_not_followed(tmp_path: Path) -> None:
    """Must: a run is written to a folder of its own making, or not at all."""
    target, results = tmp_path / "target", tmp_path / "results"
    target.mkdir()
    results.mkdir()
    (results / "r1").symlink_to(target)
    with pytest.raises(StoreError, match="start a new run"):
        RunWriter.create(results, run())
    assert list(target.iterdir()) == []


def test_a_link_where_a_file_shall_be_is_not_followed(tmp_path: Path) -> None:
    """Must: reports and tags replace a link, they do not write through it."""
    folder = written(tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("report.html", "report.md"):
        (folder / name).symlink_to(precious)
    import bench

    write_report(folder, bench.load(str(folder)))
    assert precious.read_text() == "mine"
    assert not (folder / "report.html").is_symlink()


def test_a_repair_does_not_cut_what_a_link_points_to(tmp_path: Path) -> None:
    """Must: a run whose rows are a link to somebody's file is not appended to, nor repaired."""
    folder = written(tmp_path, status=None)
    precious = tmp_path / "precious"
    precious.write_text("export A=1\n")
    (folder / "samples.jsonl").unlink()
    (folder / "samples.jsonl").symlink_to(precious)
    with pytest.raises(StoreError, match="symbolic link"):
        repair(folder)
    assert precious.read_text() == "export A=1\n"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("put", [_pipe, _zeros, _folder], ids=["pipe", "/dev/zero", "folder"])
@pytest.mark.parametrize("name", ["run.json", "samples.jsonl", "samples.parquet", "tags.json"])
def test_what_is_no_plain_file_is_told_and_not_waited_for(
    name: str, put: Callable[[Path], None], tmp_path: Path
) -> None:
    """Must: reading ends, with a sentence or a caution, also where a pipe or a device lies."""
    folder = written(tmp_path / "results")
    (folder / name).unlink(missing_ok=True)
    put(folder / name)
    for read in (read_run, read_runs, lambda path: batches(path.parent)):
        with contextlib.suppress(RegionbenchError):
            read(folder)


@pytest.mark.parametrize("run_id", ["../x", "/etc/x", "a/b", ".hidden", "", "a\x00b", "x" * 129])
def test_a_runs_name_never_leads_out_of_the_results_folder(run_id: str, tmp_path: Path) -> None:
    """Must: names that come from files or catalogues are checked before a path is made of them."""
    with pytest.raises(StoreError, match="cannot name a run"):
        RunWriter.create(tmp_path / "results", run(run_id=run_id))
    assert not (tmp_path / "results").exists()


def test_temporary_names_cannot_be_foreseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Must: each new file has a random name and is made with O_EXCL, or its final name does."""
    made: list[tuple[str, int]] = []
    real = os.open

    def spy(path: str | Path, flags: int, *rest: int, **more: int) -> int:
        if flags & os.O_CREAT:
            made.append((Path(path).name, flags))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", spy)
    with RunWriter.create(tmp_path, run()) as writer:
        writer.append(sample(0))
        writer.finish("complete")
    assert made
    assert all(flags & os.O_EXCL for _, flags in made)
    temporary = [name for name, _ in made if name.startswith(".")]
    assert len(set(temporary)) == len(temporary) >= 2
    assert all(len(name.rpartition(".")[2]) >= 16 for name in temporary)


def test_run_json_says_nothing_of_the_environment(tmp_path: Path) -> None:
    """Must: what is kept of this machine is named, never taken whole."""
    text = json.dumps(json.loads((written(tmp_path) / "run.json").read_text()))
    assert str(Path.home()) not in text
    assert "PATH" not in text
