"""Where a run's files may lie: in a folder of this machine's, or behind a URL."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bench.store import disk
from bench.store.writer import SAMPLES


class Place(Protocol):
    """One run folder, to be read. Its text names it in a message."""

    @property
    def name(self) -> str:
        """The folder's own name."""

    def path(self, name: str) -> str:
        """A file of it in words."""

    def open(self, name: str) -> BinaryIO:
        """A file of it; ``name`` may lead out to a pack beside it. Raises OSError."""

    def live(self) -> bool:
        """Whether a process is writing to it now, as far as can be seen."""


@dataclass(frozen=True, slots=True)
class Local:
    """A folder of this machine's."""

    folder: Path

    @property
    def name(self) -> str:
        """As `Place` says."""
        return self.folder.name

    def path(self, name: str) -> str:
        """As `Place` says."""
        return str(self.folder / name)

    def open(self, name: str) -> BinaryIO:
        """As `Place` says; never waits for what is no plain file."""
        return os.fdopen(disk.open_plain(self.folder / name, os.O_RDONLY), "rb")

    def live(self) -> bool:
        """As `Place` says: by the writer's lock."""
        return disk.locked(self.folder / SAMPLES)


def read(place: Place, name: str) -> bytes:
    """All of a file. Raises OSError."""
    with place.open(name) as file:
        return file.read()
