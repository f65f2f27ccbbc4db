"""What failed, and who could not be asked."""

from __future__ import annotations

from bench.report.document import Document, dropped, title
from bench.report.page.markup import escape, number, section, table


def failures(doc: Document) -> str:
    """Failures by endpoint, stratum and outcome, then endpoints that were never measured."""
    rows = [
        [escape(c["endpoint"]), escape(title(c["stratum"])), escape(name), number(doc, key)]
        for i, c in enumerate(doc["cells"])
        for name in c["outcomes"]
        for key in (f"cells.{i}.outcomes.{name}",)
    ]
    head = ("endpoint", "stratum", "outcome", "requests")
    parts = [table("Failed requests", head, rows)] if rows else [_nothing(doc)]
    if lost := [[escape(name), escape(why)] for name, why in dropped(doc).items()]:
        parts.append(table("Not measured", ("endpoint", "reason"), lost, words_in=True))
    return section("failures", "Failures", parts)


def _nothing(doc: Document) -> str:
    counted = any(cell["n"] for cell in doc["cells"])
    return "<p>No request failed.</p>" if counted else "<p>No request was counted.</p>"
