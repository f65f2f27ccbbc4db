"""Files of this package that people take away and edit: dashboards, recipes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from bench.errors import UsageError


def content(package: str, name: str) -> str:
    """What is shipped with a package under this name."""
    return (resources.files(package) / "shipped" / name).read_text("utf-8")


def write_out(package: str, names: Sequence[str], folder: Path) -> list[Path]:
    """Write them into a folder, which is made. Raises UsageError where that cannot be, or where a
    file of that name says something else: people edit them."""
    paths = [folder / name for name in names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            if path.exists() and path.read_text("utf-8") != content(package, path.name):
                raise UsageError(f"{path} is there and is another: move it away, or name a folder.")
        for path in paths:
            path.write_text(content(package, path.name), "utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    return paths
