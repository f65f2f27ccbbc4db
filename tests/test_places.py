"""Several vantages: each has its own answer, none is mixed, and a compromise only if it is sure."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.errors import NotEnoughData, UsageError
from bench.frame import tidy
from bench.plots import finding, vantages
from bench.report import OUTPUTS, Findings
from bench.report.document import at
from bench.stats import summarise
from bench.stats.compromise import Tour, by_mean, by_minimax, kind_of
from bench.stats.places import Places, places
from bench.stats.race import RaceRules
from bench.stats.routing import route, routes
from bench.stats.sites import Site
from bench.stats.vantages import by_vantage
from tests.report_kit import Page
from tests.tours import ALIKE, APART, parts, tour

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def apart() -> pd.DataFrame:
    return tour()


@pytest.fixture(scope="module")
def found(apart: pd.DataFrame) -> Places:
    return places(apart)


def test_every_vantage_has_its_own_answer(found: Places) -> None:
    """Another endpoint is fastest from each, and the whole is decided."""
    best = {name: race.best for name, race in found.races.items()}
    assert best == {"fra": "eu-west-1", "iad": "us-east-1", "sea": "us-west-2"}
    assert found.kind == "each"
    assert found.decided


def test_the_compromise_is_named_with_what_it_costs_where(found: Places) -> None:
    """Truth: us is slower by 140, 80 and 100 ms; each interval holds it."""
    assert found.minimax is not None
    assert found.mean is not None
    assert (found.minimax.endpoint, found.mean.endpoint) == ("us", "us")
    for vantage, truth in (("fra", 140.0), ("iad", 80.0), ("sea", 100.0)):
        cost = found.cost(vantage, "us")
        assert cost is not None
        assert cost.p50.low_ms is not None
        assert cost.p50.high_ms is not None
        assert cost.p50.low_ms <= truth <= cost.p50.high_ms
        assert cost.fastest == found.races[vantage].best
        assert cost.p95.value_ms is not None
    assert 0 < (found.minimax.wrong or 0) < 0.0167


def test_one_endpoint_for_all_is_said_where_it_is_so() -> None:
    """The same one is fastest everywhere."""
    answer = places(tour(ALIKE))
    assert answer.kind == "one"
    assert answer.decided
    assert "One for all 3 vantages: us-east-1" in answer.sentence


@pytest.mark.parametrize("rounds", [0, 1, 5, 11])
def test_too_few_rounds_name_nobody(rounds: int) -> None:
    """Undecided, or no data at all; never a name."""
    if rounds == 0:
        with pytest.raises(NotEnoughData):
            places(tour(rounds=0, warmup_rounds=0))
        return
    answer = places(tour(rounds=rounds))
    assert not answer.decided
    for one in (answer.minimax, answer.mean):
        assert one is None or (one.endpoint is None and one.wrong is None)
    assert "ndecided" in answer.sentence or "no endpoint" in answer.sentence


def test_who_fails_at_one_vantage_is_no_compromise() -> None:
    """However little it costs; the reason names the vantage."""
    df = tour()
    bad = (df["vantage"] == "sea") & (df["endpoint"] == "us") & (df["round"] % 4 == 0)
    df.loc[bad, "outcome"] = "capacity"
    answer = places(df)
    assert answer.unfit == {"us": "fails too often from sea"}
    assert answer.cost("sea", "us") is None
    assert all("us" not in c.candidates for c in (answer.minimax, answer.mean) if c is not None)


def test_a_vantage_without_rows_is_told_and_leaves_the_rest_undecided() -> None:
    """All its requests were lost: the others still have their answers."""
    df = tour()
    left = df[df["vantage"] != "sea"]
    left.attrs = df.attrs
    answer = places(left)
    assert (answer.vantages, answer.missing, answer.decided) == (("fra", "iad"), ("sea",), False)


def test_weights_move_the_mean_and_not_the_minimax() -> None:
    """All weight on one vantage makes its fastest the mean compromise."""
    answer = places(tour(), weights={"fra": 98, "iad": 1, "sea": 1})
    assert answer.mean is not None
    assert answer.minimax is not None
    assert answer.mean.candidates[0] == "eu-west-1"
    assert answer.minimax.candidates[0] == "us"
    assert sum(answer.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"fra": 1, "iad": 1, "see": 1}, "did you mean sea"),
        ({"fra": 1}, "iad, sea has none"),
        ({"fra": 0, "iad": 0, "sea": 0}, "one above 0"),
        ({"fra": -1, "iad": 1, "sea": 1}, "0 or more"),
        ({"fra": float("nan"), "iad": 1, "sea": 1}, "0 or more"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: dict[str, float], said: str) -> None:
    """With what was wrong, and what there is."""
    with pytest.raises(UsageError, match=said):
        places(tour(rounds=12), weights=weights)


def test_no_number_of_a_summary_is_of_two_vantages(apart: pd.DataFrame) -> None:
    """Cell by cell it is what each vantage's own rows give, and no other cell is there."""
    whole = summarise(apart)
    alone = [
        replace(cell, stratum=replace(cell.stratum, vantage=name))
        for name, part in by_vantage(apart).items()
        for cell in summarise(part).cells
    ]
    assert sorted(map(repr, whole.cells)) == sorted(map(repr, alone))
    assert {d.stratum.vantage for d in whole.contrasts} == set(APART)
    assert all(rank.stratum.vantage in APART for rank in whole.ranks)


