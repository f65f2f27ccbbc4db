"""Many finished runs in few Parquet files: a month to a file, a run to a row group or more.

    results/packs/2026-03.1f0c….parquet   the rows of that month's runs
    results/<run-id>/run.json             says which of its row groups are the run's

run.json alone says where a run's rows are, and is replaced at once: before, they are in the run's
own files, after, in the pack. So a kill leaves each run in one place. Its own files are removed
only then, and only when the pack has been read back.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import StoreError
from bench.model import COLUMNS, Caution
from bench.store import disk, parquet, reader, runfile
from bench.store.places import Local
from bench.store.shelf import Head
from bench.store.tables import read_table
from bench.store.writer import SAMPLES

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "packs"
MOST_ROWS, MOST_RUNS = 2_000_000, 200
"""Of one pack: its footer, which is read for each of its runs, stays small."""

_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Packing:
    """Runs that go into one pack together, oldest first."""

    month: str
    heads: tuple[Head, ...]

    @property
    def rows(self) -> int:
        """Of all of them."""
        return sum(map(_rows, self.heads))

    @property
    def words(self) -> str:
        """How much it is."""
        return f"{len(self.heads)} runs, {self.rows} rows"


def packings(
    heads: Sequence[Head], keep: Sequence[str] = ()
) -> tuple[list[Packing], dict[str, str]]:
    """Which runs can be packed together, by the month in which they began, and why others cannot.

    Runs with a tag of ``keep`` stay as they are, as do those that are live, unfinished, not as
    they were written, or alone in their month.
    """
    reasons = {head.folder.name: _reason(head, set(keep)) for head in heads}
    months: dict[str, list[list[Head]]] = {}
    for head in sorted(heads, key=lambda head: str(head.run.get("started_at"))):
        if not reasons[head.folder.name]:
            _place(months.setdefault(str(head.run.get("started_at"))[:7], [[]]), head)
    found = [Packing(m, tuple(group)) for m, groups in months.items() for group in groups]
    alone = {one.heads[0].folder.name: "alone in its month" for one in found if len(one.heads) == 1}
    told = {name: why for name, why in reasons.items() if why} | alone
    return [one for one in found if len(one.heads) > 1], told


def _place(groups: list[list[Head]], head: Head) -> None:
    """Into the newest pack of its month, while there is room."""
    full = sum(map(_rows, (*groups[-1], head))) > MOST_ROWS or len(groups[-1]) == MOST_RUNS
    if groups[-1] and full:
        groups.append([])
    groups[-1].append(head)


def _rows(head: Head) -> int:
    return int((reader.vouched(head.run) or {}).get("rows", 0))


def _reason(head: Head, keep: set[str]) -> str:
    """Why a run stays as it is; empty: it need not."""
    record = reader.vouched(head.run)
    if head.live or head.run["status"] == "running":
        return "running, or killed"
    if head.tags is None:
        return "its tags cannot be read"
    if worn := keep & set(head.tags):
        return f"tagged {', '.join(sorted(worn))}"
    if record is None or not record.get("rows"):
        return "it has no rows in a Parquet file"
    return "packed already" if "groups" in record else ""


def pack(packing: Packing, results: Path) -> tuple[Path, list[Caution]]:
    """Writes and verifies the pack, has each run point to it, and removes the runs' own files.

    A run that is not whole by now is left as it is, and told. StoreError when nothing can be
    written, or another process is packing; every run is then where it was.
    """
    path = results / FOLDER / f"{packing.month}.{secrets.token_hex(8)}.parquet"
    with _alone(results), ExitStack() as held, disk.explained(f"pack runs into {path}"):
        whole, told = _whole(packing, held)
        for head, record in zip(whole, _write(path, whole), strict=True):
            _point(head, record)
            _drop(head.folder)
    return path, told


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """One packer at a time, or one would sweep away what the other is about to point to."""
    folder = results / FOLDER
    with disk.explained(f"lock {folder}"):
        if not folder.is_dir():
            disk.make_folder(folder)
            disk.sync_folder(results)
        fd = disk.open_folder(folder)
    try:
        with disk.explained(f"lock {folder}"):
            disk.lock(fd)
        yield
    finally:
        os.close(fd)


def _whole(packing: Packing, held: ExitStack) -> tuple[list[Head], list[Caution]]:
    """Those that can be read by column without a fault, each locked for us."""
    whole, told = [], []
    for head in packing.heads:
        if (head.folder / SAMPLES).exists():
            held.callback(os.close, disk.open_locked(head.folder / SAMPLES))
        run, intact = runfile.read(head.folder)
        faults = [c for c in read_table(Local(head.folder), ("seq",)).cautions if c.code in _FAULTS]
        if intact and run == head.run and not faults:
            whole.append(head)
        else:
            why = faults[0].text if faults else "its run.json changed meanwhile"
            told.append(Caution("not_packed", f"{head.folder.name} was left as it is: {why}"))
    if not whole:
        raise StoreError(f"None of the runs of {packing.month} can be packed: {told[0].text}")
    return whole, told


_FAULTS = {"parquet_damaged", "lost_rows", "damaged_lines", "missing_lines", "run_json_changed"}


def _write(path: Path, heads: Sequence[Head]) -> list[dict[str, Any]]:
    """The pack, in place and on the disk; for each run what its run.json must say of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def fill(fd: int) -> None:
        with (
            io.BufferedWriter(_Sink(fd), _BUFFER) as buffer,
            pa.PythonFile(buffer, mode="w") as sink,
            pq.ParquetWriter(sink, parquet.schema(), **parquet.WRITING) as writer,
        ):
            for head in heads:
                writer.write_table(_table(head), row_group_size=MOST_ROWS)

    vouched: dict[str, Any] = {}

    def check(temporary: Path) -> None:
        vouched.update(parquet.vouched(disk.read(temporary)))
        with pq.ParquetFile(temporary, page_checksum_verification=True) as file:
            for at, head in enumerate(heads):
                if not file.read_row_group(at).equals(_table(head)):
                    raise StoreError(f"{path} did not read back as it was written: check the disk.")

    disk.replace_by(path, fill, check)
    return [
        {"file": f"../{FOLDER}/{path.name}", "groups": [at, 1], "rows": _rows(head), **vouched}
        for at, head in enumerate(heads)
    ]


