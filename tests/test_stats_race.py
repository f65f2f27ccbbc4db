"""The race: what it may say, and what it must not, whatever the rounds hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from bench.errors import NotEnoughData
from bench.frame import tidy
from bench.stats.race import Race, RaceRules, fixed_plan_requests, replay, spell_worth
from bench.stats.race_scores import column_medians, robust_scores
from bench.stats.race_strict import mixture_p
from bench.stats.race_verdict import RaceVerdict
from tests import synthetic
from tests.benchmarks.worlds import IID, RACE, REAL, SETTINGS, Values, draw, floor_ms, tied

NAMES = ("eu", "us", "ap", "sa", "af", "me", "ca", "in")

_MS = st.one_of(st.floats(0.0, 1e5), st.just(math.inf), st.none())
_ROUNDS = st.integers(1, 4).flatmap(
    lambda k: st.lists(st.lists(_MS, min_size=k, max_size=k), min_size=1, max_size=60)
)
_RULES = st.sampled_from(
    [RaceRules(), RaceRules(strict=True), RaceRules(target="p90"), RaceRules(cap=30)]
)


def run(
    rounds: Sequence[Sequence[float | None]] | Values,
    rules: RaceRules | None = None,
    names: Sequence[str] = NAMES,
) -> RaceVerdict:
    """The verdict on these rounds; a race is given only what it asks for."""
    race = Race(names[: len(rounds[0])], rules)
    for row in rounds:
        if race.decided:
            break
        given_ = dict(zip(race.endpoints, row, strict=True))
        race.add({n: float(ms) for n in race.alive if (ms := given_[n]) is not None})
    return race.verdict()


def world(setting: str, seed: int, rounds: int = 400) -> Values:
    """One tournament of the reference's setting."""
    return np.asarray(draw(RACE, SETTINGS[setting], rounds, 1, seed)[0])


def renamed(verdict: RaceVerdict, names: Mapping[str, str]) -> Any:
    """The verdict's JSON with other names, endpoints in alphabetical order."""
    found = verdict.to_dict()
    text = json.dumps({key: found[key] for key in ("kind", "best", "next_best", "wrong", "rounds")})
    sets = [sorted(names.get(n, n) for n in found[key]) for key in ("endpoints", "beaten")]
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"<{new}>"')
    return text.replace("<", "").replace(">", ""), sets


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ROUNDS, _RULES)
def test_any_rounds_give_a_verdict_that_keeps_its_word(
    rounds: list[list[float | None]], rules: RaceRules
) -> None:
    """Failed, missing, lonely or absurd: no crash, strict JSON, no name without knowing."""
    verdict = run(rounds, rules)
    json.dumps(verdict.to_dict(), allow_nan=False)
    assert (verdict.best is None) == (verdict.kind == "undecided")
    assert verdict.best is None or verdict.best in verdict.endpoints
    assert verdict.wrong is None or 0 <= verdict.wrong <= rules.error
    assert not set(verdict.beaten) & set(verdict.endpoints)
    assert verdict.requests == sum(rate.n for rate in verdict.failures.values())


