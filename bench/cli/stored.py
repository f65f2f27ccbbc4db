"""What RUN means to every command that takes one: a folder, a file, a run's id, or a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows, and the folder that gets what is made of them; a batch of several runs has one of
    its own, beside theirs, which comes to be with the first file."""

    df: pd.DataFrame
    folder: Path


def stored(name: str, results: Path, columns: Sequence[str]) -> Stored:
    """Some ``columns`` (see `bench.load`) of the rows of a run folder, a results folder or a file,
    or of a batch or run in ``results``.

    Raises UsageError for a name that nothing has, with the nearest that something has, and
    StoreError for what cannot be read.
    """
    from bench.history import batches, find
    from bench.loading import load, load_runs

    path = Path(name)
    if path.exists() and not _made(path):
        return Stored(load(path, columns), path if path.is_dir() else path.parent)
    within = path.parent if _made(path) else results
    if not within.is_dir():
        raise StoreError(f"There is no run {name!r}: no such path, and no results folder {within}.")
    folders = [head.folder for head in find(batches(within), path.name if _made(path) else name)]
    folder = folders[0] if len(folders) == 1 else within / name.rpartition("/")[2]
    return Stored(load_runs(folders, columns), folder)


def _made(path: Path) -> bool:
    """Whether this is the folder that `Stored` makes for a batch: it holds no run, those beside it
    do."""
    from bench.store import is_run

    inside = [*path.iterdir()] if path.is_dir() and not is_run(path) else []
    return bool(inside) and all(one.suffix in (".html", ".md", ".png") for one in inside)
