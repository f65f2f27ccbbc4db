"""``regionbench report``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import results_option
from bench.cli.shell import print_json, say, tell
from bench.cli.stored import stored

MANY = 1_000_000
"""Rows, of which a report takes half a gigabyte of memory and half a minute (`scale --report`)."""


@click.command()
@click.argument("run")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the files; default: RUN, or results/BATCH.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON document on stdout.")
@results_option
def report(run: str, output: Path | None, as_json: bool, results: Path) -> None:
    """Turn the stored RUN (a run's folder or id, a batch, a results folder or a samples file) into
    report.html and report.md. Works on runs that were cut off, and says what is missing."""
    from bench.report import COLUMNS, OUTPUTS, Findings, write_report

    rows = stored(run, results, COLUMNS)
    _tell_long(len(rows.df))
    found = Findings(rows.df)
    files = write_report(output or rows.folder, found)
    if as_json:
        places = found.places and found.places.to_dict()
        print_json({"schema_version": 1, "summary": found.summary.to_dict(), "places": places})
    else:
        say(OUTPUTS["text"](found), end="")
    for file in files.values():
        tell(f"Wrote {file}")


def _tell_long(rows: int) -> None:
    """Before the silence: who waits wants to know for how long, and what would be quicker."""
    if rows >= MANY:
        amount = f"{1 + rows / MANY / 2:.0f}"
        tell(
            f"A report of {rows:,} rows takes about {amount} GB of memory and as many minutes; of"
            " one batch or run it takes less: `regionbench history` names them."
        )
