"""Reports: one truth in four forms, always, and inert whatever servers say."""

from __future__ import annotations

import json
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bench.errors import StoreError
from bench.frame import tidy
from bench.report import OUTPUTS, write_report
from bench.report.document import at
from bench.stats import summarise
from tests.synthetic import MEDIANS_MS, rows, run

GOLDEN = Path(__file__).parent / "golden"
ALL = ("global", *MEDIANS_MS)
EVIL = "</script><script>alert(1)</script>\x1b[31m|*a*\u2028[x](http://e)"


def _render(name: str, table: list[dict[str, Any]], **changes: Any) -> str:
    runs = [run(**changes)]
    frame = tidy(table, runs)
    return OUTPUTS[name](summarise(frame), frame, runs)


_GOLDEN_ROWS = rows(60, fail={"eu-west-1": 0.03, "us-west-2": 0.2}, outcome="capacity")


@pytest.mark.parametrize("name", ["md", "text", "json"])
def test_golden(name: str) -> None:
    """The output is the reviewed one; REGIONBENCH_GOLDEN=1 rewrites the files."""
    found = _render(name, _GOLDEN_ROWS, dropped={"ap-south-1": "dns_fail"})
    path = GOLDEN / f"report.{'txt' if name == 'text' else name}"
    if os.environ.get("REGIONBENCH_GOLDEN"):
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8")


class _Page(HTMLParser):
    """Collects what a test asks about: numbers with their keys, tags, the JSON."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.numbers: list[dict[str, str | None]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.json = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "data":
            self.numbers.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.json += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture(scope="module")
def page() -> tuple[str, _Page]:
    text = _render("html", _GOLDEN_ROWS, dropped={"ap-south-1": "dns_fail"})
    return text, _Page(text)


def test_every_number_on_the_page_is_the_embedded_one(page: tuple[str, _Page]) -> None:
    """Each carries its key; 0 mismatches."""
    _, found = page
    doc = json.loads(found.json)
    assert len(found.numbers) > 50
    for number in found.numbers:
        value = at(doc, str(number["data-key"]))
        if "data-ends" in number:
            low, high = ("best", "worst") if "best" in value else ("low_ms", "high_ms")
            assert json.loads(str(number["data-ends"])) == [value[low], value[high]]
        else:
            assert number["value"] == ("" if value is None else json.dumps(value))


def test_the_page_needs_no_network_and_runs_no_script(page: tuple[str, _Page]) -> None:
    """Only data URIs; a policy that forbids the rest; the one script element is data."""
    text, found = page
    sources = [a.get("src") or a.get("href") for _, a in found.tags if "src" in a or "href" in a]
    assert all(str(source).startswith("data:image/") for source in sources)
    assert "default-src 'none'" in text
    assert [a for tag, a in found.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"}
    ]
    assert not any(name.startswith("on") for _, a in found.tags for name in a)


def test_the_page_is_in_the_order_a_reader_needs(page: tuple[str, _Page]) -> None:
    """Verdict, cautions, table, distribution, time, phases, failures, method, dropped."""
    text, _ = page
    marks = (
        *("<h1>", "Cautions", "time to first token</h2>", "<h2>Distribution", "<h2>Over time"),
        *("<h2>Phases", "<h2>Failures by", "<h2>Method and", "<h2>Not measured"),
    )
    places = [text.index(mark, text.index("<body>")) for mark in marks]
    assert places == sorted(places)


def test_every_picture_says_its_finding_in_words(page: tuple[str, _Page]) -> None:
    """An alternative text of a sentence."""
    _, found = page
    images = [attrs for tag, attrs in found.tags if tag == "img"]
    assert len(images) == 5
    assert all(len(str(image["alt"])) > 20 for image in images)


def test_the_same_rows_give_the_same_page(page: tuple[str, _Page]) -> None:
    """Byte for byte, and within 1.5 MB."""
    text, _ = page
    assert _render("html", _GOLDEN_ROWS, dropped={"ap-south-1": "dns_fail"}) == text
    assert len(text) < 1_500_000


def test_what_servers_say_stays_inert() -> None:
    """Markup, escape sequences and line separators from rows and run files do nothing."""
    table = rows(8, endpoint=EVIL, model=EVIL, vantage=EVIL, http_version=EVIL)
    runs = {"model": EVIL, "vantage": EVIL, "dropped": {EVIL: EVIL}}
    text = _render("html", table, **runs)
    assert "<script>alert" not in text
    assert len([tag for tag, _ in _Page(text).tags if tag == "script"]) == 1
    for name in ("md", "text", "html"):
        shown = _render(name, table, **runs)
        assert "\x1b" not in shown
        assert "\u2028" not in shown
    markdown = _render("md", table, **runs)
    assert "<script" not in markdown
    assert not re.search(r"(?<!\\)\[x\]", markdown)


_ODD: dict[str, list[dict[str, Any]]] = {
    "empty": [],
    "one row": rows(1)[4:5],
    "one round": rows(1),
    "all failed": rows(9, fail=dict.fromkeys(ALL, 1.0)),
    "half failed": rows(10, fail=dict.fromkeys(ALL, 0.5)),
    "only 429": rows(9, fail=dict.fromkeys(ALL, 1.0), outcome="rate_limited"),
    "no times": rows(5, started_at=None),
}


@pytest.mark.parametrize("odd", _ODD)
@pytest.mark.parametrize("name", OUTPUTS)
def test_there_is_always_a_report(name: str, odd: str) -> None:
    """And never NaN, None or inf in it."""
    text = _render(name, _ODD[odd])
    shown = re.sub(r'src="data:[^"]*"', "", text.split('<script type="application/json"')[0])
    assert not re.search(r"\b(NaN|nan|None|inf|NaT|Infinity|-inf)\b", shown)
    if name == "json":
        json.loads(text, parse_constant=lambda constant: pytest.fail(constant))


@pytest.mark.parametrize("odd", [*_ODD, "golden"])
def test_text_fits_eighty_columns_and_ends_with_the_verdict(odd: str) -> None:
    """The last thing a person reads is the answer."""
    table = _GOLDEN_ROWS if odd == "golden" else _ODD[odd]
    text = _render("text", table)
    sentence = json.loads(_render("json", table))["answer"]["sentence"]
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(text.split()).endswith(" ".join(sentence.split()))


def test_files_are_private_and_whole(tmp_path: Path) -> None:
    """0600, replaced at once, nothing left beside them."""
    frame = tidy(rows(8), [run()])
    (tmp_path / "report.md").write_text("old")
    files = write_report(tmp_path, frame)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]
    assert set(files) == {"html", "md"}
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One sentence, no traceback."""
    with pytest.raises(StoreError, match="cannot be written"):
        write_report(tmp_path / "missing", tidy([]))
