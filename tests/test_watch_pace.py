"""When rounds begin, which silences are gaps, what a day may cost: all of it pure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.budget import Limits
from bench.errors import UsageError
from bench.model import Reply, Trial
from bench.units import NS_PER_S
from bench.watch.pace import JITTER, Gap, Pace, Rhythm
from bench.watch.purse import Purse
from bench.wire.clock import Moment

NOON_NS = 1_800_014_400 * NS_PER_S  # 2027-01-15T12:00:00Z
DAY_S = 24 * 3600


def at(awake_s: float, slept_s: float = 0.0, set_s: float = 0.0) -> Moment:
    awake_ns, slept_ns, set_ns = (round(s * NS_PER_S) for s in (awake_s, slept_s, set_s))
    elapsed_ns = awake_ns + slept_ns
    return Moment(awake_ns, elapsed_ns, NOON_NS + elapsed_ns + set_ns)


@given(st.integers(0, 10**6), st.integers(0, 2**32), st.floats(0.5, 86_400))
def test_intervals_are_drawn_within_a_tenth_and_from_the_seed(
    number: int, seed: int, every_s: float
) -> None:
    """The same watch waits alike twice."""
    rhythm = Rhythm(every_s, 86_400, seed) if every_s > 1 else Rhythm(every_s, 3600, seed)
    interval_ns = rhythm.interval_ns(number)
    assert abs(interval_ns / (every_s * NS_PER_S) - 1) <= JITTER + 1e-9
    assert interval_ns == Rhythm(every_s, rhythm.rotate_s, seed).interval_ns(number)


Silence = st.tuples(
    st.floats(0, 300),  # the round lasts so long
    st.floats(0, 300),  # the process does not run for so long
    st.one_of(st.just(0.0), st.floats(0, DAY_S)),  # the machine sleeps for so long
    st.one_of(st.just(0.0), st.floats(-DAY_S, DAY_S)),  # the clock is set by so much
)


@given(st.lists(Silence, max_size=40))
def test_no_two_rounds_begin_closer_than_the_shortest_interval_whatever_happened(
    silences: list[tuple[float, float, float, float]],
) -> None:
    """Nothing is caught up after sleep, a stop, slow rounds or a clock step; and what was missed
    is counted, once."""
    pace = Pace(Rhythm(60, 3600), at(0))
    awake_s = slept_s = set_s = 0.0
    begun: list[Moment] = []
    missed = 0
    for lasts_s, stopped_s, sleeps_s, sets_s in silences:
        now = at(max(awake_s, pace.due_ns / NS_PER_S), slept_s, set_s)
        begun.append(now)
        missed += sum(gap.missed for gap in pace.begin(now))
        pace.busy(at(now.awake_ns / NS_PER_S + lasts_s, slept_s, set_s))
        awake_s = now.awake_ns / NS_PER_S + lasts_s + stopped_s
        slept_s, set_s = slept_s + sleeps_s, set_s + sets_s
    apart_ns = [b.awake_ns - a.awake_ns for a, b in pairwise(begun)]
    assert all(ns >= 60 * NS_PER_S * (1 - JITTER) - 2 for ns in apart_ns)
    if begun:
        elapsed = (begun[-1].elapsed_ns - begun[0].elapsed_ns) / (60 * NS_PER_S)
        assert missed + 1 <= elapsed + 1
        assert len(begun) + missed >= elapsed * 0.5


def gaps_of(*moments: Moment, busy_s: float = 1.0) -> list[Gap]:
    pace = Pace(Rhythm(60, 3600), moments[0])
    found: list[Gap] = []
    for moment in moments:
        found += pace.begin(moment)
        slept_s = (moment.elapsed_ns - moment.awake_ns) / NS_PER_S
        pace.busy(at(moment.awake_ns / NS_PER_S + busy_s, slept_s))
    return found


@pytest.mark.parametrize(
    ("moments", "busy_s", "told"),
    [
        ((at(0), at(66)), 1.0, []),
        ((at(0), at(119)), 1.0, []),
        ((at(0), at(60, slept_s=7200)), 1.0, [("suspended", 7260.0, 120)]),
        ((at(0), at(60, slept_s=5)), 1.0, [("suspended", 65.0, 0)]),
        ((at(0), at(200)), 1.0, [("stopped", 200.0, 2)]),
        ((at(0), at(200)), 199.0, [("slow", 200.0, 2)]),
        ((at(0), at(60, set_s=-3600)), 1.0, [("clock_step", -3600.0, 0)]),
        ((at(0), at(60, set_s=3600)), 1.0, [("clock_step", 3600.0, 0)]),
        ((at(0), at(60, set_s=0.03)), 1.0, []),
    ],
)
def test_each_silence_has_its_cause_its_length_and_the_rounds_that_fell_into_it(
    moments: tuple[Moment, ...], busy_s: float, told: list[tuple[str, float, int]]
) -> None:
    """A clock that is set makes no silence, and a sleep is no slow round."""
    found = [(g.cause, round(g.seconds, 6), g.missed) for g in gaps_of(*moments, busy_s=busy_s)]
    assert found == told


def test_a_rest_that_was_meant_says_so_however_the_machine_slept_in_it() -> None:
    """The limit of the day is why nothing was asked."""
    pace = Pace(Rhythm(60, 3600), at(0))
    pace.begin(at(0))
    pace.explain("limit")
    (gap,) = pace.begin(at(60, slept_s=6 * 3600))
    assert gap.cause == "limit"
    assert gap.words == (
        "21660.0 s until 2027-01-15T18:01:00Z, 360 rounds missed: the limit of the day was reached"
    )
    pace.explain("limit")
    assert not pace.begin(at(130, slept_s=6 * 3600))


def test_a_folder_is_full_when_the_next_round_would_begin_after_its_time() -> None:
    """By what has elapsed, sleep included, and not by a clock that may be set."""
    pace = Pace(Rhythm(60, 600), at(0))
    pace.begin(at(0))
    assert not pace.fills(at(0), at(1))
    assert not pace.fills(at(0), at(1, set_s=10**6))
    assert pace.fills(at(0), at(1, slept_s=600))
    assert pace.fills(at(0), at(600))


@pytest.mark.parametrize(
    ("every_s", "rotate_s", "word"),
    [(0, 60, "--every"), (-1, 60, "--every"), (100_000, 100_000, "--every"),
     (60, 30, "--rotate"), (60, 10**6, "--rotate"), (0.01, 3600, "too many")],
)  # fmt: skip
def test_a_rhythm_that_cannot_be_is_refused_with_the_option_that_says_it(
    every_s: float, rotate_s: float, word: str
) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match=word):
        Rhythm(every_s, rotate_s)


def trial(seq: int) -> Trial:
    return Trial(seq, 0, "near", "chat", "warm", "httpx", False, None)


OK = Reply(outcome="ok")


@given(
    st.lists(st.tuples(st.integers(0, 2 * DAY_S), st.floats(0.01, 0.3)), max_size=60),
    st.floats(0.3, 3.0),
)
def test_no_day_costs_more_than_its_limit_and_each_has_all_of_it(
    asked: list[tuple[int, float]], limit: float
) -> None:
    """Over midnights of UTC, with requests whose worst price is right."""
    purse = Purse(limit, Limits(), lambda _: 0.3)
    spent: dict[str, float] = {}
    now_ns = NOON_NS
    for seq, (later_s, usd) in enumerate(asked):
        now_ns += later_s * NS_PER_S
        purse.turn(now_ns)
        fits = spent.get(purse.day, 0.0) + 0.3 <= limit + 1e-12
        word = purse.ask(trial(seq))
        assert (word == "start") == fits or abs(spent.get(purse.day, 0.0) + 0.3 - limit) < 1e-9
        if word == "start":
            purse.start(trial(seq))
            purse.end(trial(seq), OK, usd)
            spent[purse.day] = spent.get(purse.day, 0.0) + usd
    assert all(usd <= limit + 1e-9 for usd in spent.values())


def test_a_clock_that_is_set_back_does_not_fill_the_purse_again() -> None:
    """The day that was reached stays."""
    purse = Purse(1.0, Limits(), lambda _: 1.0)
    assert purse.turn(NOON_NS, spent_usd=0.5)
    assert (purse.ask(trial(0)), purse.empty) == ("over", "day")
    assert not purse.turn(NOON_NS - DAY_S * NS_PER_S)
    assert purse.ask(trial(0)) == "over"
    assert "$0.5000 of the limit of $1.00" in purse.reason()
    assert purse.turn(NOON_NS + DAY_S * NS_PER_S)
    assert purse.empty is None
    assert purse.ask(trial(0)) == "start"


def test_what_was_begun_yesterday_is_yesterdays() -> None:
    """An answer that comes after midnight takes nothing from the new day."""
    purse = Purse(1.0, Limits(), lambda _: 0.6)
    purse.turn(NOON_NS)
    purse.start(trial(0))
    purse.turn(NOON_NS + DAY_S * NS_PER_S)
    purse.end(trial(0), OK, 0.6)
    assert purse.spent_usd == 0.0
    assert purse.ask(trial(1)) == "start"


def test_the_limit_of_all_days_ends_the_watch_and_not_the_day() -> None:
    """``--max-usd`` beside ``--max-usd-per-day``."""
    purse = Purse(10.0, Limits(usd=1.0), lambda _: 0.6)
    purse.turn(NOON_NS)
    purse.start(trial(0))
    assert purse.ask(trial(1)) == "wait"
    purse.end(trial(0), OK, 0.6)
    assert purse.ask(trial(1)) == "over"
    assert purse.empty == "all"
    purse.turn(NOON_NS + DAY_S * NS_PER_S)
    assert purse.empty == "all"
