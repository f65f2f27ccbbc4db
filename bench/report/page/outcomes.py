"""What failed, and who could not be asked."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.document import Document, dropped, title
from bench.report.page.markup import escape, number, table


def failures(doc: Document) -> Iterator[str]:
    """Failures by endpoint, stratum and outcome, then endpoints that were never measured."""
    rows = [
        [escape(c["endpoint"]), escape(title(c["stratum"])), escape(name), number(doc, key)]
        for i, c in enumerate(doc["cells"])
        for name in c["outcomes"]
        for key in (f"cells.{i}.outcomes.{name}",)
    ]
    if rows:
        yield table("Failed requests", ("endpoint", "stratum", "outcome", "requests"), rows)
    elif any(cell["n"] for cell in doc["cells"]):
        yield "<p>No request failed.</p>"
    else:
        yield "<p>No request was counted.</p>"
    if lost := [[escape(name), escape(why)] for name, why in dropped(doc).items()]:
        yield table("Not measured", ("endpoint", "reason"), lost, words_in=True)
