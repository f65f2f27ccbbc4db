"""Outputs: a summary in, text out. One visible table, `OUTPUTS`; html alone draws figures."""

from __future__ import annotations

import json as _json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench.errors import StoreError
from bench.report import markdown, terminal
from bench.report.document import Document, Runs, document, with_routing
from bench.stats import Summary, summarise
from bench.stats.strata import runs_of


def html(summary: Summary, df: pd.DataFrame, runs: Runs) -> str:
    """One self-contained page with figures; the same rows give the same bytes."""
    from bench.report import page  # draws: matplotlib stays behind this door

    return page.render(with_routing(document(summary, runs), df), df)


def md(summary: Summary, df: pd.DataFrame, runs: Runs) -> str:
    """Markdown that can be pasted into an issue."""
    return markdown.render(document(summary, runs))


def text(summary: Summary, df: pd.DataFrame, runs: Runs) -> str:
    """Plain text of at most 80 columns; the verdict comes last."""
    return terminal.render(document(summary, runs))


def json(summary: Summary, df: pd.DataFrame, runs: Runs) -> str:
    """One JSON document, without NaN or infinity."""
    found = with_routing(document(summary, runs), df)
    return _json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


OUTPUTS: dict[str, Callable[[Summary, pd.DataFrame, Runs], str]] = {
    "html": html,
    "md": md,
    "text": text,
    "json": json,
}


def write_report(folder: Path, df: pd.DataFrame) -> dict[str, Path]:
    """Write ``report.html`` and ``report.md`` into ``folder``; returns {"html": …, "md": …}.

    Readable by their owner only, and each is either the old file or the whole new one. Raises
    StoreError when the folder cannot be written.
    """
    summary, runs = summarise(df), runs_of(df)
    files = {name: folder / f"report.{name}" for name in ("html", "md")}
    for name, path in files.items():
        _write(path, OUTPUTS[name](summary, df, runs))
    return files


def _write(path: Path, content: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"The report {path} cannot be written: {error.strerror}.") from error


__all__ = ["OUTPUTS", "Document", "Runs", "document", "html", "json", "md", "text", "write_report"]
