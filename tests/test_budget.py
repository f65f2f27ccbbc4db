"""What may start: never more than the limits, whatever comes back, in whatever order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.budget import UNBILLED, Budget, Limits
from bench.clients.outcome import retry_after_s
from bench.manners import EVERY_ROUNDS, FAILURES, LONGEST_PAUSE_S, Manners
from bench.model import OUTCOMES, Reply, Trial
from bench.units import NS_PER_S
from tests.faults.first_rank import RETRY_AFTER

PRICE = 0.01
Event = tuple[bool, int, str, float | None]


def trial(seq: int, round_number: int = 0, endpoint: str = "e") -> Trial:
    return Trial(seq, round_number, endpoint, "chat", "warm", "httpx", False, None)


EVENTS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 20),
        st.sampled_from(OUTCOMES),
        st.one_of(st.none(), st.floats(0, PRICE)),
    ),
    max_size=200,
)


@given(
    EVENTS, st.one_of(st.none(), st.floats(0.001, 0.5)), st.one_of(st.none(), st.integers(1, 50))
)
def test_no_order_of_starts_and_ends_spends_more_than_the_limits(
    events: list[Event], usd: float | None, requests: int | None
) -> None:
    """As long as no reply costs more than its worst price: what was billed, and what may yet be,
    stays within; and "wait" is said only while something is in flight."""
    budget = Budget(Limits(usd, requests), lambda _: PRICE)
    flying: list[Trial] = []
    billed = 0.0
    for seq, (starts, which, outcome, cost) in enumerate(events):
        if starts or not flying:
            word = budget.ask(trial(seq))
            assert word != "wait" or flying
            if word == "start":
                budget.start(trial(seq))
                flying.append(trial(seq))
        else:
            ended = flying.pop(which % len(flying))
            budget.end(ended, Reply(outcome=outcome), cost)
            free = outcome in UNBILLED and cost is None
            billed += 0.0 if free else PRICE if cost is None else cost
        assert usd is None or billed + PRICE * len(flying) <= usd + 1e-9
        assert requests is None or budget.started <= requests


def test_what_is_in_flight_counts_until_it_is_known() -> None:
    """Two fit at their worst; a third waits, and starts when the first turned out cheap."""
    budget = Budget(Limits(usd=0.025), lambda _: PRICE)
    for seq in (0, 1):
        assert budget.ask(trial(seq)) == "start"
        budget.start(trial(seq))
    assert budget.ask(trial(2)) == "wait"
    budget.end(trial(0), Reply(outcome="ok"), 0.001)
    assert budget.ask(trial(2)) == "start"


def test_a_reply_that_costs_more_than_the_worst_raises_the_next_ones() -> None:
    """Nothing bounds what a model thinks: the books learn."""
    budget = Budget(Limits(usd=0.1), lambda _: PRICE)
    budget.start(trial(0))
    budget.end(trial(0), Reply(outcome="ok"), 5 * PRICE)
    assert budget.ask(trial(1)) == "start"
    budget.start(trial(1))
    assert budget.ask(trial(2)) == "wait"
    budget.end(trial(1), Reply(outcome="ok"), 0.05)
    assert budget.ask(trial(2)) == "over"
    assert budget.reason().startswith("$0.1000 of the limit of $0.1000 are spent")


def test_a_service_that_says_0_is_not_believed() -> None:
    """Of a model that has a price: else a lie in every answer would be leave to spend for ever."""
    budget = Budget(Limits(usd=0.025), lambda _: PRICE)
    for seq in (0, 1):
        budget.start(trial(seq))
        budget.end(trial(seq), Reply(outcome="ok"), 0.0)
    assert budget.ask(trial(2)) == "over"


def test_what_costs_nothing_may_start_when_the_money_is_spent() -> None:
    """A limit in dollars is no limit of free requests."""
    budget = Budget(Limits(usd=0.01), lambda t: PRICE if t.seq == 0 else 0.0)
    budget.start(trial(0))
    assert budget.ask(trial(1)) == "start"


def test_a_trial_that_was_not_sent_gives_its_place_back() -> None:
    """And its reason counts requests."""
    budget = Budget(Limits(requests=1), lambda _: PRICE)
    budget.start(trial(0))
    assert budget.ask(trial(1)) == "over"
    assert budget.reason() == "the limit of 1 requests is reached"
    budget.forget(trial(0))
    assert budget.ask(trial(1)) == "start"


@pytest.mark.parametrize(
    ("retry_after_s", "pause_s"), [(None, 1.0), (0.0, 0.0), (7.0, 7.0), (3600.0, LONGEST_PAUSE_S)]
)
def test_a_429_leaves_its_endpoint_alone_and_no_other(
    retry_after_s: float | None, pause_s: float
) -> None:
    """As long as it says, at most a minute; a shorter word does not take a longer one back."""
    manners = Manners()
    said = Reply(outcome="rate_limited", retry_after_s=retry_after_s)
    manners.see(trial(0), said, 100)
    assert manners.resume_ns("e") == 100 + round(pause_s * NS_PER_S)
    manners.see(trial(1), Reply(outcome="rate_limited", retry_after_s=0.0), 101)
    assert manners.resume_ns("e") >= 100 + round(pause_s * NS_PER_S)
    assert manners.resume_ns("other") == 0


@pytest.mark.parametrize("value", RETRY_AFTER)
def test_no_retry_after_makes_a_run_wait_longer_than_a_minute(value: str) -> None:
    """0, huge, dates past and far, negative, junk: what the matrix sends is a pause that ends."""
    said = Reply(
        outcome="rate_limited", retry_after_s=retry_after_s(value, dt.datetime.now(dt.UTC))
    )
    manners = Manners()
    manners.see(trial(0), said, 100)
    assert 0 <= manners.resume_ns("e") - 100 <= LONGEST_PAUSE_S * NS_PER_S


def failing(**changes: Any) -> Reply:
    return Reply(**{"outcome": "connect_fail", "failed_phase": "tcp", "error": "no", **changes})


def test_a_dead_endpoint_is_asked_once_in_ten_rounds_and_every_round_once_it_lives() -> None:
    """However many requests a round has; others are asked as ever."""
    manners, asked = Manners(), []
    seq = 0
    for number in range(60):
        for _ in range(2):
            seq += 1
            if manners.refusal(trial(seq, number)) is None:
                asked.append(number)
                alive = number >= 40
                manners.see(trial(seq, number), Reply(outcome="ok") if alive else failing(), 0)
            assert manners.refusal(trial(seq, number, "other")) is None
    dead = [number for number in asked if number < 40]
    assert len(dead) <= FAILURES + 40 // EVERY_ROUNDS
    first_alive = min(number for number in asked if number >= 40)
    assert first_alive < 40 + EVERY_ROUNDS
    assert all(asked.count(number) == 2 for number in range(first_alive + 1, 60))


@pytest.mark.parametrize(("peer_ip", "dead"), [(None, True), ("10.0.0.1", False)])
def test_a_client_that_knows_no_phase_is_judged_by_the_connection(
    peer_ip: str | None, dead: bool
) -> None:
    """gRPC's time-out: an endpoint that never connected is dead, one that is slow is not."""
    manners = Manners()
    for number in range(FAILURES):
        late = Reply(outcome="timeout", reused=False, peer_ip=peer_ip)
        manners.see(trial(number, number), late, 0)
    assert (manners.refusal(trial(FAILURES, FAILURES)) is not None) == dead


@pytest.mark.parametrize(
    "reply",
    [
        Reply(outcome="server_error"),
        failing(outcome="truncated", failed_phase="body"),
        failing(outcome="timeout", failed_phase="ttfb"),
    ],
)
def test_an_endpoint_that_fails_after_it_connected_is_not_dead(reply: Reply) -> None:
    """Its failures are what is measured."""
    manners = Manners()
    for number in range(50):
        assert manners.refusal(trial(number, number)) is None
        manners.see(trial(number, number), reply, 0)


@pytest.mark.parametrize("outcome", ["cancelled", "client_fault"])
def test_what_is_nobodys_fault_changes_nothing(outcome: str) -> None:
    """Neither for better nor for worse."""
    manners = Manners()
    for number in range(FAILURES):
        manners.see(trial(number), failing(), 0)
    manners.see(trial(FAILURES), Reply(outcome=outcome), 0)
    assert manners.refusal(trial(9, EVERY_ROUNDS - 1)) == (
        "not asked: 5 failures to connect in a row, the last: no; asked again every 10 rounds"
    )
