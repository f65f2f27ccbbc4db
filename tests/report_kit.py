"""What tests of reports share: rendering, reading the page, frames that are odd."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from bench.frame import tidy
from bench.report import OUTPUTS, Findings
from tests.synthetic import MEDIANS_MS, rows, run

ALL = ("global", *MEDIANS_MS)
EVIL = "</script><script>alert(1)</script>\x1b[31m|*a*\u2028\u2029[x](http://e)"
GOLDEN_ROWS = rows(60, fail={"eu-west-1": 0.03, "us-west-2": 0.2}, outcome="capacity")
DROPPED = {"ap-south-1": "dns_fail"}

ODD: dict[str, list[dict[str, Any]]] = {
    "empty": [],
    "one row": rows(1)[4:5],
    "one round": rows(1),
    "all failed": rows(9, fail=dict.fromkeys(ALL, 1.0)),
    "half failed": rows(10, fail=dict.fromkeys(ALL, 0.5)),
    "only 429": rows(9, fail=dict.fromkeys(ALL, 1.0), outcome="rate_limited"),
    "no times": rows(5, started_at=None),
    "an endpoint missing": rows(9, endpoints=ALL[:-1]),
    "clock step": rows(9, clock_step=True),
    "interrupted": rows(9)[:-3],
}


def render(name: str, table: list[dict[str, Any]], **changes: Any) -> str:
    """One output of rows; ``changes`` are of the run, ``told`` are cautions of its store."""
    told = changes.pop("told", [])
    runs = [run(**changes)]
    frame = tidy(table, runs)
    frame.attrs["cautions"] = told
    return OUTPUTS[name](Findings(frame))


class Page(HTMLParser):
    """Collects what a test asks about: numbers with their keys, tags, the JSON, shown text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.numbers: list[dict[str, str | None]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.shown = ""
        self._inside = ""
        self.feed(text)

    @property
    def json(self) -> str:
        """The document that the page carries."""
        return self.scripts[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style", "title") else ""
        if tag == "data":
            self.numbers.append(dict(attrs))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.shown += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
