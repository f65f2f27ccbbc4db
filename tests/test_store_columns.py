"""Runs are read by column: the same rows as by row, and only what was asked for."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench
from bench.errors import StoreError, UsageError
from bench.frame import DERIVED, KEYS, tidy
from bench.model import COLUMNS
from bench.store import Local, RunWriter, read_runs, read_table
from tests.store_kit import run, sample, written

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of every version and in every state that can be read."""
    folder = tmp_path_factory.mktemp("mixed")
    for version in ("run-v1", "run-v2"):
        shutil.copytree(DATA / version, folder / version)
    for name, status in (("whole", "complete"), ("lines", None), ("damaged", "complete")):
        with RunWriter.create(folder, run(12, run_id=name)) as writer:
            for seq in range(12):
                other = {"peer_ip": f"10.0.0.{seq % 2}", "min_rtt_ns": 1000 + seq}
                started = f"2025-01-0{1 + seq % 3}T00:00:00.000000Z"
                row = sample(seq, run_id=name, started_at=started, ttfb_ns=10_000 + seq, **other)
                writer.append(row)
            if status:
                writer.finish(status)
    (folder / "damaged" / "samples.parquet").write_bytes(b"PAR1")
    return folder


def spoil(file: Path, at: int, bit: int = 0) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1 << bit
    file.write_bytes(data)


def by_row(results: Path) -> pd.DataFrame:
    """Every row of every run as the store has it row by row."""
    stored = read_runs(results)
    return tidy((row for one in stored for row in one.rows), [one.run for one in stored])


@cache
def every_row(results: Path) -> list[dict[str, Any]]:
    return plain(by_row(results))


