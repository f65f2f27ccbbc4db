"""Outputs: findings in, text out. One visible table, `OUTPUTS`; html alone draws figures."""

from __future__ import annotations

import json as _json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench.errors import StoreError
from bench.report import markdown, terminal
from bench.report.document import Document, Runs, document
from bench.report.findings import COLUMNS, Findings


def html(found: Findings) -> str:
    """One self-contained page with figures; the same rows give the same bytes."""
    from bench.report import page  # draws: matplotlib stays behind this door

    return page.render(found)


def md(found: Findings) -> str:
    """Markdown that can be pasted into an issue."""
    return markdown.render(found.doc)


def text(found: Findings) -> str:
    """Plain text of at most 80 columns; the verdict comes last."""
    return terminal.render(found.doc)


def json(found: Findings) -> str:
    """One JSON document, without NaN or infinity."""
    return _json.dumps(found.doc, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


OUTPUTS: dict[str, Callable[[Findings], str]] = {
    "html": html,
    "md": md,
    "text": text,
    "json": json,
}


def write_report(folder: Path, rows: pd.DataFrame | Findings) -> dict[str, Path]:
    """Write ``report.html`` and ``report.md`` into ``folder``; returns {"html": …, "md": …}.

    Readable by their owner only, and each is either the old file or the whole new one. The folder
    is made where the one above it is there. Raises StoreError when it cannot be written.
    """
    found = rows if isinstance(rows, Findings) else Findings(rows)
    files = {name: folder / f"report.{name}" for name in ("html", "md")}
    for name, path in files.items():
        _write(path, OUTPUTS[name](found))
    return files


def _write(path: Path, content: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"The report {path} cannot be written: {error.strerror}.") from error


__all__ = [
    "COLUMNS",
    "OUTPUTS",
    "Document",
    "Findings",
    "Runs",
    "document",
    "html",
    "json",
    "md",
    "text",
    "write_report",
]
