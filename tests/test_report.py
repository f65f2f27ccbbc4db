"""Reports: one truth in four forms, always, and inert whatever servers say."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.errors import StoreError
from bench.frame import tidy
from bench.report import OUTPUTS, Findings, write_report
from bench.report.document import at
from tests.report_kit import DROPPED, EVIL, GOLDEN_ROWS, ODD, Page, render
from tests.synthetic import rows, run

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["md", "text", "json"])
def test_golden(name: str) -> None:
    """The output is the reviewed one; REGIONBENCH_GOLDEN=1 rewrites the files."""
    found = render(name, GOLDEN_ROWS, dropped=DROPPED)
    path = GOLDEN / f"report.{'txt' if name == 'text' else name}"
    if os.environ.get("REGIONBENCH_GOLDEN"):
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and not painted, which takes most of the time and is tested elsewhere."""
    monkeypatch.setattr("bench.report.page.figures._image", lambda *_: "data:image/png;base64,")


@pytest.fixture(scope="module")
def page() -> tuple[str, Page]:
    text = render("html", GOLDEN_ROWS, dropped=DROPPED)
    return text, Page(text)


_ENDS = (("best", "worst"), ("low_ms", "high_ms"), ("low", "high"))


def test_every_number_on_the_page_is_the_embedded_one(page: tuple[str, Page]) -> None:
    """Each carries its key; 0 mismatches."""
    _, found = page
    doc = json.loads(found.json)
    assert len(found.numbers) > 50
    for number in found.numbers:
        value = at(doc, str(number["data-key"]))
        if "data-ends" in number:
            low, high = next(pair for pair in _ENDS if pair[0] in value)
            assert json.loads(str(number["data-ends"])) == [value[low], value[high]]
        else:
            assert number["value"] == ("" if value is None else json.dumps(value))


def test_the_page_needs_no_network_and_runs_only_its_own_script(page: tuple[str, Page]) -> None:
    """Only data URIs and links within; a policy that forbids the rest, with a hash for each part;
    the other script element is data."""
    text, found = page
    sources = [str(a[k]) for _, a in found.tags for k in ("src", "href", "srcset") if k in a]
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert "default-src 'none'" in text
    data, script = (a for tag, a in found.tags if tag == "script")
    assert (data, script) == ({"type": "application/json", "id": "data"}, {})
    for part in (found.scripts[1], text.split("<style>")[1].split("</style>")[0]):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in text
    assert not any(name == "style" or name.startswith("on") for _, a in found.tags for name in a)


def test_the_page_is_in_the_order_a_reader_needs(page: tuple[str, Page]) -> None:
    """Verdict, cautions, tables, distribution, time, phases, failures, routing, method, data."""
    text, _ = page
    marks = (
        *("<h1>", ">Cautions</h2>", ">Ranking</h2>", ">Distribution</h2>", ">Over time</h2>"),
        *(">Phases</h2>", ">Failures</h2>", ">Not measured<", ">Routing</h2>"),
        *(">Method and settings</h2>", ">Run it again</h2>", ">Raw data</h2>"),
    )
    places = [text.index(mark, text.index("<body>")) for mark in marks]
    assert places == sorted(places)


def test_every_picture_says_its_finding_and_has_its_numbers(page: tuple[str, Page]) -> None:
    """An alternative text of a sentence; a dark twin; a table of as many rows as it draws."""
    text, found = page
    images = [attrs for tag, attrs in found.tags if tag == "img"]
    doc = json.loads(found.json)
    assert len(images) == len(doc["figures"]) == text.count('prefers-color-scheme: dark)" srcset')
    assert all(len(str(image["alt"])) > 20 for image in images)
    assert all(figure["rows"] for figure in doc["figures"].values())


