"""What Prometheus and Grafana need beside a watch: files of this package, to be written out."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from bench.errors import UsageError

FILES = ("grafana.json", "alerts.yml", "prometheus.yml")


def content(name: str) -> str:
    """One of `FILES`."""
    return (resources.files("bench.watch") / "shipped" / name).read_text("utf-8")


def write_kit(folder: Path) -> list[Path]:
    """Write all of them into a folder, which is made. Raises UsageError where that cannot be, or
    where a file of that name says something else: people edit them."""
    paths = [folder / name for name in FILES]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            if path.exists() and path.read_text("utf-8") != content(path.name):
                raise UsageError(f"{path} is there and is another: move it away, or name a folder.")
        for path in paths:
            path.write_text(content(path.name), "utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the dashboards to {folder}: {error.strerror}") from None
    return paths
