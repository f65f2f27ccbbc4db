"""A disk that loses its power, as SQLite's crash VFS: what was not synced is kept aside, and a cut
materialises any of it.

Contents are safe after a sync of their file, names after a sync of their folder. Until then a cut
keeps any subset of the sectors on their way, in any order and across files, and of each folder's
names as many as were made up to some point.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.store import disk

SECTOR = 512

Change = tuple[int, bytes | None]
"""Where, and what is written there; None cuts the file off."""


@dataclass(eq=False)
class File:
    """One file as a disk has it: what is safe, and what is on its way."""

    safe: bytes = b""
    pending: list[Change] = field(default_factory=list)

    def whole(self) -> bytes:
        """As everybody reads it while the power is on."""
        return applied(self.safe, self.pending)

    def sync(self) -> None:
        """All of it is safe."""
        self.safe, self.pending = self.whole(), []

    def after_a_cut(self, choice: random.Random) -> bytes:
        """Any subset of the sectors on their way, in any order; a hole reads as zeros."""
        sectors = [part for start, content in self.pending for part in split(start, content)]
        share = choice.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        return applied(self.safe, [part for part in sectors if choice.random() < share])


def applied(content: bytes, changes: list[Change]) -> bytes:
    """The content after changes."""
    held = bytearray(content)
    for at, data in changes:
        if data is None:
            del held[at:]
            continue
        held.extend(bytes(max(0, at + len(data) - len(held))))
        held[at : at + len(data)] = data
    return bytes(held)


def split(start: int, content: bytes | None) -> list[Change]:
    """A change as the sectors that it touches."""
    if content is None:
        return [(start, None)]
    cuts = [start, *range(start - start % SECTOR + SECTOR, start + len(content), SECTOR)]
    stops = [*cuts[1:], start + len(content)]
    return [(a, content[a - start : b - start]) for a, b in zip(cuts, stops, strict=True)]


Names = dict[Path, File | None]
"""What is under each name; None is a folder."""


class CrashDisk:
    """Lets every operation of `disk` through and keeps a model of what a power cut would leave.

    ``at_each`` is called before and after each, at the instants at which the power may fail.
    """

    CALLS = (
        *("make_folder", "create", "open_locked", "write", "truncate", "sync", "sync_folder"),
        *("rename", "rename_new", "remove", "remove_folder", "remove_tree"),
    )

    def __init__(self, patch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self.open: dict[int, File] = {}
        self.names: Names = {}
        self.safe_names: Names = {}
        self.changes: list[tuple[Path, Callable[[Names], object]]] = []
        self.at_each: Callable[[], None] = lambda: None
        self.paused = False
        for name in self.CALLS:
            patch.setattr(disk, name, self._around(getattr(disk, name), getattr(self, f"_{name}")))

    def _around(self, real: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if self.paused:
                return real(*arguments)
            self._look()
            result = real(*arguments)
            note(result, *arguments)
            self._look()
            return result

        return call

    def _look(self) -> None:
        self.paused = True
        self.at_each()
        self.paused = False

    # What the operations do to the model

    def _name(self, folder: Path, change: Callable[[Names], object]) -> None:
        change(self.names)
        self.changes.append((folder, change))

    def _make_folder(self, _: None, path: Path) -> None:
        self._name(path.parent, lambda names: names.__setitem__(path, None))

    def _create(self, fd: int, path: Path) -> None:
        made = self.open[fd] = File()
        self._name(path.parent, lambda names: names.__setitem__(path, made))

    def _open_locked(self, fd: int, path: Path) -> None:
        held = self.names[path]
        assert held is not None
        self.open[fd] = held

    def _write(self, taken: int, fd: int, data: bytes) -> None:
        held = self.open[fd]
        held.pending.append((len(held.whole()), data[:taken]))

    def _truncate(self, _: None, fd: int, size: int) -> None:
        self.open[fd].pending.append((size, None))

    def _sync(self, _: None, fd: int) -> None:
        self.open[fd].sync()

    def _sync_folder(self, _: None, folder: Path) -> None:
        for where, change in self.changes:
            if where == folder:
                change(self.safe_names)
        self.changes = [kept for kept in self.changes if kept[0] != folder]

    def _rename(self, _: None, source: Path, target: Path) -> None:
        self._name(source.parent, lambda names: move(names, source, target))

    _rename_new = _rename

    def _remove(self, _: None, path: Path) -> None:
        self._name(path.parent, lambda names: drop(names, path))

    _remove_folder = _remove_tree = _remove

    # The cut

    def cut(self, choice: random.Random, target: Path) -> None:
        """Materialises in ``target`` what a power cut at this instant may leave of the root."""
        names = dict(self.safe_names)
        for folder in {folder for folder, _ in self.changes}:
            made = [change for where, change in self.changes if where == folder]
            for change in made[: choice.randint(0, len(made))]:
                change(names)
        target.mkdir()
        for path in sorted(names):
            self._materialise(target / path.relative_to(self.root), names[path], choice)

    @staticmethod
    def _materialise(path: Path, held: File | None, choice: random.Random) -> None:
        if not path.parent.is_dir():
            return  # the name of its folder was lost
        if held is None:
            path.mkdir()
        else:
            path.write_bytes(held.after_a_cut(choice))


def move(names: Names, source: Path, target: Path) -> None:
    """A name, and all that is under it, becomes another."""
    for path in [path for path in names if path == source or source in path.parents]:
        names[target / path.relative_to(source)] = names.pop(path)


def drop(names: Names, gone: Path) -> None:
    """A name goes, with all that is under it."""
    for path in [path for path in names if path == gone or gone in path.parents]:
        del names[path]
