"""A vantage and its driver do not believe each other: lies, silence, strangers, what is said twice.
The worker's side runs here, without Dask."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.model import Plan
from bench.plan import make_plan
from bench.prepare import Where
from bench.simulator import Fleet
from bench.vantage import Tour, kept_waiting, muster, post, session, tour, travel
from bench.vantage.cluster import Cluster, Unheard, Worker
from bench.vantage.speech import ORDER, SAID, WORD, Order, Said, Word, hear, speak

Change = Callable[[dict[str, Any]], dict[str, Any]]


class Near(Cluster):
    """One worker, in this process. ``change`` is done to everything that it says while talking."""

    def __init__(self, change: Change = lambda said: said) -> None:
        self.change = change
        self.spoken: list[Word] = []

    def workers(self) -> tuple[Worker, ...]:
        return (Worker("near", "w"),)

    def ask(
        self, worker: Worker, question: Callable[..., Any], *words: str, timeout_s: float
    ) -> object:
        answer = question(*words)
        if inspect.iscoroutine(answer):
            answer = asyncio.run(answer)
        if question is post.talk:
            self.spoken.append(hear(WORD, words[0]))
            answer = json.dumps(self.change(json.loads(answer)))
        return answer


def asked(fleet: Fleet) -> int:
    return sum(deed["model"] is not None for deed in fleet.truth())


def plan_of(fleet: Fleet, **values: Any) -> Plan:
    return make_plan(catalogue=str(fleet.catalogue), endpoints=("near", "far"), **values)


def go(near: Near, fleet: Fleet, results: Path, **plan: Any) -> Tour:
    where = Where(results=results)
    return travel(near, muster(near, plan_of(fleet, **plan), where), where)


def test_an_honest_vantage_is_believed(quick: Fleet, tmp_path: Path) -> None:
    """The control of the tests below."""
    done = go(Near(), quick, tmp_path, rounds=3)
    assert done.status == "complete"
    assert len(done.frame()) == 8


def test_concurrent_requests_have_their_rows_too(quick: Fleet, tmp_path: Path) -> None:
    """Several in flight, each waits until its row is stored."""
    done = go(Near(), quick, tmp_path, rounds=6, concurrency=3)
    assert done.status == "complete"
    assert sorted(done.frame()["seq"]) == list(range(2 * (6 + 3)))


def _lie(**values: Any) -> Change:
    def change(said: dict[str, Any]) -> dict[str, Any]:
        rows = [json.loads(row) for row in said["rows"]]
        late = [row["seq"] >= 4 for row in rows]
        told = [{**r, **values} if lies else r for r, lies in zip(rows, late, strict=True)]
        return {**said, "rows": [json.dumps(row) for row in told]}

    return change


LIES: dict[str, Change] = {
    "another's row": _lie(vantage="elsewhere"),
    "a row of another run": _lie(run_id="x"),
    "a row not asked for": _lie(seq=4000),
    "text for a number": _lie(total_ns="soon"),
    "a row twice": lambda said: {**said, "rows": said["rows"] * 2},
    "no rows but a number": lambda said: {**said, "rows": 3},
    "a state of its own": lambda said: {**said, "state": "happy" if said["rows"] else "ready"},
}


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_a_lying_vantage_is_dismissed_and_its_true_rows_are_kept(
    change: Change, quick: Fleet, tmp_path: Path
) -> None:
    """The lie is in no row; the run says that it was stopped, and why."""
    near = Near()
    where = Where(results=tmp_path)
    crew = muster(near, plan_of(quick, rounds=20), where)
    near.change = change
    done = travel(near, crew, where)
    (only,) = done.finished
    assert only.status == "stopped"
    assert "it said what cannot be" in str(only.reason)
    assert {row["seq"] for row in _rows(only.folder)} <= set(range(5))
    assert near.spoken[-1].now  # it was told to end


def _rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    return [json.loads(line)["row"] for line in lines]


def test_a_vantage_that_measures_something_else_is_refused(quick: Fleet, tmp_path: Path) -> None:
    """Its endpoints have to be the catalogue's."""

    def change(said: dict[str, Any]) -> dict[str, Any]:
        if said["introduction"]:
            said["introduction"]["run"]["endpoints"][0]["url"] = "https://elsewhere.test"
        return said

    with pytest.raises(UsageError, match="introduced itself wrongly: endpoints"):
        muster(Near(change), plan_of(quick), Where(results=tmp_path))