def plain(df: pd.DataFrame) -> list[dict[str, Any]]:
    """The values alone, None where there is none."""
    columns = {
        str(name): [
            None if gone else value for value, gone in zip(df[name], df[name].isna(), strict=True)
        ]
        for name in df
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_all_columns_of_all_runs_are_those_that_are_read_row_by_row(results: Path) -> None:
    """Dtypes too; what could not be read as it should be is told."""
    ours, rows = bench.load(results), by_row(results)
    assert plain(ours) == plain(rows)
    assert [str(kind) for kind in ours.dtypes] == [str(kind) for kind in rows.dtypes]
    codes = [caution["code"] for caution in ours.attrs["cautions"]]
    assert sorted(codes) == ["killed", "parquet_damaged"]


WHERE = st.fixed_dictionaries(
    {},
    optional={
        "endpoint": st.lists(st.sampled_from(["global", "us-east-1", "mars"]), max_size=2),
        "connection": st.sampled_from(["warm", "cold"]),
        "arm": st.sampled_from([None, "short", ["short", None]]),
        "warmup": st.booleans(),
        "seq": st.lists(st.integers(0, 11), min_size=1, max_size=4),
        "since": st.sampled_from(["2025-01-02", "2025-01-03T00:00:00+00:00", "2026-01-01"]),
        "until": st.sampled_from(["2025-01-02", "2025-01-03T00:00:00+00:00", "2026-12-01"]),
    },
)


def meant(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """The choice of rows once more, for one row, in plain words."""
    since, until = (pd.Timestamp(where.get(name, "NaT")) for name in ("since", "until"))
    began = row["started_at"].tz_convert(None)
    if began < since.replace(tzinfo=None) or began >= until.replace(tzinfo=None):
        return False
    values = {k: v if isinstance(v, list) else [v] for k, v in where.items()}
    return all(row[k] in v for k, v in values.items() if k not in ("since", "until"))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(columns=st.lists(st.sampled_from([*COLUMNS, *DERIVED]), max_size=5), where=WHERE)
def test_a_choice_of_rows_and_columns_is_that_of_the_whole_frame(
    results: Path, columns: list[str], where: dict[str, Any]
) -> None:
    """Pushing it down to the files changes what it costs, not what it gives."""
    found = bench.load(results, columns, where)
    kept = [name for name in (*COLUMNS, *DERIVED) if name in columns or name in KEYS]
    rows = [row for row in every_row(results) if meant(row, where)]
    assert list(found.columns) == kept
    assert plain(found) == [{name: row[name] for name in kept} for row in rows]


def test_runs_without_a_row_that_was_asked_for_are_left_out_and_counted(results: Path) -> None:
    """Nobody takes the rest for all there was."""
    df = bench.load(results, where={"arm": "short"})
    assert [one["run_id"][:4] for one in df.attrs["runs"]] == ["2026"]
    assert df.attrs["cautions"][-1]["text"].startswith("4 of 5 runs have no row")


@pytest.mark.parametrize(
    ("columns", "where", "words"),
    [
        (["ttft"], None, "there is no column 'ttft'"),
        (None, {"endpont": "global"}, "did you mean endpoint"),
        (None, {"since": "yesterday"}, "'yesterday' is no instant"),
        (None, {"status": "good"}, "'good' is no value of it; it holds int64"),
    ],
)
def test_what_cannot_be_asked_is_said(results: Path, columns: Any, where: Any, words: str) -> None:
    """A typo gives one sentence, not an empty frame."""
    with pytest.raises(UsageError, match=words):
        bench.load(results, columns, where)


def test_a_flipped_bit_anywhere_changes_no_row_in_silence(tmp_path: Path) -> None:
    """The footer has a hash in run.json, pages have checksums: what is damaged is read from the
    lines instead."""
    folder = written(tmp_path, 10)
    file = folder / "samples.parquet"
    whole, right = file.read_bytes(), plain(bench.load(folder))
    choice = random.Random(9)
    for at in choice.sample(range(len(whole)), 30):
        spoil(file, at, choice.randrange(8))
        assert plain(bench.load(folder)) == right, at
        file.write_bytes(whole)


class Counting(Local):
    """A folder that counts what is read of its files."""

    read = 0

    def open(self, name: str) -> BinaryIO:
        file = super().open(name)
        take = file.read

        def counted(size: int = -1) -> bytes:
            data = take(size)
            Counting.read += len(data)
            return data

        file.read = counted  # type: ignore[method-assign]  # a file of ours, to count
        return file


def test_the_rest_of_a_file_is_not_read(tmp_path: Path) -> None:
    """One column of a long run takes a small part of it."""
    folder = written(tmp_path, 3000)
    size = (folder / "samples.parquet").stat().st_size
    Counting.read = 0
    read_table(Counting(folder), ("ttft_ns",))
    assert Counting.read < size / 2 + 70_000


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 of our own on loopback, with a key that opens nothing else."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("runs")
    yield "s3://runs/results"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


def test_a_bucket_reads_as_the_folder_that_was_copied_there(results: Path, bucket: str) -> None:
    """By S3's own protocol: the same rows, and the same words of what was damaged."""
    files = fsspec.filesystem("s3")
    files.put(str(results), bucket, recursive=True)
    ours, theirs = bench.load(results), bench.load(bucket)
    assert plain(ours) == plain(theirs)
    codes = [[c["code"] for c in df.attrs["cautions"]] for df in (ours, theirs)]
    assert codes[0] == codes[1]
    one = bench.load(f"{bucket}/whole", ["ttft_ns"], {"endpoint": "global"})
    assert one["ttft_ns"].tolist() == [150_000_000 + seq for seq in (0, 4, 8)]


def test_any_file_system_of_fsspec_will_do(results: Path) -> None:
    """One in memory, and a URL that leads nowhere."""
    files = fsspec.filesystem("memory")
    files.put(str(results), "/results", recursive=True)
    assert plain(bench.load("memory://results")) == plain(bench.load(results))
    with pytest.raises(StoreError, match="Could not read memory://nothing"):
        bench.load("memory://nothing")
    with pytest.raises(StoreError, match="Protocol not known"):
        bench.load("nowhere://results")