@pytest.mark.usefixtures("undrawn")
def test_a_figure_without_anything_to_draw_is_a_sentence() -> None:
    """Words are read better than a picture of words; what can be drawn still is."""
    nothing, failed = (render("html", ODD[name]) for name in ("empty", "all failed"))
    assert "<figure>" not in nothing
    assert "<p>There are no requests to draw" in nothing
    assert failed.count("<figure>") == 1
    assert "<p>All 36 requests failed" in failed


def test_the_verdict_says_what_it_rests_on(page: tuple[str, Page]) -> None:
    """State, at most 30 words, difference, interval, n per endpoint, window, vantage."""
    text, found = page
    head = text[text.index("<header>") : text.index("</header>")]
    said = json.loads(found.json)["answer"]
    assert said["state"] in ("faster", "slower", "no clear difference", "not enough data")
    assert len(said["sentence"].split()) <= 30
    keys = ("answer.difference.ms.value_ms", "answer.difference.ms", "answer.difference.n_pairs")
    assert all(f'data-key="{key}"' in head for key in keys)
    for words in ("less global", "95 % interval", "global", "09:00:00", "UTC", "test-host"):
        assert words in head


def test_the_time_zone_is_said_once(page: tuple[str, Page]) -> None:
    """All times are UTC, and where the window is told, that is said."""
    assert page[1].shown.count("UTC") == 1


def test_the_same_rows_give_the_same_page(
    page: tuple[str, Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, whatever the day."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert render("html", GOLDEN_ROWS, dropped=DROPPED) == page[0]


def test_the_page_without_its_contents_is_small(page: tuple[str, Page]) -> None:
    """The shell, all that is not a picture, a table or the JSON, is within 60 KB."""
    text, found = page
    shell = re.sub(r'"data:[^"]*"|<table.*?</table>', "", text.replace(found.json, ""))
    assert len(shell.encode()) <= 60_000


@pytest.mark.usefixtures("undrawn")
def test_what_servers_say_stays_inert() -> None:
    """Markup, escape sequences and line separators from rows and run files do nothing."""
    table = rows(8, endpoint=EVIL, model=EVIL, vantage=EVIL, http_version=EVIL)
    table[-1] |= {"outcome": f"a.b{EVIL}"}
    runs: dict[str, Any] = {"model": EVIL, "vantage": EVIL, "dropped": {EVIL: EVIL}}
    found = Findings(tidy(table, [run(**runs)]))
    text, markdown, shell = (OUTPUTS[name](found) for name in ("html", "md", "text"))
    assert "<script>alert" not in text
    assert len(Page(text).scripts) == 2
    for shown in (text, markdown, shell):
        assert "\x1b" not in shown
        assert not set(shown) & {"\u2028", "\u2029"}
    assert "<script" not in markdown
    assert not re.search(r"(?<!\\)\[x\]", markdown)


@cache
def _findings(odd: str) -> Findings:
    """Of a frame, summarised once for all outputs."""
    return Findings(tidy(GOLDEN_ROWS if odd == "golden" else ODD[odd], [run()]))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", OUTPUTS)
def test_there_is_always_a_report(name: str, odd: str) -> None:
    """And never NaN, None or inf in it."""
    text = OUTPUTS[name](_findings(odd))
    shown = re.sub(r'"data:[^"]*"', "", text.split('<script type="application/json"')[0])
    assert not re.search(r"\b(NaN|nan|None|inf|NaT|Infinity|-inf)\b", shown)
    if name == "json":
        json.loads(text, parse_constant=lambda constant: pytest.fail(constant))


@pytest.mark.parametrize("odd", [*ODD, "golden"])
def test_text_fits_eighty_columns_and_ends_with_the_verdict(odd: str) -> None:
    """The last thing a person reads is the answer."""
    found = _findings(odd)
    text = OUTPUTS["text"](found)
    sentence = json.loads(OUTPUTS["json"](found))["answer"]["sentence"]
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(text.split()).endswith(" ".join(sentence.split()))


@pytest.mark.usefixtures("undrawn")
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
        write_report(tmp_path / "missing" / "too", tidy([]))
