"""The system refuses the n-th write, sync or rename: strace makes it, on the real calls.

The writer is the child of `tests.benchmarks.kills`: it acknowledges each row over a pipe.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import StoreError
from bench.store import read_run, repair
from tests.benchmarks import kills

ROWS = 6


def require_strace() -> str:
    """strace; a skip that says what is missing, in CI a failure where it is the program."""
    found = shutil.which("strace")
    if found is None and os.environ.get("CI"):
        pytest.fail("faults of the system need strace: apt install strace")
    if found is None:
        pytest.skip("faults of the system need strace: apt install strace")
    command = [found, "-o", os.devnull, "true"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    return found


def run_with(fault: str, results: Path, paths: tuple[Path, ...]) -> tuple[list[int], int, str]:
    """What the writer acknowledged, its exit code, and its last words."""
    only = [word for path in paths for word in ("-P", str(path))]
    kinds = fault.partition(":")[0]
    traced = ["-f", "-qq", "-o", os.devnull, *only, "-e", f"trace={kinds}", "-e", f"inject={fault}"]
    child = [
        sys.executable,
        "-m",
        "tests.benchmarks.kills",
        "--child",
        str(results),
        "k",
        str(ROWS),
    ]
    done = subprocess.run(
        [require_strace(), *traced, *child], capture_output=True, text=True, check=False, timeout=60
    )
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return [int(word) for word in done.stdout.split()], done.returncode, last


WRITES = [f"write:error={error}:when={n}" for error in ("ENOSPC", "EIO") for n in (1, 2, 4, ROWS)]
SYNCS = [f"fdatasync:error=EIO:when={n}" for n in (1, 2)]
MADE = [
    *(f"fdatasync:error=EIO:when={n}" for n in (1, 2, 3, 4)),
    *(f"fsync:error=EIO:when={n}" for n in (1, 2, 3, 4, 5)),
    *(f"rename:error=EIO:when={n}" for n in (1, 2, 3)),
    "mkdir:error=ENOSPC:when=1",
    "flock:error=ENOLCK:when=1",
]


@pytest.mark.parametrize("fault", [*WRITES, *SYNCS])
def test_a_fault_of_the_rows_file_loses_nothing_that_was_acknowledged(
    fault: str, tmp_path: Path
) -> None:
    """The writer stops with one sentence; what it promised before is there, and nothing else."""
    folder = tmp_path / "k"
    heard, code, last = run_with(fault, tmp_path, (folder / "samples.jsonl",))
    _judge(folder, heard, code, last)


@pytest.mark.parametrize("fault", MADE)
def test_a_fault_of_any_call_on_the_folder_loses_nothing_that_was_acknowledged(
    fault: str, tmp_path: Path
) -> None:
    """Also while the folder is made and while the run is finished."""
    heard, code, last = run_with(fault, tmp_path, ())
    _judge(tmp_path / "k", heard, code, last)


def _judge(folder: Path, heard: list[int], code: int, last: str) -> None:
    rows = [seq for seq in heard if seq >= 0]
    assert (code == 0) == (kills.FINISHED in heard), last
    if code:
        assert last.startswith("bench.errors.StoreError: Could not"), last
    if kills.CREATED not in heard:
        return
    found = [row["seq"] for row in read_run(folder).rows]
    assert found[: len(rows)] == rows
    assert len(found) <= len(rows) + 1
    repair(folder)
    assert [row["seq"] for row in read_run(folder).rows] == found
    if kills.FINISHED in heard:
        assert read_run(folder).cautions == ()


def test_the_faults_are_real(tmp_path: Path) -> None:
    """An injection that strikes nothing would pass everywhere."""
    heard, code, last = run_with(
        "write:error=ENOSPC:when=3", tmp_path, (tmp_path / "k/samples.jsonl",)
    )
    assert [seq for seq in heard if seq >= 0] == [0, 1]
    assert code
    assert "the disk is full" in last
    with pytest.raises(StoreError):
        read_run(tmp_path / "nothing")