def test_what_has_no_one_answer_gives_none(apart: pd.DataFrame) -> None:
    """A race or a route of mixed rows says so, and who answers for each."""
    with pytest.raises(UsageError, match=r"bench\.places"):
        bench.decide_stored(apart, RaceRules())
    assert "several vantages" in route(apart).reason
    assert set(routes(apart)) == set(APART)
    assert "bench.places" in bench.summarise(apart)._repr_html_()


def test_a_wrong_clock_at_one_vantage_changes_no_answer(apart: pd.DataFrame) -> None:
    """Seven hours off: times are of each vantage's own clock, and nothing compares two of them."""
    late = tour(shift={"iad": timedelta(hours=7)})
    one, other = (Findings(df).doc for df in (apart, late))
    moment = ("last_at", "first_at", "runs")
    assert {k: v for k, v in one.items() if k not in moment} == {
        k: v for k, v in other.items() if k not in moment
    }
    assert one["last_at"] != other["last_at"]
    assert finding(vantages(apart)) == finding(vantages(late))


def test_the_order_of_rows_and_runs_changes_nothing(apart: pd.DataFrame, found: Places) -> None:
    """Whoever came back first."""
    names = list(by_vantage(apart).values())
    turned = pd.concat([part.assign() for part in names[::-1]], ignore_index=True)
    turned["endpoint"] = turned["endpoint"].astype(apart["endpoint"].dtype)
    turned.attrs = {"runs": apart.attrs["runs"][::-1], "cautions": []}
    assert places(turned).to_dict() == found.to_dict()


LOCATIONS = st.lists(st.lists(st.floats(50, 900), min_size=3, max_size=3), min_size=2, max_size=4)


def _tour(ms: list[list[float]], error: float, margin_ms: float = 20.0) -> Tour:
    """Locations that are known to ``error`` ms."""
    variance = error**2 * (1 - np.eye(3))
    fit = np.full((len(ms), 3), True)
    sites = [Site(np.array(one), variance) for one in ms]
    return Tour(sites, [1 / len(ms)] * len(ms), fit, fit, margin_ms)


@given(LOCATIONS)
def test_the_compromise_is_the_best_by_its_own_rule(ms: list[list[float]]) -> None:
    """Against all costs, written out."""
    costs = np.array(ms) - np.array(ms).min(axis=1, keepdims=True)
    one = _tour(ms, 5.0)
    assert costs.max(axis=0)[by_minimax(one).leader] == pytest.approx(costs.max(axis=0).min())
    assert costs.mean(axis=0)[by_mean(one).leader] == pytest.approx(costs.mean(axis=0).min())


