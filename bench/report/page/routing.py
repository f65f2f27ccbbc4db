"""Where the global endpoint sent its requests, or the command that would tell."""

from __future__ import annotations

from collections.abc import Iterator

from bench import words
from bench.report.document import Document, routed
from bench.report.page.markup import command, data, ends, escape, table


def routing(doc: Document) -> Iterator[str]:
    """The shares of each vantage, or that they cannot be told and what would tell."""
    for vantage, key, found, spilled in routed(doc):
        where = f", from {vantage}" if vantage else ""
        if not found["identifiable"]:
            reason = f"{found['reason']}{where}"
            yield f"<p>Not identifiable: {escape(reason)}. This would tell:</p>"
            yield command(found["instead"])
            continue
        yield f"<p>{escape(found['words'])} {escape(spilled['words'])}</p>"
        rows = [_share(doc, f"{key}.shares.{i}", one) for i, one in enumerate(found["shares"])]
        source = f", network time from {found['network_from']}" if found["network_from"] else ""
        caption = f"Who answered global's requests{where}, by {found['method']}{source}"
        yield table(caption, ("answered by", "share", "95 % interval"), rows)


def _share(doc: Document, key: str, share: Document) -> list[str]:
    return [
        escape(share["name"]),
        data(doc, f"{key}.value", words.percent(share["value"])),
        ends(key, share["low"], share["high"], words.ends(share)),
    ]
