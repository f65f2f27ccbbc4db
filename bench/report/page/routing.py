"""Where the global endpoint sent its requests, or the command that would tell."""

from __future__ import annotations

from collections.abc import Iterator

from bench import words
from bench.report.document import Document
from bench.report.page.markup import command, data, ends, escape, table


def routing(doc: Document) -> Iterator[str]:
    """The shares, or that they cannot be told and what would tell."""
    found = doc["routing"]
    if not found["identifiable"]:
        yield f"<p>Not identifiable: {escape(found['reason'])}. This would tell:</p>"
        yield command(found["instead"])
        return
    yield f"<p>{escape(found['words'])} {escape(doc['spillover']['words'])}</p>"
    rows = [_share(doc, i) for i in range(len(found["shares"]))]
    source = f", network time from {found['network_from']}" if found["network_from"] else ""
    caption = f"Who answered global's requests, by {found['method']}{source}"
    yield table(caption, ("answered by", "share", "95 % interval"), rows)


def _share(doc: Document, i: int) -> list[str]:
    share, key = doc["routing"]["shares"][i], f"routing.shares.{i}"
    low, high = share["low"], share["high"]
    return [
        escape(share["name"]),
        data(doc, f"{key}.value", words.percent(share["value"])),
        ends(key, low, high, f"{100 * low:.0f}–{words.percent(high)}"),
    ]
