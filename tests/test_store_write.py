"""Writing a run: what is promised when a call returns, and what happens when the disk refuses."""

from __future__ import annotations

import ast
import dataclasses
import errno
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.model import Sample
from bench.store import RunWriter, disk, lines, parquet, read_run
from tests.store_kit import row, run, sample, samples, written

GOLDEN = (
    b'{"line":12,"crc":"d1cf59de","row":{"run_id":"r1","seq":11,"round":2,"endpoint":"us-west-2",'
    b'"kind":"chat","streamed":true,"client":"httpx","connection":"warm","warmup":false,'
    b'"vantage":"here","started_at":"2025-01-01T00:00:00.000000Z",'
    b'"request_sha256":"000000000000000000000000000000000000000000000000000000000000000b",'
    b'"outcome":"ok","status":200,"ttft_ns":150000011,"total_ns":900000011,'
    b'"token_offsets_ns":[150000000,150000011],"token_coalesced":[false,true],'
    b'"cost_usd":0.000123,"model":"grok-4"}}\n'
)


def test_the_line_is_the_documented_one() -> None:
    assert lines.encode(12, sample(11)) == GOLDEN


def test_folder_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = written(tmp_path / "results")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"run.json": 0o600, "samples.jsonl": 0o600, "samples.parquet": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


def test_a_row_is_one_system_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunWriter.create(tmp_path, run()) as writer:
        calls: list[bytes] = []

        def take(_: int, data: bytes) -> int:
            calls.append(data)
            return len(data)

        monkeypatch.setattr(os, "write", take)
        writer.append(sample(0))
    assert calls == [lines.encode(1, sample(0))]


def test_two_writers_never_share_a_folder(tmp_path: Path) -> None:
    with (
        RunWriter.create(tmp_path, run()),
        pytest.raises(StoreError, match=r"exists already.*start a new run"),
    ):
        RunWriter.create(tmp_path, run())


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "/tmp", ".hidden", "a\0b"])  # noqa: S108  # a name, no place
def test_a_run_id_cannot_lead_out_of_the_results_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(StoreError, match="cannot name a run"):
        RunWriter.create(tmp_path, run(run_id=run_id))


def test_a_results_path_that_is_a_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match=r"results.*choose another results folder"):
        RunWriter.create(tmp_path / "results", run())


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.EROFS, "read-only"), (errno.ENOSPC, "disk is full"), (errno.EACCES, "permission")],
)
def test_a_folder_that_cannot_be_written_is_told_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    monkeypatch.setattr(disk, "create", failing(code))
    with pytest.raises(StoreError, match=remedy):
        RunWriter.create(tmp_path, run())
    assert list(tmp_path.iterdir()) == []


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_short_write_is_cut_back_and_stops_the_run(tmp_path: Path) -> None:
    """With a real file size limit: the kernel takes a part of the row, then none."""
    with RunWriter.create(tmp_path, run()) as writer:
        writer.append(sample(0))
        size = (writer.folder / "samples.jsonl").stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
        try:
            with pytest.raises(StoreError, match=r"row 2.*ulimit.*1 rows before it are kept"):
                writer.append(sample(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (writer.folder / "samples.jsonl").stat().st_size == size
        with pytest.raises(StoreError, match="no more rows"):
            writer.append(sample(1))
        writer.finish("stopped")
    stored = read_run(writer.folder)
    assert stored.rows == [row(sample(0))]
    assert stored.run["status"] == "stopped"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, run()) as writer:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._fd)
        os.close(full)
        with pytest.raises(StoreError, match="disk is full"):
            writer.append(sample(0))


