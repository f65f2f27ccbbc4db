"""The workflow and the action that teams copy; .ci/actionlint.mjs checks what is valid in them."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module
from pathlib import Path

import click
import pytest

from tests.benchmarks import days

GITHUB = Path(__file__).parent.parent / ".github"
WORKFLOW = (GITHUB / "workflows/latency.yml").read_text("utf-8")
ACTION = (GITHUB / "actions/regionbench/action.yml").read_text("utf-8")
STEPS = ("Measure", "Gate")


@pytest.mark.parametrize("step", STEPS)
def test_the_commands_in_the_steps_exist_with_their_options(step: str) -> None:
    """A renamed option must not wait for the night to be noticed."""
    script = days.shell(step).replace("\\\n", " ")
    (line,) = [line for line in script.splitlines() if "regionbench " in line]
    name = line.split()[1]
    command: click.Command = getattr(import_module(f"bench.cli.{name}"), name)
    known = {word for p in command.params for word in (*p.opts, *p.secondary_opts)}
    used = set(re.findall(r"--[a-z-]+", line))
    assert used
    assert used <= known


@pytest.mark.parametrize("step", STEPS)
def test_the_steps_are_bash(step: str) -> None:
    """Parsed, not run; tests/benchmarks/days.py runs them."""
    done = subprocess.run(["bash", "-n", "-c", days.shell(step)], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_nothing_is_pasted_into_a_shell() -> None:
    """Inputs arrive as environment variables: text in them cannot become commands."""
    for step in STEPS:
        assert "${{" not in days.shell(step)


def test_the_key_comes_from_secrets_and_is_never_an_argument_nor_printed() -> None:
    """One secret in the workflow; in the action only in the environment of two steps."""
    assert re.findall(r"secrets\.\w+", WORKFLOW) == ["secrets.XAI_API_KEY"]
    assert ACTION.count("${{ inputs.api-key }}") == 2
    assert ACTION.count("XAI_API_KEY: ${{ inputs.api-key }}") == 2
    assert "XAI_API_KEY" not in "".join(map(days.shell, STEPS))


def test_rights_are_the_least_and_actions_have_a_major_version() -> None:
    """Nothing may write; nothing follows a branch."""
    assert re.search(r"^permissions:\n  contents: read\n\n", WORKFLOW, re.MULTILINE)
    assert "write" not in re.sub(r"#.*", "", WORKFLOW)
    used = re.findall(r"^ +-? ?uses: (\S+)", WORKFLOW + ACTION, re.MULTILINE)
    assert len(used) >= 5
    assert all(re.fullmatch(r"\./\S+|actions/[\w/-]+@v\d+", one) for one in used)


def test_the_third_sitting_of_a_day_gates_it() -> None:
    """Three times a day, and the last of them is the one that the expression names."""
    times = re.findall(r'- cron: "([^"]+)"', WORKFLOW)
    assert len(times) == 3
    hours = [int(time.split()[1]) for time in times]
    assert hours == sorted(hours)
    assert f"github.event.schedule == '{times[-1]}'" in WORKFLOW
