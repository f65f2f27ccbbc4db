"""The few things the store does to a disk. Tests put faults and power cuts here."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.errors import StoreError

_ROOM = "free some space or choose another results folder"
_REMEDIES = {
    errno.ENOSPC: f"the disk is full: {_ROOM}",
    errno.EDQUOT: f"the disk quota is used up: {_ROOM}",
    errno.EFBIG: "a file may not grow further: raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: choose another results folder",
    errno.EACCES: "permission is missing: choose a results folder that you may write to",
    errno.EPERM: "permission is missing: choose a results folder that you may write to",
    errno.EEXIST: "it exists already: a run never writes into another's folder; start a new run",
    errno.ENOENT: "it is not there: check the path, or whether the folder was removed meanwhile",
    errno.ENOTDIR: "part of the path is a file: choose another results folder",
    errno.ELOOP: "it is a symbolic link: a run is written to in its own folder only",
    errno.EIO: "the disk reports an error: check it, and choose another results folder",
    errno.ENOLCK: "the file system cannot lock files: choose a results folder on a local disk",
    errno.EOPNOTSUPP: "the file system cannot lock files: choose a results folder on a local disk",
    errno.EWOULDBLOCK: "another process is writing to it: wait for that run, or stop it",
}
_LOCK_ATTEMPTS = 50
_LOCK_PAUSE_S = 0.002


@contextlib.contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turns an OSError into a StoreError that names what was done, why it failed and the remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"Could not {doing}: {reason(error)}.") from error


def reason(error: OSError) -> str:
    """Why, and the remedy, in words."""
    known = _REMEDIES.get(error.errno or 0)
    return known or f"{error.strerror or error}: check the folder, or choose another results folder"


def make_parents(path: Path) -> None:
    """The folders above a path, as a shell would make them."""
    path.parent.mkdir(parents=True, exist_ok=True)


def make_folder(path: Path) -> None:
    """A folder for the owner only; its parents must exist."""
    os.mkdir(path, 0o700)  # noqa: PTH102 - one call per system call: tests count them


def create(path: Path) -> int:
    """A new file, open for appending, for the owner only."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def write(fd: int, data: bytes) -> int:
    """One system call. How many bytes were taken: fewer than given is for the caller to judge."""
    return os.write(fd, data)


def write_all(fd: int, data: bytes) -> None:
    """All of ``data``, in as many calls as it takes (one call takes at most 2 GiB)."""
    rest = memoryview(data)
    while rest:
        rest = rest[write(fd, bytes(rest[: 1 << 30])) :]


def truncate(fd: int, size: int) -> None:
    """Cuts a file back to ``size``."""
    os.ftruncate(fd, size)


def sync(fd: int) -> None:
    """Data and size of a file are on the disk when this returns."""
    if sys.platform == "darwin":
        # fsync there ends at the drive's cache; a power cut would still take the rows
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(path: Path) -> None:
    """Names in a folder are on the disk when this returns."""
    fd = open_folder(path)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def rename(source: Path, target: Path) -> None:
    """Replaces ``target`` at once; before it, the old content is there, after it, the new."""
    os.replace(source, target)  # noqa: PTH105 - as above


def rename_new(source: Path, target: Path) -> None:
    """As `rename`, of a folder; OSError where one with something in it has that name."""
    os.rename(source, target)  # noqa: PTH104 - `Path.replace` need not fail


def remove(path: Path) -> None:
    """Removes a file if it can be; called only where something else has failed already."""
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - as above


def remove_folder(path: Path) -> None:
    """Removes an empty folder if it can be, as `remove`."""
    with contextlib.suppress(OSError):
        path.rmdir()


def remove_tree(path: Path) -> None:
    """Removes a folder with all that is in it; OSError where that cannot be."""
    shutil.rmtree(path)


def replace(path: Path, data: bytes, check: Callable[[Path], None] | None = None) -> None:
    """The file holds all of ``data``, or what it held before; never less, and also after a power
    cut. ``check`` may refuse the new file, by raising, before it takes the old one's place."""
    replace_by(path, lambda fd: write_all(fd, data), check)


def replace_by(
    path: Path, fill: Callable[[int], None], check: Callable[[Path], None] | None = None
) -> None:
    """As `replace`, with what ``fill`` writes to the open file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        save_by(temporary, fill)
        if check is not None:
            check(temporary)
        rename(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    sync_folder(path.parent)


def save(path: Path, data: bytes) -> None:
    """A new file with ``data``, on the disk when this returns (its name: after `sync_folder`)."""
    save_by(path, lambda fd: write_all(fd, data))


def save_by(path: Path, fill: Callable[[int], None]) -> None:
    """As `save`, with what ``fill`` writes to the open file."""
    fd = create(path)
    try:
        fill(fd)
        sync(fd)
    finally:
        os.close(fd)


def read(path: Path) -> bytes:
    """All of a plain file. OSError, at once, for what would never end or is not there."""
    fd = open_plain(path, os.O_RDONLY)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def open_plain(path: Path, flags: int) -> int:
    """An existing plain file: not a pipe, which would wait for ever, nor a device."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a plain file")
    return fd


def lock(fd: int) -> None:
    """Takes the file for this writer alone, or raises BlockingIOError.

    It asks for a tenth of a second: a reader that looks whether the run lives holds the lock for
    an instant.
    """
    for attempt in range(_LOCK_ATTEMPTS):
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 == _LOCK_ATTEMPTS:
                raise
            time.sleep(_LOCK_PAUSE_S)
    return None


def wait_lock(fd: int) -> None:
    """Takes the file for this holder alone, as soon as it is free: for what is held an instant."""
    fcntl.flock(fd, fcntl.LOCK_EX)


def open_folder(path: Path) -> int:
    """A folder, to be locked or synced."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_locked(path: Path) -> int:
    """An existing file, open for appending, taken for this process alone; raises OSError."""
    while True:
        # Through a link, a repair would cut a file that is none of ours
        fd = open_plain(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        try:
            lock(fd)
            if os.path.samestat(os.fstat(fd), path.lstat()):
                return fd
        except BaseException:
            os.close(fd)
            raise
        # Another repair replaced the file between open and lock
        os.close(fd)


def locked(path: Path) -> bool:
    """Whether a living process holds the file. The system drops a lock when its holder dies."""
    try:
        fd = open_plain(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK
    finally:
        os.close(fd)
    return False


def gone(fd: int) -> bool:
    """Whether the file that is written to was removed: what is written then is nowhere."""
    return os.fstat(fd).st_nlink == 0


def try_folder(path: Path) -> None:
    """Make and remove a folder in ``path``, or in the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    probe = path / f".regionbench.{secrets.token_hex(8)}"
    make_folder(probe)
    probe.rmdir()