def test_an_error_of_fsync_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second fsync may succeed although pages were dropped, so nothing more is promised."""
    now = [0]
    with RunWriter.create(tmp_path, run(), now_ns=lambda: now[0]) as writer:
        writer.append(sample(0))
        now[0] = 10**9
        with monkeypatch.context() as patch:
            patch.setattr(disk, "sync", failing(errno.EIO))
            with pytest.raises(StoreError, match="disk reports an error"):
                writer.sync_if_due()
        with pytest.raises(StoreError, match="no more rows"):
            writer.append(sample(1))
        writer.finish("stopped")
    assert not (writer.folder / "samples.parquet").exists()


def test_rows_are_synced_every_second_or_hundred_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    with RunWriter.create(tmp_path, run(), now_ns=lambda: now[0]) as writer:
        synced: list[int] = []
        monkeypatch.setattr(disk, "sync", lambda _: synced.append(writer.rows))
        for seq in range(250):
            writer.append(sample(seq))
            writer.sync_if_due()
        now[0] = 10**9
        writer.sync_if_due()
        writer.append(sample(250))
        now[0] = 2 * 10**9 - 1
        writer.sync_if_due()
        writer.append(sample(251))
        now[0] = 2 * 10**9
        writer.sync_if_due()
        now[0] = 4 * 10**9
        writer.sync_if_due()
    assert synced == [100, 200, 250, 252]


def test_finish_says_how_the_run_ended_and_keeps_the_lines(tmp_path: Path) -> None:
    folder = written(tmp_path, status="interrupted")
    document = json.loads((folder / "run.json").read_text())
    assert document["status"] == "interrupted"
    assert document["finished_at"] == "2025-01-01T00:01:00.000000Z"
    assert document["stored"]["rows"] == document["stored"]["parquet"]["rows"] == 10
    assert len((folder / "samples.jsonl").read_bytes().splitlines()) == 10
    assert parquet.read(folder / "samples.parquet") == read_run(folder).rows


def test_a_writer_that_let_go_of_its_lock_changes_nothing(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, run()) as writer:
        pass
    with pytest.raises(StoreError, match="no more rows"):
        writer.append(sample(0))
    with pytest.raises(StoreError, match="closed"):
        writer.finish("complete")
    assert read_run(writer.folder).run["status"] == "running"


def test_a_parquet_that_reads_back_differently_never_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = parquet.encode([row(sample(99))])
    monkeypatch.setattr(parquet, "encode", lambda _: wrong)
    with pytest.raises(StoreError, match="did not read back"):
        written(tmp_path)
    stored = read_run(tmp_path / "r1")
    assert {path.name for path in (tmp_path / "r1").iterdir()} == {"run.json", "samples.jsonl"}
    assert (stored.run["status"], len(stored.rows), stored.cautions) == ("complete", 10, ())


@pytest.mark.parametrize("compact", [True, False])
def test_rows_that_vanish_while_the_run_writes_are_told(compact: bool, tmp_path: Path) -> None:
    """The lines are counted where they are not read."""
    with RunWriter.create(tmp_path, run(2)) as writer:
        writer.append(sample(0))
        os.truncate(writer.folder / "samples.jsonl", 0)
        writer.append(sample(1))
        with pytest.raises(StoreError, match="holds 1 of 2 rows"):
            writer.finish("complete", compact=compact)
    assert "lost_rows" in {caution.code for caution in read_run(writer.folder).cautions}


OPERATIONS = ("make_folder", "create", "write", "truncate", "sync", "sync_folder", "rename", "lock")


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_an_error_at_any_operation_is_told_and_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """The n-th call of one operation fails, for every n until a run passes without it."""
    for n in range(1, 20):
        faults = Faults(getattr(disk, name), n, code)
        with monkeypatch.context() as patch:
            patch.setattr(disk, name, faults)
            kept, told = attempt(tmp_path / str(n))
        assert told == faults.struck
        if kept:
            assert read_run(tmp_path / str(n) / "r1").rows == kept
        if not faults.struck:
            return
    pytest.fail("more operations than expected")


@dataclasses.dataclass
class Faults:
    """Fails the n-th call."""

    real: Callable[..., Any]
    n: int
    code: int
    struck: bool = False

    def __call__(self, *arguments: Any) -> Any:
        self.n -= 1
        if self.n == 0:
            self.struck = True
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments)


def attempt(results: Path) -> tuple[list[dict[str, Any]], bool]:
    """A run of five rows: the acknowledged ones, and whether an error was told."""
    kept: list[dict[str, Any]] = []
    now = iter(range(0, 10**12, 10**9))
    try:
        with RunWriter.create(results, run(5), now_ns=lambda: next(now)) as writer:
            for seq in range(5):
                writer.append(sample(seq))
                kept.append(row(sample(seq)))
                writer.sync_if_due()
            writer.finish("complete")
    except StoreError:
        return kept, True
    return kept, False


@given(samples())
@settings(deadline=None)
def test_every_row_that_the_types_allow_comes_back_exactly(given_sample: Sample) -> None:
    decoded = lines.decode(lines.encode(1, given_sample))
    assert decoded is not None
    assert decoded == (1, row(given_sample))
    assert [type(value) for value in decoded[1].values()] == [
        type(value) for value in row(given_sample).values()
    ]


@given(st.lists(st.characters() | st.sampled_from(["\ud800", "\udfff"])).map("".join))
@settings(deadline=None)
def test_text_that_is_not_unicode_is_replaced_and_the_rest_kept(text: str) -> None:
    decoded = lines.decode(lines.encode(1, sample(0, model=text)))
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert decoded is not None
    assert decoded[1]["model"] == whole
    assert len(parquet.encode([decoded[1]])) > 0


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("retry_after_s", float("nan"), None),
        ("retry_after_s", float("inf"), None),
        ("retry_after_s", 10**400, None),
        ("retry_after_s", 5, 5.0),
        ("prompt_tokens", 10**30, None),
        ("prompt_tokens", 2**63 - 1, 2**63 - 1),
        ("prompt_tokens", True, 1),
    ],
)
def test_numbers_that_no_column_can_hold_become_unknown(
    name: str, value: object, stored: object
) -> None:
    decoded = lines.decode(lines.encode(1, sample(0, **{name: value})))
    assert decoded is not None
    assert decoded[1][name] == stored
    assert type(decoded[1][name]) is type(stored)


@pytest.mark.parametrize(
    "wrong", [{"prompt_tokens": "12"}, {"model": 4}, {"reused": 1}, {"token_offsets_ns": ("a",)}]
)
def test_a_value_of_the_wrong_type_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=next(iter(wrong))):
        lines.encode(1, sample(0, **wrong))


def test_importing_the_store_loads_no_heavy_library() -> None:
    code = "import bench.store, sys; print({m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pyarrow", "pandas", "numpy"} & set(ast.literal_eval(done.stdout))
