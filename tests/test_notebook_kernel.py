"""Measuring inside a running event loop, and what a Jupyter notebook sees of it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

import bench
from bench import notebook, session
from bench.probe import Stop
from tests.jupyter import PATIENCE_S, book, execute, kernel

PLAN = """
import asyncio, bench
plan = bench.make_plan(catalogue="fleet", rounds=6, endpoints=("us-east-1", "eu-west-1"))
"""


def test_run_choose_and_route_work_inside_a_running_loop(tmp_path: Path) -> None:
    """Nothing of it is asynchronous, so that nothing can collide with the loop."""
    where = bench.Where(results=tmp_path)
    plan = bench.make_plan(catalogue="fleet", rounds=2, endpoints=("global", "eu-west-1"))

    async def inside() -> tuple[str, str, bool]:
        assert asyncio.get_running_loop().is_running()
        finished = bench.run(plan, where=where)
        chosen = bench.choose(plan, where=where, rules=bench.RaceRules(cap=2))
        routing = bench.route(finished.frame())
        return finished.status, chosen.finished.status, routing.identifiable

    assert asyncio.run(inside()) == ("complete", "complete", False)


def test_a_kernel_shows_one_display_that_is_updated(tmp_path: Path) -> None:
    """Its loop runs; `asyncio.run` would fail there. The last update has every request."""
    ran = execute(
        book(
            PLAN + "assert asyncio.get_running_loop().is_running()\nrun = bench.run(plan)\nrun",
            "chosen = bench.choose(plan, rules=bench.RaceRules(cap=6))\nprint(chosen.choice.kind)",
            "seen = []\nrun = bench.run(plan, watch=seen.append)\nprint(len(seen))",
        ),
        tmp_path,
    )
    first, second, third = (cell.outputs for cell in ran.cells)
    assert [output.output_type for output in first] == ["display_data", "execute_result"]
    assert "round 7/7, 14/14 requests" in first[0].data["text/plain"]
    assert "0 failed" in first[0].data["text/plain"]
    assert "us-east-1" in first[0].data["text/html"]
    assert "<script" not in first[0].data["text/html"]
    assert first[1].data["text/html"].startswith("<div")
    assert [output.output_type for output in second] == ["display_data", "stream"]
    assert "of at most" in second[0].data["text/plain"]
    assert [output.output_type for output in third] == ["stream"]  # who watches sees to it himself
    assert third[0].text == "14\n"


def test_to_interrupt_a_kernel_keeps_what_was_measured(tmp_path: Path) -> None:
    """Neither the kernel nor a row is lost."""
    code = PLAN.replace("rounds=6", "rounds=2000") + "run = bench.run(plan)"
    after = 'print(run.status, len(run.frame()) > 2, run.frame()["outcome"].iloc[0])'
    with kernel(tmp_path) as (manager, client):
        client.execute(code)
        until(client, "update_display_data")
        manager.interrupt_kernel()
        until(client, "idle")
        client.execute(after)
        assert until(client, "stream")["text"] == "interrupted True ok\n"


def until(client: Any, kind: str) -> Any:
    """The content of the next message of a kind, or of a status. Fails on an error in a cell."""
    while True:
        try:
            message = client.get_iopub_msg(timeout=PATIENCE_S)
        except Empty:
            pytest.fail(f"no {kind} came")
        content = message["content"]
        assert message["msg_type"] != "error", content
        if kind in (message["msg_type"], content.get("execution_state")):
            return content


def test_a_second_interrupt_ends_the_measurement_and_not_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kernel holds a person's other work; a command is ended as a whole."""
    monkeypatch.setattr(notebook, "inside", lambda: True)
    stop = Stop()
    with session.draining(stop.now):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.status == "interrupted"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_outside_of_a_notebook_nothing_is_shown() -> None:
    """And whoever watches is the one who is told, everywhere."""
    prepared: Any = None  # is not looked at
    with notebook.progress(prepared) as seen:
        assert seen is None
    with notebook.progress(prepared, print) as seen:
        assert seen is print
