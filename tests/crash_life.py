"""The life of a results folder on a disk whose power may fail at any instant, and what must be true
of whatever a cut leaves: nothing that was synced is lost, nothing is invented, no file is a mix.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.errors import StoreError
from bench.store import (
    RunWriter,
    archive,
    change_tags,
    compact,
    disk,
    export_runs,
    import_runs,
    is_run,
    lines,
    parquet,
    read_run,
    remove_run,
    reopen,
    repair,
    tags,
)
from tests.crash_disk import CrashDisk
from tests.store_kit import row, run, sample

MOST = 14
ROWS = [row(sample(seq)) for seq in range(MOST)]


@dataclass
class Promise:
    """What had returned by now, and so must be there; pairs are (before, after) a call under way.

    ``rows`` is how many were synced, -1 before there is a run; ``tags`` are those it may have.
    """

    rows: int = -1
    finished: bool = False
    tags: set[tuple[str, ...]] = field(default_factory=lambda: {()})
    exported: bool = False
    imported: bool = False
    leaving: bool = False


@dataclass
class Life:
    """One results folder, from the first run to the last removal."""

    machine: CrashDisk
    choice: random.Random
    promise: Promise = field(default_factory=Promise)

    @property
    def results(self) -> Path:
        """The folder."""
        return self.machine.root / "results"

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.results / "r1"

    def live(self) -> None:
        """All of it."""
        self._measure()
        if self.choice.random() < 0.7:
            self._tag()
        if self.choice.random() < 0.5:
            self._move_house()
        if self.choice.random() < 0.3:
            self.promise.leaving = True
            remove_run(self.folder)

    def _measure(self) -> None:
        """In one go, or resumed after it was left."""
        count, first = self.choice.randint(0, MOST), self.choice.randint(0, MOST)
        with RunWriter.create(self.results, run(count), now_ns=self._clock()) as writer:
            self.promise.rows = 0
            self._append(writer, range(min(first, count)))
            if first >= count:
                return self._finish(writer)
        self._resume(count)
        return None

    def _resume(self, count: int) -> None:
        kept = reopen(self.folder)
        with kept.writer(run(count)) as writer:
            self._append(writer, range(len(kept.found.rows), count))
            self._finish(writer)

    def _append(self, writer: RunWriter, seqs: range) -> None:
        for seq in seqs:
            writer.append(sample(seq))
            writer.sync_if_due()
            if not writer._unsynced:
                self.promise.rows = writer.rows

    def _finish(self, writer: RunWriter) -> None:
        at_once = self.choice.random() < 0.5
        writer.finish("complete", compact=at_once)
        self.promise.rows, self.promise.finished = writer.rows, True
        writer.close()
        if not at_once:
            compact(self.folder)

    def _clock(self) -> Any:
        """Rows are due for a sync now and then."""
        times = itertools.accumulate(self.choice.choice((0, 10**8, 10**9)) for _ in range(10**6))
        return lambda: next(times)

    def _tag(self) -> None:
        for words in (("baseline",), ("x", "y")):
            self.promise.tags.add(tuple(sorted({*tags.read(self.folder), *words})))
            now = change_tags(self.folder, add=words)
            self.promise.tags = {now}

    def _move_house(self) -> None:
        export_runs([self.folder], self.machine.root / "runs.parquet")
        self.promise.exported = True
        import_runs(self.machine.root / "runs.parquet", self.machine.root / "elsewhere")
        self.promise.imported = True


def check(root: Path, promise: Promise) -> None:
    """What a cut left under ``root`` is what was promised. AssertionError says what is not."""
    folder = root / "results" / "r1"
    if promise.rows < 0:
        _readable_or_refused(folder)
    elif folder.exists() or not promise.leaving:
        _check_run(folder, promise)
    _check_archive(root / "runs.parquet", promise)
    elsewhere = root / "elsewhere" / "r1"
    if promise.imported or elsewhere.exists():
        assert read_run(elsewhere).cautions == ()
        assert read_run(elsewhere).rows == ROWS[: promise.rows]
        assert tags.read(elsewhere) in promise.tags


def _check_run(folder: Path, promise: Promise) -> None:
    stored = read_run(folder)
    _check_rows(stored.rows, promise)
    codes = {caution.code for caution in stored.cautions}
    assert "run_json_changed" not in codes, "run.json is a mix"
    assert stored.run["status"] in ("running", "complete")
    assert not promise.finished or (stored.run["status"], codes) == ("complete", set())
    _check_rows(lines.scan(folder / "samples.jsonl").rows, promise)
    if (folder / parquet.NAME).exists():
        assert parquet.read(folder / parquet.NAME) == stored.rows
    assert tags.read(folder) in promise.tags
    repair(folder)
    assert read_run(folder).rows == stored.rows
    assert repair(folder) == ()


def _check_rows(rows: list[dict[str, Any]], promise: Promise) -> None:
    assert rows[: promise.rows] == ROWS[: promise.rows], "a row that was synced is lost"
    assert all(found in ROWS for found in rows), "a row is invented"
    assert len({found["seq"] for found in rows}) == len(rows), "a row is doubled"


def _check_archive(file: Path, promise: Promise) -> None:
    if promise.exported or file.exists():
        (packed,) = archive.read_archive(file)
        assert packed.rows == ROWS[: promise.rows]


def _readable_or_refused(folder: Path) -> None:
    try:
        assert read_run(folder).rows == []
    except StoreError:
        assert not (folder / "run.json").exists()
        assert not is_run(folder) or (folder / "samples.jsonl").exists()


CONTROLS = {
    "no fdatasync": ("sync", lambda _: None),
    "no fsync of folders": ("sync_folder", lambda _: None),
    "files renamed before their data is safe": (
        "save_by",
        lambda path, fill: _careless(path, fill),
    ),
}
"""Stores that break the protocol, by name: what `bench.store.disk` does not do then."""


def _careless(path: Path, fill: Callable[[int], None]) -> None:
    fd = disk.create(path)
    fill(fd)
    os.close(fd)


@contextmanager
def crash_disk(root: Path, control: str | None = None) -> Iterator[CrashDisk]:
    """A disk under ``root``, for as long as the context lasts; with a control's fault."""
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        machine = CrashDisk(patch, root)
        if control is not None:
            patch.setattr(disk, *CONTROLS[control])
        yield machine


def live(
    folder: Path, seed: int, share: float = 1.0, control: str | None = None
) -> tuple[int, list[str]]:
    """One life with a cut at a ``share`` of its instants: how many, and the promises broken."""
    choice, faults, cuts = random.Random(seed), list[str](), itertools.count()
    with crash_disk(folder / f"life-{seed}", control) as machine:
        life = Life(machine, choice)

        def fail() -> None:
            if choice.random() >= share:
                return
            target = folder / f"cut-{seed}-{next(cuts)}"
            machine.cut(choice, target)
            try:
                check(target, life.promise)
            except (AssertionError, StoreError, OSError) as error:
                faults.append(f"{target}: {type(error).__name__}: {error}")
            shutil.rmtree(target)

        machine.at_each = fail
        life.live()
    return next(cuts), faults
