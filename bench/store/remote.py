"""Run folders behind a URL that fsspec opens: s3://, gs://, memory:// and the like, to be read.

The only place that imports fsspec (the extra ``remote``). Files are read in ranges, so that of a
Parquet file only the asked-for columns travel.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from bench.errors import StoreError
from bench.store import parquet, runfile
from bench.store.writer import SAMPLES

_FILES = {runfile.NAME, SAMPLES, parquet.NAME}


@dataclass(frozen=True, slots=True)
class Remote:
    """As `bench.store.places.Place`; whether a process is writing to it cannot be seen."""

    files: Any
    folder: str
    url: str

    @property
    def name(self) -> str:
        """As `Place` says."""
        return posixpath.basename(self.folder)

    def path(self, name: str) -> str:
        """As `Place` says."""
        return f"{self.url}/{name}"

    def open(self, name: str) -> BinaryIO:
        """As `Place` says."""
        path = posixpath.normpath(posixpath.join(self.folder, name))
        with _as_os_error():
            return cast(BinaryIO, self.files.open(path, "rb", cache_type="none"))

    def live(self) -> bool:
        """Never, as far as can be seen: nobody measures into a bucket."""
        return False


def run_places(url: str) -> list[Remote]:
    """The run at a URL, or the runs in the folder there, by name.

    StoreError when fsspec is missing, does not know the URL, or cannot list what is there.
    """
    try:
        import fsspec
    except ImportError as error:
        raise StoreError(f"{url} needs fsspec: pip install 'regionbench[remote]'.") from error
    try:
        files, path = fsspec.url_to_fs(url)
        held = files.ls(path, detail=True)
        if _FILES & {posixpath.basename(one["name"]) for one in held}:
            return [Remote(files, path.rstrip("/"), url.rstrip("/"))]
        folders = [one["name"].rstrip("/") for one in held if one["type"] == "directory"]
    except Exception as error:  # each kind of store has errors of its own
        raise StoreError(
            f"Could not read {url}: {type(error).__name__}: {error}. Check the URL, its access"
            " rights, and whether the package for its kind of store is installed."
        ) from error
    named = sorted((posixpath.basename(one), one) for one in folders)
    at = url.rstrip("/")
    return [Remote(files, one, f"{at}/{name}") for name, one in named if _is_run(files, name, one)]


def _is_run(files: Any, name: str, folder: str) -> bool:
    return not name.startswith(".") and name != "packs" and files.exists(f"{folder}/{runfile.NAME}")


@contextmanager
def _as_os_error() -> Iterator[None]:
    """What a store raises of its own, as the one thing that a reader expects of a file."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
