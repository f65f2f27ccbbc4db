"""What decides over many vantages without any of them: names, rounds, budget, clocks, words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.budget import Limits
from bench.units import NS_PER_S
from bench.vantage.convoy import Convoy, in_turn
from bench.vantage.names import read_labels, read_place, vantage_names
from bench.vantage.purse import Purse
from bench.vantage.skew import skew_of
from bench.vantage.speech import Hello, Untrue, row_of, sample_of
from tests.vantage_kit import a_run, a_sample, a_trial, prepared_at

_TEXT = st.text(max_size=40)


def hello(name: str | None = None, host: str = "host") -> Hello:
    return Hello("0.1.0", "b", host, name)


# Names


@given(st.lists(st.tuples(st.one_of(st.none(), _TEXT), _TEXT, _TEXT), max_size=6))
def test_every_vantage_has_a_name_of_its_own_that_is_safe_to_store(
    found: list[tuple[str | None, str, str]],
) -> None:
    """Whatever the environments, workers and hosts say."""
    names = vantage_names([hello(n, host) for n, _, host in found], [w for _, w, _ in found])
    assert len(set(names)) == len(found)
    for name in names:
        assert name.isascii()
        assert name
        assert not set(name) - set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
        )


def test_a_vantage_is_called_by_its_environment_else_its_worker_else_its_host() -> None:
    """Dask's own names say nothing: an address, or a number in a LocalCluster."""
    hellos = [hello("São Paulo"), hello(), hello(host="h.example"), hello()]
    names = vantage_names(hellos, ["w", "tokyo", "tls://10.0.0.1:3", "0"])
    assert names == ("S-o-Paulo", "tokyo", "h.example", "worker-0")


def test_two_of_one_name_are_numbered() -> None:
    """Their rows would otherwise be one vantage's."""
    assert vantage_names([hello("a")] * 3, ["x", "y", "z"]) == ("a", "a-2", "a-3")


def test_labels_and_place_are_plain_text() -> None:
    """A terminal shows them."""
    assert read_labels("cloud=aws, net = fibre,spot,") == {
        "cloud": "aws",
        "net": "fibre",
        "spot": "",
    }
    assert read_labels(None) == {}
    assert read_place(" Paris,\x1b[31m FR ") == "Paris,[31m FR"
    assert read_place("") is None


# Rounds


def test_a_round_begins_when_all_have_ended_the_one_before() -> None:
    """Nobody is a round ahead while the others are in time."""
    convoy = Convoy({"a": 3, "b": 3})
    assert convoy.release(0) == ["a", "b"]
    convoy.done("a")
    assert convoy.release(1) == []
    convoy.done("b")
    assert convoy.release(2) == ["a", "b"]


def test_who_is_slow_is_waited_for_only_so_long_and_catches_up() -> None:
    """It does all of its rounds, at its own pace, and begins with the others again after that."""
    convoy = Convoy({"quick": 4, "slow": 4}, patience_s=30)
    convoy.release(0)
    convoy.done("quick")
    assert convoy.release(1) == []
    assert convoy.release(1 + 30 * NS_PER_S) == ["quick"]
    assert convoy.left_behind == ["slow"]
    convoy.done("slow")
    assert convoy.release(40 * NS_PER_S) == ["slow"]
    convoy.done("quick")
    assert convoy.release(41 * NS_PER_S) == []
    convoy.done("slow")
    assert convoy.release(42 * NS_PER_S) == ["quick", "slow"]


def test_who_is_lost_is_not_waited_for() -> None:
    """The others go on at once."""
    convoy = Convoy({"a": 2, "b": 2})
    convoy.release(0)
    convoy.done("a")
    convoy.lose("b")
    assert convoy.release(1) == ["a"]


