"""What Prometheus and Grafana need beside a watch: files of this package, to be written out."""

from __future__ import annotations

from pathlib import Path

from bench import kit

FILES = ("grafana.json", "alerts.yml", "prometheus.yml")


def content(name: str) -> str:
    """One of `FILES`."""
    return kit.content("bench.watch", name)


def write_kit(folder: Path) -> list[Path]:
    """Write all of them into a folder, which is made. Raises UsageError as `bench.kit` does."""
    return kit.write_out("bench.watch", FILES, folder)
