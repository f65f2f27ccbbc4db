"""Every fault, met in every way that makes sense: one right row, and nothing else is harmed.

The whole matrix, with all clients on kept connections too: `python -m tests.benchmarks.faults`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.clients import CLIENTS
from tests.faults import network
from tests.faults.clients import present, why_missing
from tests.faults.lane import Cell, Ground, Way
from tests.faults.loud import meet_loudly
from tests.faults.matrix import CASES, DEFAULT, meet, plan
from tests.faults.purse import Bill
from tests.lab.inside import require
from tests.programs import require_program


@pytest.mark.timeout(600)
def test_a_fault_is_one_row_with_the_right_words_and_harms_nothing_else(tmp_path: Path) -> None:
    """The default client in every way, the others on new connections in one shape of an answer.

    Outcome and phase are right, sent once, within the deadline that we own, no time of what was
    not over; the next requests are ok; the server came to its last step. One test, so that the
    lanes wait for their deadlines together.
    """
    require_program("openssl")
    others = [client for client in present()[0] if client != DEFAULT]
    planned = plan([DEFAULT]) + plan(others).only("cold").halved()
    cells = meet(Ground(tmp_path), planned)
    assert len(cells) == planned.size
    assert {cell.way.client for cell in cells} == {DEFAULT, *others}
    assert [(c.case, c.way.words, c.problems) for c in cells if c.problems] == []


@pytest.mark.timeout(600)
def test_under_faults_nothing_is_overspent_and_no_key_is_written(tmp_path: Path) -> None:
    """A drawn part of the matrix, and of the runs in which every request meets one fault.

    With every client, servers that say the key back, all logging on, and their own count of what
    they heard. All of it, and the search's control: the benchmark.
    """
    found = meet_loudly(tmp_path, clients=present()[0], cells=25, bills=8, report=False)
    assert [(c.case, c.way.words, c.problems) for c in found.cells if c.problems] == []
    assert [bill for bill in found.bills if bill.beyond or bill.twice or bill.hasty] == []
    assert (len(found.cells), len(found.bills)) == (25, 8)
    assert found.leaks == {}


def test_the_bills_would_tell() -> None:
    """A count that cannot be wrong proves nothing."""
    right = Bill("limit", "a whole answer", "httpx", allowed=7, heard=7, sent=7, connections=1)
    assert (right.beyond, right.twice) == (0, 0)
    assert replace(right, heard=8).twice == 1
    assert replace(right, heard=8, sent=8).beyond == 1
    assert replace(right, kind="dead", heard=0, connections=9).twice == 2


def test_a_cell_is_met_again_only_when_nothing_but_time_was_wrong() -> None:
    """As on a busy machine; whatever else is wrong stays wrong."""
    way = Way(DEFAULT, http2=False, streamed=True, connection="cold")
    late = "the next request was [('timeout', 'the deadline passed')]"
    assert Cell("x", 1, way, harmed=(late,)).late
    assert Cell("x", 1, way, hangs=True).late
    assert not Cell("x", 1, way).late
    assert not Cell("x", 1, way, harmed=(late, "the next request was [('truncated', '')]")).late
    assert not Cell("x", 1, way, harmed=(late,), wrong=("2 rows",)).late


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_takes_part(client: str) -> None:
    """Or it is said why not; in CI that is a failure."""
    require(why_missing(client))


@pytest.mark.timeout(600)
def test_a_fault_of_the_network_is_one_row_with_the_right_words() -> None:
    """Names, routes and links that fail, in a namespace of their own."""
    require(network.missing())
    met = network.cells([DEFAULT])
    assert {cell.case for cell in met} == {case.name for case in network.CASES}
    assert [(c.case, c.way.words, c.problems) for c in met if c.problems] == []


def test_a_case_is_named_once() -> None:
    """Or its cells would hide each other's."""
    names = [case.name for case in (*CASES, *network.CASES)]
    assert len(names) == len(set(names))


def test_the_judge_finds_what_is_wrong(tmp_path: Path) -> None:
    """A matrix that cannot fail proves nothing: each wrong expectation is a problem."""
    right = CASES[0]
    wrong = [
        replace(right, name="another outcome", outcome="truncated"),
        replace(right, name="another phase", phase="body"),
        replace(right, name="another word", says={"cost_usd": 3.0}),
        replace(right, name="sent never", unsent=True),
        replace(right, name="a server that dies", steps=(*right.steps[:2], _die, *right.steps[2:])),
    ]
    met = meet(Ground(tmp_path), plan([DEFAULT], wrong))
    assert {cell.case for cell in met if cell.problems} == {case.name for case in wrong}
    assert all(cell.problems for cell in met)


def _die(_: object) -> None:
    raise OSError(os.strerror(5))
