"""Workers share one core: which one, who belongs to it, and that nobody else does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import core as places
from bench.catalogue import load_catalogue
from bench.clients import child
from bench.core import Core, anywhere, quieter
from bench.plan import make_plan
from bench.prepare import Where, prepare
from bench.session import execute
from bench.simulator import Fleet
from bench.watch.reviewer import Reviewer

SHARES = st.floats(0, 1)
BUSY = st.dictionaries(st.integers(0, 7), SHARES, min_size=1)

several = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)


@given(BUSY, st.integers(0, 7), SHARES)
def test_a_move_gains_a_quarter_of_a_core_or_is_not_made(
    busy: dict[int, float], core: int, own: float
) -> None:
    """And it goes to the idlest there is."""
    found = quieter(core, busy, own)
    if found != core:
        assert busy[found] == min(busy.values())
        assert busy[core] - own - busy[found] > 0.25


def test_our_own_work_is_no_crowd() -> None:
    """A core that is busy with us alone is left to nobody."""
    assert quieter(0, {0: 1.0, 1: 0.0}, own=1.0) == 0


def test_two_that_met_part() -> None:
    """Each takes half of one core while another is free."""
    assert quieter(0, {0: 1.0, 1: 0.0}, own=0.5) == 1


def test_a_machine_that_tells_nothing_moves_nobody() -> None:
    """No /proc: no core is known to be better."""
    assert quieter(3, {}, own=0.5) == 3


@several
def test_members_share_the_core_and_get_theirs_back() -> None:
    """The calling thread may run where it might before, whatever ended its membership."""
    before, core = os.sched_getaffinity(0), Core()
    with suppress(RuntimeError), core.member():
        assert os.sched_getaffinity(0) == {core.number}
        raise RuntimeError
    assert os.sched_getaffinity(0) == before


@several
def test_a_move_takes_all_members_and_nobody_else() -> None:
    """A thread that never joined stays free, one that left too."""
    core, ready, over = Core(), threading.Barrier(2), threading.Event()
    inside: list[set[int]] = []

    def work() -> None:
        with core.member():
            ready.wait()
            over.wait()
            inside.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    (other,) = sorted(os.sched_getaffinity(0) - {core.number})[:1]
    free = os.sched_getaffinity(0)
    core.move(other)
    over.set()
    thread.join()
    assert inside == [{other}]
    assert os.sched_getaffinity(0) == free


@several
def test_a_crowded_core_is_left_within_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody took half of it for two seconds while the next one was idle."""
    core = Core()
    assert core.number is not None
    (other,) = sorted(os.sched_getaffinity(0) - {core.number})[:1]
    seen = core._seen
    ours, theirs = {core.number: 200, other: 0}, {core.number: 200, other: 200}
    later = places._Seen(
        {c: seen.busy[c] + ours[c] for c in ours},
        {c: seen.whole[c] + theirs[c] for c in theirs},
        seen.own_s + 1.0,
        seen.at_ns + 2 * 10**9,
    )
    monkeypatch.setattr(places, "now_ns", lambda: later.at_ns)
    monkeypatch.setattr(places, "_see", lambda: later)
    core.look()
    assert core.number == other


@several
def test_a_look_is_taken_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for with every row."""
    core = Core()
    monkeypatch.setattr(places, "_see", lambda: pytest.fail("it looked"))
    monkeypatch.setattr(places, "now_ns", lambda: core._seen.at_ns + 9 * 10**8)
    core.look()


@several
def test_a_program_that_a_client_starts_may_run_anywhere() -> None:
    """curl and Node.js work while we wait; on our core they would be timed waiting for us."""
    before, core = os.sched_getaffinity(0), Core()
    say = "import os; print(sorted(os.sched_getaffinity(0)))"
    with core.member():
        process = child.start([sys.executable, "-c", say], os.environ)
        said, _ = process.communicate(timeout=30)
        assert os.sched_getaffinity(0) == {core.number}
        with anywhere():
            plain = subprocess.run([sys.executable, "-c", say], capture_output=True, check=True)
    assert said.decode().strip() == plain.stdout.decode().strip() == str(sorted(before))


@several
def test_outside_of_a_measurement_nothing_is_changed() -> None:
    """Who starts a program without belonging to a core keeps what the user gave."""
    before = os.sched_getaffinity(0)
    with anywhere():
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before


def test_one_core_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`taskset`, a container of one, macOS: there is nothing to choose, and nothing fails."""
    monkeypatch.setattr(places, "_affinity", lambda: frozenset({0}))
    monkeypatch.setattr(places, "_set_affinity", lambda *_: pytest.fail("it was bound"))
    core = Core()
    with core.member(), anywhere():
        core.look()
    assert core.number is None


def test_a_sandbox_that_forbids_it_harms_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads run where they may, as before."""

    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbid, raising=False)
    with Core().member():
        pass


def test_a_machine_without_proc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of its cores."""
    monkeypatch.setattr(places, "_text", lambda _: "")
    core = Core()
    assert core.number is None
    with core.member():
        core.look()


@several
@pytest.mark.parametrize("in_flight", [1, 2])
def test_a_run_of_several_workers_is_on_one_core_and_its_caller_is_free_after_it(
    in_flight: int, fleet: Fleet, tmp_path: Path
) -> None:
    """A single worker hands over to nobody, and is left to the system."""
    before, seen = os.sched_getaffinity(0), set[int]()
    plan = make_plan(catalogue=str(fleet.catalogue), concurrency=in_flight, rounds=1)
    where = Where(results=tmp_path)
    prepared = prepare(plan, load_catalogue(str(fleet.catalogue)), where)
    execute(prepared, where, watch=lambda _: seen.add(len(os.sched_getaffinity(0))))
    assert seen == {1 if in_flight > 1 else len(before)}
    assert os.sched_getaffinity(0) == before


@several
def test_a_fleet_that_is_started_while_measuring_runs_anywhere() -> None:
    """It would answer late on the core of those who time it."""
    before = os.sched_getaffinity(0)
    with Core().member(), Fleet.start() as fleet:
        assert os.sched_getaffinity(fleet._process.pid) == before


@several
def test_a_review_that_is_started_while_measuring_runs_anywhere(tmp_path: Path) -> None:
    """It is arithmetic of seconds, and would keep the watch's workers from their core."""
    before, reviewer = os.sched_getaffinity(0), Reviewer(tmp_path, None)
    with Core().member():
        assert [*reviewer.begin("a-run")] == []
        assert reviewer._process is not None
        assert os.sched_getaffinity(reviewer._process.pid) == before
    reviewer.close()
