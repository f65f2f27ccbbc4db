"""What the report tells to run: the plan as TOML is the plan, and every caution has a remedy."""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.cli import main
from bench.model import Arm, Message, Plan
from bench.plan import make_plan, plan_sha256, read_plan
from bench.report.again import command, plan_toml
from bench.report.mends import MENDS, mend
from bench.stats.encode import plain
from tests.synthetic import run

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
_SCALARS = st.one_of(_TEXT, st.booleans(), st.integers(-(2**53), 2**53), st.floats(0, 1e6))
_PARAMETERS = st.dictionaries(
    _TEXT.map(lambda text: f"x{text}"), st.one_of(_SCALARS, st.lists(_SCALARS)), max_size=3
)
_ARMS = st.builds(
    Arm,
    model=st.none() | _TEXT,
    messages=st.none() | st.tuples(st.builds(Message, st.just("user"), _TEXT)),
    parameters=_PARAMETERS,
)
_PLANS = st.builds(
    Plan,
    endpoints=st.lists(_TEXT, unique=True, max_size=2).map(tuple),
    rounds=st.integers(1, 1000),
    rate=st.none() | st.floats(0.1, 100),
    messages=st.lists(st.builds(Message, st.just("user"), _TEXT), min_size=1, max_size=2).map(
        tuple
    ),
    parameters=_PARAMETERS,
    arms=st.just({}) | st.fixed_dictionaries({"a": _ARMS, "b": _ARMS}),
    batch=st.none() | st.just("2026-03-14"),
)


@given(_PLANS)
def test_a_plan_pasted_from_a_report_is_the_plan(plan: Plan) -> None:
    """Whatever its texts hold: the same plan, and the same digest of what it measures."""
    text = plan_toml({"plan": dataclasses.asdict(plan)})
    assert text is not None
    assert make_plan(tomllib.loads(text)) == plan
    assert plan_sha256(make_plan(tomllib.loads(text))) == plan_sha256(plan)


def test_the_command_says_what_the_plan_does_not() -> None:
    """Profile, vantage, proxy, family and pinned addresses; quoted for a shell."""
    platform = {"proxy": "used: http://proxy:3128", "ip": "4", "profile": None}
    pinned = {"name": "global", "url": "https://api.x.ai/v1", "connect": "192.0.2.7:443"}
    found = run(platform=platform, endpoints=(), vantage="my desk", simulated=False)
    found["endpoints"] = [pinned]
    assert shlex.split(command(found)) == [
        *("regionbench", "run", "plan.toml", "--vantage", "my desk"),
        *("--proxy", "http://proxy:3128", "--ip", "4", "--resolve", "api.x.ai:192.0.2.7"),
    ]
    assert command(run(platform={"profile": "rush-hour"})).startswith(
        "regionbench run plan.toml --profile rush-hour"
    )


def test_a_watch_is_watched_again() -> None:
    """In its rhythm; what it missed is not made up for."""
    watched = run(watch={"every_s": 60.0, "rounds": 9, "gaps": []})
    assert command(watched) == "regionbench watch plan.toml --every 60s --vantage test-host"
    for code in ("killed", "n_too_small", "gaps"):
        assert mend(code, [watched], []) == command(watched)


def test_a_report_of_foreign_rows_promises_no_command() -> None:
    """Without a plan there is none."""
    assert plan_toml({"run_id": "k6"}) is None


def _codes() -> set[str]:
    """Every caution of the summary and of the store, by what the source says."""
    package = Path(bench.__file__).parent
    stats = [package / "stats" / name for name in ("cautions.py", "unsteady.py")]
    files = [*stats, *(package / "store").glob("*.py")]
    text = "\n".join(file.read_text("utf-8") for file in files)
    return set(re.findall(r'Caution\(\s*"(\w+)"', text))


NOT_OF_A_REPORT = {"tags_damaged", "there_already"}
"""Told by ``regionbench history``, which has no page."""


@pytest.mark.parametrize("code", sorted(_codes() - NOT_OF_A_REPORT))
def test_each_caution_has_a_command_that_exists(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line of the product takes it: known command, known options."""
    line = shlex.split(mend(code, [run()], [{"n": 40, "n_latency": 40}]))
    assert line, f"{code} has no line in bench.report.mends.MENDS"
    if line[0] != "regionbench":
        return
    options = {word for word in line if word.startswith("--")}
    assert main([line[1], "--help"]) == 0
    assert options <= set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))


def test_an_open_loop_is_slowed_by_its_rate() -> None:
    """It has no pauses: a plan with both would be refused."""
    assert "--rate 10" in mend("rate_limited", [run(plan={"rate": 20.0})], [])
    assert "--pause 500ms" in mend("rate_limited", [run()], [])
    assert "--pause 4000ms" in mend("rate_limited", [run(plan={"pause_ms": 2000.0})], [])


def test_a_region_that_was_asked_twice_is_asked_once() -> None:
    """Over one connection; where there was only one, not through global as well."""
    both = run(plan={"connections": ["warm", "cold"]})
    assert "--connection warm" in mend("cached", [both], [])
    assert "--endpoints us-east-1,eu-west-1,us-west-2" in mend("cached", [run()], [])


def test_more_rounds_are_as_many_as_the_next_quantile_needs() -> None:
    """40 answers have a p90; p95 needs 59 and p99 299."""
    asked = {n: shlex.split(MENDS["n_too_small"](run(), [{"n": n, "n_latency": n}]))[4]
             for n in (3, 40, 100)}  # fmt: skip
    assert asked == {3: "6", 40: "59", 100: "299"}


def test_the_plan_can_be_read_as_a_file(tmp_path: Path) -> None:
    """What a user does: save, run."""
    plan = make_plan(rounds=3, catalogue="fleet", messages=[{"role": "user", "content": 'a "b"\n'}])
    described: dict[str, Any] = {"plan": plain(plan)}
    (tmp_path / "plan.toml").write_text(str(plan_toml(described)), "utf-8")
    assert read_plan(tmp_path / "plan.toml") == plan
