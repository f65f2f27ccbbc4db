"""A results folder as a shelf: which runs are there, what is known without their rows, and taking
one away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.model import Caution
from bench.store import disk, runfile, tags
from bench.store.reader import is_run, run_folders
from bench.store.writer import SAMPLES


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a stored run without its rows.

    ``run`` is run.json as it stands, ``live`` whether a process is writing to the run now.
    ``tags`` are None when their file is damaged: they may have been anything.
    """

    folder: Path
    run: dict[str, Any]
    live: bool
    tags: tuple[str, ...] | None
    cautions: tuple[Caution, ...] = ()


def read_heads(results: Path) -> tuple[list[Head], list[Caution]]:
    """The runs in a results folder by name, and what could not be read. Empty without a folder.

    A run folder in its place gives that run. StoreError when the folder cannot be listed.
    """
    if not results.exists():
        return [], []
    heads: list[Head] = []
    told: list[Caution] = []
    for folder in [results] if is_run(results) else run_folders(results):
        try:
            heads.append(_head(folder))
        except StoreError as error:
            told.append(Caution("unreadable_run", f"{folder.name} was skipped: {error}"))
    return heads, told


def _head(folder: Path) -> Head:
    # The lock before the status, as in the reader
    live = disk.locked(folder / SAMPLES)
    run, _ = runfile.read(folder)
    try:
        return Head(folder, run, live, tags.read(folder))
    except StoreError as error:
        advice = "Until then the run is kept as if it were a baseline."
        return Head(folder, run, live, None, (Caution("tags_damaged", str(error), advice),))


def remove_run(folder: Path) -> None:
    """Takes a run away with everything in its folder. StoreError when it is live or cannot go.

    It is renamed first: what a kill leaves half removed is not taken for a damaged run.
    """
    if folder.is_symlink() or not is_run(folder):
        raise StoreError(f"{folder} is not a run folder of its own: remove it by hand.")
    if disk.locked(folder / SAMPLES):
        raise StoreError(f"{folder} is being written: wait for that run, or stop it.")
    aside = folder.with_name(f".removed-{folder.name}-{secrets.token_hex(4)}")
    with disk.explained(f"remove {folder}"):
        disk.rename(folder, aside)
        disk.remove_tree(aside)
