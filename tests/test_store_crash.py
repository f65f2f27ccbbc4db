"""Kills and power cuts: nothing that was promised is lost, nothing is doubled or invented."""

from __future__ import annotations

import argparse
import ast
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.store import RunWriter, disk, repair
from tests import crash_life
from tests.benchmarks import kills
from tests.store_kit import run, sample


def test_kills_at_random_instants_lose_and_double_nothing() -> None:
    """A shorter form yet of ``python -m tests.benchmarks.kills``, whose short form runs in CI."""
    result = kills.measure(argparse.Namespace(quick=False, kills=12, seed=1))
    assert [figure for figure in result.figures if not figure.holds] == []
    assert sum(line["acknowledged"] for line in result.table) > 0


def test_the_judge_of_kills_sees_a_lost_row(tmp_path: Path) -> None:
    """A judge that cannot find a fault proves nothing."""
    with RunWriter.create(tmp_path, run(3)) as writer:
        writer.append(sample(0))
    struck = kills.judge(writer.folder, "r1", 3, [kills.CREATED, 0, 1])
    assert (struck.lost, struck.doubled, struck.invented) == (1, 0, 0)


@given(st.integers(0, 10**9))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_power_cut_at_any_instant_breaks_no_promise(tmp_path: Path, seed: int) -> None:
    """From the first run to the last removal: runs made, synced, resumed, finished, compacted,
    tagged, exported, imported and removed. The short form of `tests.benchmarks.power_cuts`."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        cuts, faults = crash_life.live(Path(folder), seed, share=0.4)
    assert faults == []
    event(f"{cuts // 20 * 20} cuts or more")


@pytest.mark.parametrize("control", crash_life.CONTROLS)
def test_a_store_that_breaks_the_protocol_is_caught(control: str, tmp_path: Path) -> None:
    """The disk has teeth: without one kind of fsync, a cut takes what was promised."""
    found = (crash_life.live(tmp_path, seed, 0.4, control)[1] for seed in range(20))
    assert any(found)


FILE_SYSTEM = {"shutil", "tempfile", "mmap", "fcntl"}
READING = {"place", "files"}
"""What opens for reading alone: `bench.store.places.Place` and fsspec, each asked for ``rb``."""

ON_DESCRIPTORS = {"close", "fdopen", "lseek", "SEEK_END", "O_RDONLY"}
IN_MEMORY = {"BytesIO", "BufferedWriter", "RawIOBase"}
ON_PATHS = {
    *("mkdir", "rmdir", "unlink", "touch", "rename", "write_text", "write_bytes", "chmod"),
    *("symlink_to", "hardlink_to", "link_to", "open"),
}


@pytest.mark.parametrize(
    "file", sorted(Path(disk.__file__).parent.glob("*.py")), ids=lambda f: f.name
)
def test_the_store_touches_files_through_one_door(file: Path) -> None:
    """What went past `bench.store.disk` would go past its faults and power cuts too. Reading may:
    it leaves nothing."""
    if file.name == "disk.py":
        return
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name.partition(".")[0] for alias in node.names}
            assert not names & FILE_SYSTEM, f"line {node.lineno}"
        if isinstance(node, ast.Attribute):
            owner = getattr(node.value, "id", getattr(node.value, "attr", ""))
            if owner in READING and node.attr == "open":
                continue
            assert owner != "io" or node.attr in IN_MEMORY, f"line {node.lineno}"
            assert owner != "os" or node.attr in ON_DESCRIPTORS, f"line {node.lineno}"
            assert owner == "disk" or node.attr not in ON_PATHS, f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"line {node.lineno}"


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    """The lock holds between processes, and ends with its holder, also when that is killed."""
    with RunWriter.create(tmp_path, run()) as writer:
        path = writer.folder / "samples.jsonl"
        assert in_child(lambda: disk.locked(path))
        assert in_child(lambda: refused(writer.folder))
    assert not disk.locked(path)


def refused(folder: Path) -> bool:
    try:
        repair(folder)
    except StoreError:
        return True
    return False


def in_child(question: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if question() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