def _order(fleet: Fleet, **values: Any) -> Order:
    near = Near()
    taken: list[Order] = []

    def listen(order: str, dask_worker: Any = None) -> str:
        taken.append(hear(ORDER, order))
        raise Unheard("only looking")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(post, "open_session", listen)
        with pytest.raises(UsageError):
            muster(near, plan_of(fleet, rounds=50), Where())
    return replace(taken[0], **values)


def _say(word: Word) -> Said:
    said: Said = hear(SAID, asyncio.run(post.talk(speak(WORD, word))))
    return said


def _ready(order: Order) -> None:
    post.open_session(speak(ORDER, order))
    while _say(Word(order.session)).state == "preparing":
        pass


def test_to_open_a_session_twice_is_to_open_it_once(quick: Fleet) -> None:
    """A message that arrives again asks nothing again; another driver has to wait."""
    order = _order(quick)
    before = asked(quick)
    _ready(order)
    _ready(order)
    other = hear(SAID, post.open_session(speak(ORDER, replace(order, session="other"))))
    assert "for somebody else" in other.failed[1]
    assert asked(quick) == before  # nothing goes before it is let go
    _say(Word(order.session, end="over", now=True))


def test_what_is_said_again_is_not_done_again(quick: Fleet) -> None:
    """``go`` only grows: two requests, however often they are allowed."""
    order = _order(quick)
    before = asked(quick)
    _ready(order)
    for stored in (0, 0, 1, 0, 1, 2, 1, 0, 2):
        _say(Word(order.session, stored, go=2))
    assert asked(quick) - before == 2
    _say(Word(order.session, 2, go=2, end="over", now=True))


def test_a_row_that_is_not_stored_is_the_last_one(quick: Fleet) -> None:
    """A driver that cannot store rows, or is gone, stops its vantages without saying so."""
    order = _order(quick)
    before = asked(quick)
    _ready(order)
    for _ in range(3):
        said = _say(Word(order.session, 0, go=20))
    assert len(said.rows) == 1
    assert asked(quick) - before == 1
    _say(Word(order.session, end="over", now=True))


def test_a_driver_that_is_silent_loses_its_session(
    quick: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is free for another one then."""
    monkeypatch.setattr(session, "LEASE_S", 0.5)
    order = _order(quick)
    _ready(order)
    while not post._sessions[order.session].over:
        time.sleep(0.05)
    again = replace(order, session="again")
    assert hear(SAID, post.open_session(speak(ORDER, again))).state == "preparing"
    while _say(Word("again", end="over", now=True)).state != "over":
        pass


def test_who_decides_slowly_still_has_a_crew(
    quick: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who reads the costs for longer than the lease lasts is not taken for gone."""
    monkeypatch.setattr(session, "LEASE_S", 2.5)
    monkeypatch.setattr(tour, "_KEEP_S", 0.1)
    near, where = Near(), Where(results=tmp_path)
    crew = muster(near, plan_of(quick, rounds=1), where)
    with kept_waiting(near, crew):
        time.sleep(3.5)
    assert travel(near, crew, where).status == "complete"


def test_a_process_that_was_started_again_knows_nothing_and_sends_nothing(quick: Fleet) -> None:
    """A nanny restarts a worker under the same address: its orders of before are refused."""
    stale = _order(quick, born="another process", session="stale")
    assert "started again" in hear(SAID, post.open_session(speak(ORDER, stale))).failed[1]
    assert "knows nothing of this run" in _say(Word("stale", go=100)).failed[1]  # type: ignore[index]  # it has failed


def test_an_order_holds_no_key(quick: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where this machine has one."""
    monkeypatch.setenv("XAI_API_KEY", "canary-of-this-machine")
    assert "canary" not in speak(ORDER, _order(quick))
    assert "XAI_API_KEY" not in json.dumps(asdict(_order(quick)))