@given(LOCATIONS, st.floats(0.5, 30.0))
def test_less_noise_and_a_wider_margin_never_make_a_name_less_sure(
    ms: list[list[float]], error: float
) -> None:
    """Risks lie between 0 and 1, and only fall."""
    for rule in (by_mean, by_minimax):
        base = rule(_tour(ms, error)).wrong
        assert 0 <= base <= 1
        assert rule(_tour(ms, error, 40.0)).wrong <= base + 1e-9
        assert rule(_tour(ms, error / 2)).wrong <= base + 1e-9


@given(LOCATIONS)
def test_with_the_truth_at_hand_the_kind_is_the_truth(ms: list[list[float]]) -> None:
    """One where an endpoint is within the margin everywhere, each where none is."""
    costs = np.array(ms) - np.array(ms).min(axis=1, keepdims=True)
    worst = float(costs.max(axis=0).min())
    kind, wrong = kind_of(_tour(ms, 0.01))
    if abs(worst - 20.0) > 0.2:
        assert kind == ("one" if worst < 20.0 else "each")
        assert wrong <= 0.05 / 3


def test_outputs_of_several_vantages(apart: pd.DataFrame) -> None:
    """Golden: the text, at most 80 columns, ends with the compromise; Markdown says the same."""
    seen = Findings(apart)
    text, markdown = (OUTPUTS[name](seen) for name in ("text", "md"))
    path = GOLDEN / "places.txt"
    if os.environ.get("REGIONBENCH_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 80
    sentence = seen.doc["answer"]["sentence"]
    assert " ".join(text.split()).endswith(" ".join(sentence.split()))
    assert markdown.startswith("# One each: ")
    assert "## From where" in markdown


def test_the_page_of_several_vantages(apart: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where comes first; every number is the embedded one; figures are of one vantage each."""
    monkeypatch.setattr("bench.report.page.figures._image", lambda *_: "data:image/png;base64,")
    text = OUTPUTS["html"](Findings(apart))
    page = Page(text)
    doc = json.loads(page.json)
    body = text[text.index("<body>") :]
    assert body.index(">From where</h2>") < body.index(">Ranking</h2>")
    for number in page.numbers:
        value = at(doc, str(number["data-key"]))
        if "data-ends" not in number:
            assert number["value"] == ("" if value is None else json.dumps(value))
    assert {"vantages", "ecdf-0", "ecdf-1", "ecdf-2"} <= set(doc["figures"])
    assert body.count("<h3>From fra</h3>") >= 2
    assert "from fra" in body.split("</header>")[0]


def test_a_card_says_the_same(found: Places) -> None:
    """Static, the sentence first."""
    html = found._repr_html_()
    assert html.index("One each") < html.index("<table")
    assert all(name in html for name in APART)


@pytest.mark.parametrize("evil", ["</script><b>", "\x1b[31m", "a.b.c", "x" * 200, "räksmörgås|*"])
def test_names_of_vantages_are_foreign_text(evil: str) -> None:
    """They come from other machines: shown as they are, and do nothing."""
    df = tour({evil: APART["fra"], "iad": APART["iad"]}, rounds=15)
    seen = Findings(df)
    for name in ("text", "md"):
        shown = OUTPUTS[name](seen)
        assert "\x1b" not in shown
        assert "<b>" not in shown or name == "text"
    assert "<b>" not in places(df)._repr_html_()


def test_a_result_is_strict_json(found: Places) -> None:
    """No NaN, no infinity, and the looks of races left out."""
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert '"history"' not in text
    assert [race["vantage"] for race in json.loads(text)["races"]] == ["fra", "iad", "sea"]


def test_rows_without_a_vantage_are_of_one_that_is_unknown() -> None:
    """Beside named ones they are a vantage of their own, never part of another."""
    made: list[dict[str, Any]] = [
        row | {"vantage": None} if row["vantage"] == "sea" else row for row in _rows()
    ]
    assert places(tidy(made, [])).vantages == ("fra", "iad", "unknown")


def _rows() -> list[dict[str, Any]]:
    return parts(rounds=12)[0]
