"""What commands that end in verdicts have in common: outputs, what CI asks for, the exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.cli.shell import tell
from bench.errors import OK, REGRESSED, UNDECIDED, UNMEASURABLE, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report.verdict import Verdicts

_F = TypeVar("_F", bound="Callable[..., Any]")

NAMES = ("text", "json", "step-summary", "annotations", "junit", "github-action-benchmark")
"""The keys of `bench.report.verdict.OUTPUTS`, which --help must not pay for."""


def output_options(command: _F) -> _F:
    """Where verdicts go besides the terminal."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option(
            "--output",
            "outputs",
            multiple=True,
            metavar="NAME=FILE",
            callback=_targets,
            help=f"Write one of {', '.join(NAMES)} to FILE. May be given again. On GitHub"
            " step-summary and annotations are written without being asked for.",
        ),
    ):
        command = option(command)
    return command


def _targets(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for word in words:
        name, _equals, file = word.partition("=")
        if name not in NAMES or not file:
            raise UsageError(f"--output {word}: write NAME=FILE, NAME one of {', '.join(NAMES)}")
        found[name] = Path(file)
    return found


def publish(verdicts: Verdicts, outputs: Mapping[str, Path]) -> None:
    """The files that were asked for, and what GitHub shows of its own accord.

    The runner reads commands from stderr as well, which leaves stdout to the results. Raises
    StoreError for a file that cannot be written.
    """
    from bench.report.verdict import OUTPUTS

    for name, file in outputs.items():
        _write(file, OUTPUTS[name](verdicts))
        tell(f"Wrote {file}")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        tell(OUTPUTS["annotations"](verdicts).rstrip("\n"))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _write(Path(summary), OUTPUTS["step-summary"](verdicts), append=True)


def _write(file: Path, text: str, *, append: bool = False) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a" if append else "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
    except OSError as error:
        raise StoreError(f"Cannot write {file}: {error.strerror}.") from None


def exit_code(verdicts: Verdicts) -> int:
    """1 regressed, 4 an endpoint without any request, 3 undecided, 0 ok."""
    from bench.stats import verdict_words as words

    state = words.state(verdicts)
    if state == "regressed":
        return REGRESSED
    if words.missing(verdicts):
        return UNMEASURABLE
    return OK if state == "ok" else UNDECIDED
