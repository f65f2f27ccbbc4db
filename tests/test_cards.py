"""What a notebook shows of each result: the verdict first, static, small, and inert."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.comparing import compare_stored
from bench.frame import tidy
from bench.html import MOST_BYTES, card, table
from bench.model import Check, Endpoint, Run
from bench.session import Finished
from bench.stats import answer, verdict_words
from tests import store_kit, synthetic

HOSTILE = '<script>alert("1")</script>&\u2028\x1b[31m'
NAMES = (HOSTILE, "us-east-1")


class Outline(HTMLParser):
    """Which tags and attributes there are, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open += [] if tag == "br" else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def frame(names: tuple[str, ...] = NAMES, **changes: Any) -> Any:
    """A tidy frame of synthetic rows."""
    medians = {name: 100.0 + 40 * place for place, name in enumerate(names)}
    rows = synthetic.rows(40, names, medians_ms=medians, **changes)
    return tidy(rows, [synthetic.run(names)])


def shown() -> dict[str, tuple[Any, str]]:
    """Each thing that has a card, full of what a server or a user may have said; and what must
    stand first."""
    df, spilled = frame(), bench.load_example("spillover")
    summary, routing = bench.summarise(df), bench.route(spilled)
    race = bench.decide_stored(df, bench.RaceRules())
    choice = bench.explain(race, df, bench.RaceRules())
    compared = compare_stored(df, *NAMES)
    run = store_kit.run(
        endpoints=(Endpoint(HOSTILE, f"https://{HOSTILE}"),),
        preflight=(Check(HOSTILE, HOSTILE, "tls_fail", HOSTILE),),
    )
    return {
        "summary": (summary, answer(summary).sentence),
        "verdict": (compared.verdict, verdict_words.sentence([compared.verdict])),
        "comparison": (compared, compared.sentence),
        "race": (race, race.kind),
        "choice": (choice, choice.sentence),
        "routing": (routing, routing.words()),
        "untold routing": (bench.route(df), "cannot be told"),
        "run": (run, run.run_id),
    }


KINDS = list(shown())


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_begins_with_its_verdict_and_is_static_small_and_inert(kind: str) -> None:
    """No script, no event, nothing from elsewhere, no colour of text or paper: whatever the theme
    is, it is legible."""
    thing, first = shown()[kind]
    html = thing._repr_html_()
    seen = Outline(html)
    assert first[:60].split("<")[0] in "".join(seen.text[:2])
    assert seen.open == []
    assert {"script", "style", "link", "img", "iframe"}.isdisjoint(seen.tags)
    assert seen.attributes <= {"style", "scope", "aria-hidden"}
    assert len(html.encode()) <= MOST_BYTES
    assert not re.search(r"[\x1b\u2028]|[^-]color:(?!inherit)|\b(?:nan|None|inf)\b", html)


def test_a_card_stays_small_however_much_there_is() -> None:
    """Rows are counted, texts cut, and the rest is left to the frame."""
    names = tuple(f"{place}-{'&' * 5000}" for place in range(90))
    whole = card("state", "x" * 10_000, table(("name",), [[name] for name in names]), "<p>end</p>")
    assert len(whole.encode()) <= MOST_BYTES
    assert Outline(whole).open == []
    assert "Shortened" in whole


def test_more_rows_than_there_is_room_for_are_counted() -> None:
    """Not dropped in silence."""
    assert "40 more rows" in table(("n",), [[place] for place in range(100)])


def test_nothing_measured_is_a_card_too() -> None:
    """In the words of the summary."""
    empty = bench.summarise(tidy([]))
    assert "Not enough data: no request was measured." in empty._repr_html_()


def test_all_failed_is_a_card_without_a_number_that_is_none() -> None:
    """The rate says it."""
    html = bench.summarise(frame(fail=dict.fromkeys(NAMES, 1.0)))._repr_html_()
    assert "100 %" in html
    assert "> timeout" not in html  # escaped
    assert "&gt; timeout" in html


def test_a_finished_run_shows_its_summary_and_where_it_lies(tmp_path: Path) -> None:
    """And says so when its folder is gone."""
    folder = store_kit.written(tmp_path)
    finished = Finished(folder, "interrupted", store_kit.run(), "a <limit>")
    html = finished._repr_html_()
    assert "endpoint" in html
    assert f"interrupted, a &lt;limit&gt;: {folder}" in html
    gone = replace(finished, folder=tmp_path / "gone")._repr_html_()
    assert "gone" in gone


def test_a_run_names_who_was_left_out() -> None:
    """With the reason."""
    run: Run = store_kit.run(preflight=(Check("us", "us.test", "dns_fail", "no address"),))
    assert "dns_fail" in run._repr_html_()