@given(st.integers(1, 4), st.integers(1, 5), st.lists(st.integers(-2, 3), max_size=40))
def test_every_vantage_that_is_not_lost_begins_every_stage_once(
    ships: int, stages: int, ends: list[int]
) -> None:
    """Whoever is quick or slow, in whatever order they end; ``ends`` below 0: nobody ends now."""
    names = [f"v{n}" for n in range(ships)]
    convoy = Convoy(dict.fromkeys(names, stages), patience_s=5)
    begun, running = dict.fromkeys(names, 0), list[str]()
    for second, end in enumerate([*ends, *[0] * 2 * ships * stages]):
        for name in convoy.release(second * NS_PER_S):
            assert name not in running
            begun[name] += 1
            running.append(name)
        if running and end >= 0:
            convoy.done(running.pop(end % len(running)))
    assert set(begun.values()) == {stages}
    assert not running


# Budget


@given(st.integers(1, 12), st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_vantages_together_are_lent_no_more_requests_than_the_limit(
    limit: int, wanted: list[int]
) -> None:
    """And alike: nobody has two more than another who wanted as many."""
    names = [f"v{n}" for n in range(len(wanted))]
    purse = Purse(Limits(requests=limit), {name: prepared_at(name) for name in names})
    lent = dict.fromkeys(names, 0)
    for number, seq in in_turn([list(range(n)) for n in wanted]):
        lent[names[number]] += purse.lend(names[number], a_trial(seq))
    assert sum(lent.values()) == min(limit, sum(wanted))
    for name, number in zip(names, wanted, strict=True):
        assert lent[name] == number or lent[name] >= max(lent.values()) - 1


def test_what_a_lost_vantage_may_have_spent_is_spent() -> None:
    """Nobody knows whether its last request was sent, so its price is not lent again."""
    prepared = prepared_at("a")
    price = prepared.worst_usd(a_trial(0))
    purse = Purse(Limits(usd=1.5 * price), {"a": prepared, "b": prepared_at("b")})
    assert purse.lend("a", a_trial(0))
    assert not purse.lend("b", a_trial(0))
    assert purse.over("b", a_trial(0)) is None
    purse.lose("a", a_trial(0))
    assert not purse.lend("b", a_trial(0))
    assert purse.over("b", a_trial(0)) is not None


# Clocks


@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=9),
)
def test_skew_is_wrong_by_half_of_the_quickest_trip_at_most(
    true_ns: int, trips: list[tuple[int, int]]
) -> None:
    """However unlike the ways there and back are."""
    told = [(0, there + true_ns, there + back) for there, back in trips]
    skew = skew_of(told)
    assert skew is not None
    assert skew.rtt_ns == min(there + back for there, back in trips)
    assert abs(skew.skew_ns - true_ns) <= (skew.rtt_ns + 1) // 2 + 1


# Words


def test_a_row_travels_unchanged() -> None:
    """Every column, also the lists, comes back as it was."""
    sample = a_sample(3, token_offsets_ns=(1, 2), token_coalesced=(True, False))
    assert sample_of(row_of(sample), a_run(), {3: a_trial(3)}) == sample


LIES = {
    "another run": {"run_id": "x"},
    "another place": {"vantage": "y"},
    "not asked": {"seq": 9},
    "another round": {"round": 7},
    "another endpoint": {"endpoint": "b"},
    "a number as text": {"total_ns": "5"},
    "no number": {"seq": None},
    "an outcome of its own": {"outcome": "fine"},
    "before it began": {"total_ns": -1},
    "money back": {"cost_usd": -1.0},
    "warm-up after all": {"warmup": True},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_row_that_cannot_be_is_refused(lie: dict[str, object]) -> None:
    """The driver knows what it asked for."""
    row = {**json.loads(row_of(a_sample(3))), **lie}
    with pytest.raises(Untrue):
        sample_of(json.dumps(row), a_run(), {3: a_trial(3)})


def test_a_row_that_is_there_already_is_refused() -> None:
    """What has a row is not open any more."""
    with pytest.raises(Untrue, match="is there already"):
        sample_of(row_of(a_sample(3)), a_run(), {})


@given(st.text(max_size=200))
def test_no_text_is_a_row_by_accident(text: str) -> None:
    """Refused, and nothing else."""
    with pytest.raises(Untrue):
        sample_of(text, a_run(), {3: a_trial(3)})