@pytest.mark.parametrize("rules", [RaceRules(), RaceRules(strict=True)], ids=["p50", "strict"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_names_and_their_order_do_not_matter(seed: int, rules: RaceRules) -> None:
    """The same columns under other names in another order give the same verdict."""
    rounds = world("mid4", seed)
    order = np.random.default_rng(seed).permutation(4)
    new = [f"n{k}" for k in order]
    mapping = {NAMES[k]: f"n{k}" for k in range(4)}
    there, back = run(rounds, rules), run(rounds[:, order], rules, new)
    assert renamed(there, mapping) == renamed(back, {})


@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_the_unit_does_not_matter(factor: float) -> None:
    """All latencies, the timeout and the margin's time scaled alike: the same verdict, scaled."""
    rules = RaceRules(cap=400)
    scaled = replace(rules, within_ms=5.0 * factor, timeout_ms=60_000.0 * factor)
    one, other = run(world("mid4", 5), rules), run(world("mid4", 5) * factor, scaled)
    assert (one.kind, one.best, one.requests) == (other.kind, other.best, other.requests)
    assert one.lead_ms is not None
    assert other.lead_ms is not None
    assert other.lead_ms.value_ms == pytest.approx((one.lead_ms.value_ms or 0) * factor)


@pytest.mark.parametrize("target", ["p50", "p90"])
def test_equal_rounds_give_equal_verdicts(target: Any) -> None:
    """Nothing is drawn while deciding that is not drawn alike again."""
    rules = RaceRules(target=target)
    assert run(world("easy4", 3), rules) == run(world("easy4", 3), rules)


GOLDEN_SPENT = (29, 66)
GOLDEN_OUT = [("ap", 12, "no faster"), ("sa", 12, "no faster"), ("us", 16, "no faster")]
GOLDEN_LEAD = 15.69


def test_the_golden_race() -> None:
    """A seeded world, and every part of its verdict that a reader sees."""
    verdict = run(world("easy4", 42))
    assert (verdict.kind, verdict.best, verdict.next_best) == ("choice", "eu", "us")
    assert (verdict.rounds, verdict.requests) == GOLDEN_SPENT
    assert [(e.endpoint, e.round, e.reason) for e in verdict.eliminations] == GOLDEN_OUT
    assert verdict.lead_ms is not None
    assert verdict.lead_percent is not None
    assert verdict.lead_percent.value_percent == pytest.approx(GOLDEN_LEAD, abs=0.05)


@pytest.mark.parametrize("rules", [RaceRules(), RaceRules(strict=True), RaceRules(target="p90")])
def test_everyone_failing_names_nobody(rules: RaceRules) -> None:
    """Equal failures are no tie between good endpoints."""
    verdict = run([[math.inf] * 4] * 100, rules)
    assert (verdict.kind, verdict.best) == ("undecided", None)
    assert verdict.endpoints == NAMES[:4]


def test_one_round_says_nothing() -> None:
    """And neither does none."""
    assert run([[100.0, 900.0]]).kind == "undecided"
    assert Race(["eu", "us"]).verdict().endpoints == ("eu", "us")


def test_a_lonely_endpoint_wins_nothing() -> None:
    """It is taken once it was shown to answer; there is nobody that it is faster than."""
    verdict = run(draw(RACE, (410.0,), 100, 1, 1)[0])
    assert (verdict.kind, verdict.beaten, verdict.next_best) == ("choice", (), None)


def test_equals_are_called_equivalent_where_noise_allows() -> None:
    """Low noise: the measured margin is inside the margin, and the set is said."""
    ms = 400 * np.exp(0.02 * np.random.default_rng(1).standard_normal((100, 3)))
    verdict = run(ms)
    assert (verdict.kind, verdict.endpoints) == ("equivalent", NAMES[:3])
    assert verdict.margin_percent is not None
    assert verdict.margin_percent < 5


def test_a_clear_lead_is_called_a_winner() -> None:
    """Twice as fast in every round, at low noise."""
    ms = np.array([400.0, 800.0, 900.0]) * np.exp(
        0.1 * np.random.default_rng(1).standard_normal((100, 3))
    )
    verdict = run(ms)
    assert (verdict.kind, verdict.best, verdict.beaten) == ("winner", "eu", ("us", "ap"))


@pytest.mark.parametrize("endpoints", [2, 4])
def test_equals_have_no_winner(endpoints: int) -> None:
    """Noisy and equal: whatever is said, none is called faster."""
    for rounds in draw(RACE, tied(endpoints), 100, 20, 9):
        verdict = run(rounds)
        assert verdict.kind != "winner"
        assert (verdict.best is None) == (verdict.kind == "undecided")


def test_a_fast_failing_endpoint_is_never_taken() -> None:
    """30 % fast 5xx in the fastest region: out for its failures, or no answer."""
    for seed in range(15):
        rounds = draw(RACE, (300.0, *SETTINGS["mid4"]), 100, 1, seed)[0]
        rounds[np.random.default_rng(seed).random(100) < 0.3, 0] = math.inf
        assert run(rounds).best != "eu"


@pytest.mark.parametrize("rate", [0.13, 0.2])
def test_who_fails_more_than_a_tenth_is_hardly_ever_named(rate: float) -> None:
    """A fifth faster than a reliable one, while others fail too: reliability comes first."""
    rounds = draw(RACE, (400.0, 480.0, 560.0), 100, 100, 3)
    fails = np.random.default_rng(4).random(rounds.shape[:2]) < rate
    rounds[:, :, 0][fails] = math.inf
    rounds[:, :, 2][np.roll(fails, 1, axis=1)] = math.inf
    best = [run(one).best for one in rounds]
    assert best.count(NAMES[0]) <= 5
    assert best.count(NAMES[1]) >= 25


def test_failures_that_come_in_spells_are_worth_only_a_part_of_their_number() -> None:
    """Ten in a row, four times: a fifth or less; scattered or none at all: all of it."""
    rounds = np.full((160, 2), 100.0)
    assert spell_worth(rounds) == 1.0
    rounds[::16, 0] = math.inf
    assert spell_worth(rounds) == 1.0
    rounds[:, 0] = 100.0
    for start in (0, 40, 80, 120):
        rounds[start : start + 10, 0] = math.inf
    assert spell_worth(rounds) < 0.2
    rounds[50:, 1] = math.nan
    assert 0 < spell_worth(rounds) < 0.2


def test_failures_put_an_endpoint_out_for_good() -> None:
    """One that always fails is out by Fisher's test before the first look, with its reason."""
    rounds = world("easy4", 2)
    rounds[:, 3] = math.inf
    out = {e.endpoint: (e.round, e.reason) for e in run(rounds).eliminations}
    assert out["sa"][0] < 12
    assert out["sa"][1] == "failures"


def test_missing_values_are_no_failures() -> None:
    """A hole in the rounds leaves the rates alone."""
    rounds: list[list[float | None]] = world("easy4", 4).tolist()
    for row in rounds[::3]:
        row[1] = None
    failures = run(rounds).failures
    assert failures["us"].n < failures["eu"].n


def test_an_endpoint_that_was_never_asked_keeps_the_race_open() -> None:
    """Nothing is known of it, so it may be the best."""
    rounds = [[400.0 + k % 7, 800.0 + k % 5, None] for k in range(100)]
    verdict = run(rounds)
    assert verdict.kind == "undecided"
    assert "ap" in verdict.endpoints


def test_a_race_refuses_what_it_cannot_mean() -> None:
    """No endpoints, one twice, a stranger, a round after the end, a proof about p90."""
    for names in ((), ("eu", "eu")):
        with pytest.raises(ValueError, match="each once"):
            Race(names)
    with pytest.raises(ValueError, match="not in this race: xx"):
        Race(["eu"]).add({"xx": 1.0})
    race = Race(["eu", "us"], RaceRules(cap=1))
    race.add({"eu": 1.0, "us": 2.0})
    with pytest.raises(ValueError, match="decided"):
        race.add({"eu": 1.0})
    with pytest.raises(ValueError, match="medians"):
        RaceRules(strict=True, target="p90")


def test_history_holds_every_look_for_the_plot() -> None:
    """Rounds rise, intervals contain their centre, and the leader is level with itself."""
    history = run(world("easy4", 6)).history
    assert [one.round for one in history] == sorted(one.round for one in history)
    assert all(one.low <= one.behind <= one.high for one in history)
    assert all(one.behind == 0 for one in history if one.endpoint == one.leader)


def test_a_stored_run_replays_to_what_the_race_would_have_said() -> None:
    """Warm-ups and nobody's faults are no rounds; what was not asked any more is not counted."""
    rows = synthetic.rows(100, seed=3)
    verdict = replay(tidy(rows, [synthetic.run()]))
    assert verdict.best == "eu-west-1"
    assert verdict.rounds <= 100
    assert verdict.requests <= 4 * verdict.rounds
    faulty = [row | {"outcome": "client_fault"} if row["round"] % 2 else row for row in rows]
    assert replay(tidy(faulty, [synthetic.run()])).rounds <= 50


def test_a_replay_needs_rows_of_one_stratum() -> None:
    """Cold and warm are not one race, and nothing is none."""
    mixed = tidy(synthetic.rows(5, connections=("warm", "cold")), [synthetic.run()])
    with pytest.raises(ValueError, match="one stratum"):
        replay(mixed)
    with pytest.raises(NotEnoughData):
        replay(mixed[:0])


def test_the_fixed_plan_is_the_reference_s() -> None:
    """Its first row: 120, 240, 400, 800, 1000, 2000; without a lead the safe one."""
    found = [fixed_plan_requests(k, lead) for lead in (19.0, 11.0, 6.6) for k in (4, 8)]
    assert found == [120, 240, 400, 800, 1000, 2000]
    assert fixed_plan_requests(4) == 1000


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_strict_martingale_is_the_integral_it_claims_to_be(slower: int, other: int) -> None:
    """Against the mixture summed over a grid of p."""
    n = slower + other
    p = np.linspace(0.5, 1, 4001)[1:-1]
    log_density = 7 * np.log(p) + 7 * np.log1p(-p)
    log_ratio = slower * np.log(2 * p) + other * np.log(2 * (1 - p))
    weights = np.exp(log_density) / np.exp(log_density).sum()
    m = float((weights * np.exp(np.minimum(log_ratio, 500))).sum())
    found = float(mixture_p(np.array([slower]), np.array([n]))[0])
    assert found == pytest.approx(min(1.0, 1 / m), rel=0.05)


def test_the_strict_martingale_rarely_errs_on_a_fair_coin() -> None:
    """Ville: at most α of 2,000 fair coins ever reach 1/α, over 300 tosses."""
    tosses = np.random.default_rng(1).random((2000, 300)) < 0.5
    n = np.broadcast_to(np.arange(1, 301), tosses.shape)
    smallest = mixture_p(tosses.cumsum(axis=1), n).min(axis=1)
    assert (smallest <= 0.05).mean() <= 0.05


@given(st.lists(st.lists(_MS, min_size=3, max_size=3), min_size=2, max_size=40))
def test_column_medians_are_medians(rows: list[list[float | None]]) -> None:
    """Against numpy, column by column."""
    logs = np.log(np.clip(np.array(rows, dtype=np.float64), 1e-6, 1e6))
    known = [column[~np.isnan(column)] for column in logs.T]
    expected = [np.median(column) if len(column) else math.nan for column in known]
    np.testing.assert_allclose(column_medians(logs), expected)


def test_scores_average_to_the_place() -> None:
    """What makes differences of scores differences of Huber's estimates."""
    logs = np.log(np.minimum(world("hard8", 1, 80), 60_000))
    scores, places = robust_scores(logs)
    np.testing.assert_allclose(scores.mean(axis=0), places, atol=1e-3)


@pytest.mark.parametrize("made", [REAL, IID, RACE], ids=["REAL", "IID", "RACE"])
def test_worlds_have_the_medians_they_promise(made: Any) -> None:
    """The true p50 of the settings is what "wrong" is judged by."""
    low = floor_ms(made)
    found = np.median(draw(made, (low, low + 100), 400, 300, 8), axis=(0, 1))
    np.testing.assert_allclose(found, [low, low + 100], rtol=0.012)


def test_the_failure_test_is_fisher_s() -> None:
    """The hypergeometric tail that the race computes is scipy's one-sided exact test."""
    from scipy.stats import hypergeom

    table = np.array([[6, 10], [1, 47]])
    exact = fisher_exact(table, alternative="greater").pvalue
    assert hypergeom.sf(5, 64, 7, 16) == pytest.approx(float(exact))
