"""One run to disk: a row is on its way to the platter before the next request is sent."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.errors import StoreError
from bench.model import Run, Sample
from bench.store import disk, lines, parquet, runfile
from bench.units import NS_PER_S

SAMPLES = "samples.jsonl"
_CUT = "only a part of it was taken: free some disk space, or raise the file size limit (ulimit -f)"
_SYNC_ROWS = 100
_SYNC_NS = NS_PER_S


class RunWriter:
    """The only writer of a run folder; belongs to one thread.

    After a StoreError from `append` or `sync_if_due` no more rows are taken: the run must stop
    sending, and `finish` says how it ended.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        fd: int,
        now_ns: Callable[[], int] = time.monotonic_ns,
        found: lines.Scan | None = None,
    ) -> None:
        found = found or lines.Scan()
        self.folder = folder
        self.rows = len(found.rows)
        self._last_line = found.last_line
        self._run = run
        self._fd = fd
        self._now_ns = now_ns
        self._unsynced = 0
        self._synced_ns = now_ns()
        self._failed = False
        self._sync_failed = False

    @classmethod
    def create(
        cls, results: Path, run: Run, *, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> Self:
        """A new run folder ``results/<run_id>``, on the disk and locked.

        StoreError names what could not be made, and the remedy, before any request is sent.
        """
        if not runfile.RUN_ID.fullmatch(run.run_id):
            raise StoreError(
                f"{run.run_id!r} cannot name a run: use up to 128 of A-Z a-z 0-9 . _ -"
            )
        folder = results / run.run_id
        with disk.explained(f"make the results folder {results}"):
            make_results(results)
        with disk.explained(f"make the run folder {folder}"):
            disk.make_folder(folder)
        with disk.explained(f"write to the run folder {folder}"):
            return cls(folder, run, _prepare(folder, run), now_ns)

    def append(self, sample: Sample) -> None:
        """Hands the row to the system in one piece. When it returns, a kill cannot lose the row."""
        if self._failed:
            raise StoreError(f"{self.folder} takes no more rows after an error: start a new run.")
        line = lines.encode(self._last_line + 1, sample)
        end = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            written = disk.write(self._fd, line)
        except OSError as error:
            raise self._refused(end, disk.reason(error)) from error
        if written < len(line):
            raise self._refused(end, _CUT)
        self.rows += 1
        self._last_line += 1
        self._unsynced += 1

    def _refused(self, end: int, why: str) -> StoreError:
        self._failed = True
        with contextlib.suppress(OSError):
            disk.truncate(self._fd, end)
        return StoreError(
            f"Could not store row {self.rows + 1} in {self.folder / SAMPLES}: {why}. "
            f"The {self.rows} rows before it are kept."
        )

    def sync_if_due(self) -> None:
        """Every second or 100 rows: what was appended survives a power cut. Not in timed code."""
        waited_ns = self._now_ns() - self._synced_ns
        if self._unsynced and (self._unsynced >= _SYNC_ROWS or waited_ns >= _SYNC_NS):
            self._sync()

    def _sync(self) -> None:
        try:
            with disk.explained(f"sync {self.folder / SAMPLES}"):
                disk.sync(self._fd)
                if disk.gone(self._fd):
                    raise FileNotFoundError(errno.ENOENT, "removed")
        except StoreError:
            # The system may have dropped the pages it could not write: a second, successful
            # sync would prove nothing
            self._failed = self._sync_failed = True
            raise
        self._unsynced = 0
        self._synced_ns = self._now_ns()

    def finish(self, status: str, *, compact: bool = True, **changes: Any) -> None:
        """Ends the run: rows synced, compacted and verified, then the status in ``run.json``.

        Without ``compact`` that is left to `bench.store.compact`, in another process perhaps: the
        rows are counted then, which takes a second for a gigabyte, and not read.

        ``status`` is complete, interrupted or stopped; ``changes`` are fields of `Run`, such as
        ``finished_at``. The status is written even when the compaction fails, as the rows are
        whole without it; the StoreError comes after that.
        """
        if self._fd < 0:
            raise StoreError(f"{self.folder} was closed: finish a run before its writer is left.")
        run = dataclasses.replace(self._run, status=status, **changes)
        failure: StoreError | None = None
        facts: dict[str, Any] = {"rows": self.rows}
        try:
            facts |= self._checked(compact)
        except StoreError as error:
            failure = error
        self._failed = True
        with disk.explained(f"finish {self.folder / runfile.NAME}"):
            runfile.write(self.folder, runfile.document(run, **facts))
        if failure is not None:
            raise failure

    def _checked(self, compact: bool) -> dict[str, Any]:
        if self._sync_failed:
            return {}
        self._sync()
        if not compact:
            with disk.explained(f"count {self.folder / SAMPLES}"):
                self._expect(lines.count(self.folder / SAMPLES))
            return {}
        with disk.explained(f"compact {self.folder / SAMPLES}"):
            found = lines.scan(self.folder / SAMPLES)
        self._expect(len(found.rows) + found.doubled)
        with disk.explained(f"make {self.folder / parquet.NAME}"):
            return {"parquet": parquet.write(self.folder, found.rows)}

    def _expect(self, held: int) -> None:
        if held < self.rows:
            raise StoreError(
                f"{self.folder / SAMPLES} holds {held} of {self.rows} rows that were written: "
                f"something else changed the file; check the disk."
            )

    def close(self) -> None:
        """Releases the lock; a run that was not finished reads as killed from now on."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._failed = -1, True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def make_results(results: Path) -> None:
    """The folder that runs go into, for its owner only, on the disk."""
    if not results.is_dir():
        disk.make_parents(results)
        with contextlib.suppress(FileExistsError):
            disk.make_folder(results)
        disk.sync_folder(results.parent)


def try_results(results: Path) -> None:
    """Whether a run folder can be made there, before anything is asked. Leaves nothing behind.

    StoreError names why not, and the remedy.
    """
    with disk.explained(f"make a run folder in {results}"):
        disk.try_folder(results.absolute())


def _prepare(folder: Path, run: Run) -> int:
    """run.json first: a kill in between leaves a run without rows, not rows without a run."""
    fd = -1
    try:
        runfile.write(folder, runfile.document(run))
        fd = disk.create(folder / SAMPLES)
        disk.lock(fd)
        disk.sync(fd)
        disk.sync_folder(folder)
        disk.sync_folder(folder.parent)
    except BaseException:
        _undo(folder, fd)
        raise
    return fd


def _undo(folder: Path, fd: int) -> None:
    if fd >= 0:
        os.close(fd)
    disk.remove(folder / SAMPLES)
    disk.remove(folder / runfile.NAME)
    disk.remove_folder(folder)
