"""Recipes for clusters: files of this package, to be written out and edited."""

from __future__ import annotations

from pathlib import Path

from bench import kit

FILES = ("one_machine.py", "over_ssh.py", "Containerfile", "kubernetes.yaml")


def content(name: str) -> str:
    """One of `FILES`."""
    return kit.content("bench.vantage", name)


def write_recipes(folder: Path) -> list[Path]:
    """Write all of them into a folder, which is made. Raises UsageError as `bench.kit` does."""
    return kit.write_out("bench.vantage", FILES, folder)
