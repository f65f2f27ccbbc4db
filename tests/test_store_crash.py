"""Kills and power cuts: nothing that was promised is lost, nothing is doubled or invented."""

from __future__ import annotations

import argparse
import itertools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.errors import StoreError
from bench.store import RunWriter, disk, parquet, read_run, repair
from tests.benchmarks import kills
from tests.store_kit import row, run, sample

SECTOR = 512
ROWS = [row(sample(seq)) for seq in range(12)]


def test_kills_at_random_instants_lose_and_double_nothing() -> None:
    """The short form of ``python -m tests.benchmarks.kills``."""
    result = kills.measure(argparse.Namespace(quick=True, seed=1))
    assert [figure for figure in result.figures if not figure.holds] == []
    assert sum(line["acknowledged"] for line in result.table) > 0


def test_the_judge_of_kills_sees_a_lost_row(tmp_path: Path) -> None:
    """A judge that cannot find a fault proves nothing."""
    with RunWriter.create(tmp_path, run(3)) as writer:
        writer.append(sample(0))
    struck = kills.judge(writer.folder, "r1", 3, [kills.CREATED, 0, 1])
    assert (struck.lost, struck.doubled, struck.invented) == (1, 0, 0)


@dataclass
class File:
    """One file as a disk has it: what is safe, and what is on its way."""

    safe: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def whole(self) -> bytes:
        return applied(self.safe, self.pending)

    def sync(self) -> None:
        self.safe, self.pending = self.whole(), []

    def after_a_cut(self, choice: random.Random) -> bytes:
        """Any subset of the sectors on their way, in any order; a hole reads as zeros."""
        sectors = [
            (at, data)
            for start, content in self.pending
            for at, data in split(start, content)
            if choice.random() < 0.5
        ]
        return applied(self.safe, sectors)


def applied(content: bytes, changes: list[tuple[int, bytes | None]]) -> bytes:
    held = bytearray(content)
    for at, data in changes:
        if data is None:
            del held[at:]
            continue
        held.extend(bytes(max(0, at + len(data) - len(held))))
        held[at : at + len(data)] = data
    return bytes(held)


def split(start: int, content: bytes | None) -> list[tuple[int, bytes | None]]:
    if content is None:
        return [(start, None)]
    cuts = [start, *range(start - start % SECTOR + SECTOR, start + len(content), SECTOR)]
    stops = [*cuts[1:], start + len(content)]
    return [(a, content[a - start : b - start]) for a, b in zip(cuts, stops, strict=True)]


class CrashDisk:
    """Lets every operation of `disk` through and keeps a model of what a power cut would leave.

    Contents are safe after a sync of their file, names after a sync of their folder; until then a
    cut keeps any subset of sectors, and names up to any point in the order they were made.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open: dict[int, File] = {}
        self.names: dict[Path, File] = {}
        self.safe_names: dict[Path, File] = {}
        self.renames: list[tuple[Path, Callable[[dict[Path, File]], Any]]] = []
        self.at_each: Callable[[], None] = lambda: None
        self.paused = False
        for name in ("create", "write", "truncate", "sync", "sync_folder", "rename", "remove"):
            patch.setattr(disk, name, self._around(getattr(disk, name), getattr(self, f"_{name}")))

    def _around(self, real: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if self.paused:
                return real(*arguments)
            self.at_each()
            result = real(*arguments)
            note(result, *arguments)
            self.at_each()
            return result

        return call

    def _name(self, folder: Path, change: Callable[[dict[Path, File]], Any]) -> None:
        change(self.names)
        self.renames.append((folder, change))

    def _create(self, fd: int, path: Path) -> None:
        made = self.open[fd] = File()
        self._name(path.parent, lambda names: names.__setitem__(path, made))

    def _write(self, taken: int, fd: int, data: bytes) -> None:
        held = self.open[fd]
        held.pending.append((len(held.whole()), data[:taken]))

    def _truncate(self, _: None, fd: int, size: int) -> None:
        self.open[fd].pending.append((size, None))

    def _sync(self, _: None, fd: int) -> None:
        self.open[fd].sync()

    def _sync_folder(self, _: None, folder: Path) -> None:
        for where, change in self.renames:
            if where == folder:
                change(self.safe_names)
        self.renames = [kept for kept in self.renames if kept[0] != folder]

    def _rename(self, _: None, source: Path, target: Path) -> None:
        self._name(source.parent, lambda names: move(names, source, target))

    def _remove(self, _: None, path: Path) -> None:
        self._name(path.parent, lambda names: names.pop(path, None))

    def cut(self, choice: random.Random, target: Path) -> None:
        """Materialises in ``target`` what a power cut at this instant may leave."""
        names = dict(self.safe_names)
        for _, change in self.renames[: choice.randint(0, len(self.renames))]:
            change(names)
        target.mkdir()
        for path, held in names.items():
            (target / path.name).write_bytes(held.after_a_cut(choice))


def move(names: dict[Path, File], source: Path, target: Path) -> None:
    if source in names:
        names[target] = names.pop(source)


@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_at_any_instant_keeps_what_was_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Before and after every operation of a run from creation to finish."""
    choice, machine = random.Random(seed), CrashDisk(monkeypatch)
    promised, cuts = {"rows": -1, "finished": 0}, itertools.count()

    def check() -> None:
        machine.paused = True
        target = tmp_path / f"cut-{next(cuts)}"
        machine.cut(choice, target)
        assert_kept(target, promised["rows"], bool(promised["finished"]))
        machine.paused = False

    machine.at_each = check
    now = iter(range(0, 10**12, 4 * 10**8))
    with RunWriter.create(tmp_path, run(12), now_ns=lambda: next(now)) as writer:
        promised["rows"] = 0
        for seq in range(12):
            writer.append(sample(seq))
            writer.sync_if_due()
            if not writer._unsynced:
                promised["rows"] = writer.rows
            check()
        writer.finish("complete")
        promised.update(rows=12, finished=1)
        check()
    assert next(cuts) > 60


def assert_kept(folder: Path, promised: int, finished: bool) -> None:
    if promised < 0:
        assert_readable_or_refused(folder)
        return
    stored = read_run(folder)
    assert stored.rows[:promised] == ROWS[:promised]
    assert all(found in ROWS for found in stored.rows)
    assert len({found["seq"] for found in stored.rows}) == len(stored.rows)
    assert not finished or (stored.run["status"], stored.cautions) == ("complete", ())
    if (folder / "samples.parquet").exists():
        assert parquet.read(folder / "samples.parquet") == ROWS
    repair(folder)
    assert read_run(folder).rows == stored.rows
    assert repair(folder) == ()


def assert_readable_or_refused(folder: Path) -> None:
    try:
        assert read_run(folder).rows == []
    except StoreError:
        assert not (folder / "run.json").exists()


def test_the_crash_disk_loses_what_was_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model has teeth: without fsync, a cut takes acknowledged rows."""
    machine = CrashDisk(monkeypatch)
    with RunWriter.create(tmp_path, run(12)) as writer:
        for seq in range(12):
            writer.append(sample(seq))
    lost = 0
    for n in range(20):
        machine.cut(random.Random(n), tmp_path / f"cut-{n}")
        lost += 12 - len(read_run(tmp_path / f"cut-{n}").rows)
    assert lost > 0


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