class _Sink(io.RawIOBase):
    """An open file, written by the store's own call."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        disk.write_all(self._fd, bytes(data))
        return len(data)


def _table(head: Head) -> pa.Table:
    return read_table(Local(head.folder), COLUMNS).table.cast(parquet.schema())


def _point(head: Head, record: Mapping[str, Any]) -> None:
    stored = {**head.run["stored"], "parquet": dict(record)}
    runfile.write(head.folder, {**head.run, "stored": stored})


def _drop(folder: Path) -> None:
    """The run's own files, whose rows are in a pack, and what a kill left beside them."""
    for path in (folder / parquet.NAME, folder / SAMPLES, *folder.glob(f".{runfile.NAME}.*")):
        disk.remove(path)
    disk.sync_folder(folder)


def sweep(results: Path, heads: Sequence[Head]) -> list[Path]:
    """Removes what a kill left, and packs that no run points to any more; gives the packs.

    ``heads`` are all runs in ``results``: with one of them unread, nothing must be swept.
    """
    folder = results / FOLDER
    if not folder.is_dir():
        return []
    with _alone(results):
        records = [(head, reader.vouched(head.run) or {}) for head in heads]
        for head in (head for head, record in records if "groups" in record):
            _drop(head.folder)
        used = {Path(str(record.get("file"))).name for _, record in records}
        gone = [path for path in sorted(folder.iterdir()) if path.name not in used]
        for path in (path for path in gone if ".parquet" in path.name):
            disk.remove(path)
    return gone
