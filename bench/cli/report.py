"""``regionbench report``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import results_option
from bench.cli.shell import print_json, say, tell
from bench.cli.stored import stored


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
    found = Findings(rows.df)
    files = write_report(output or rows.folder, found)
    if as_json:
        places = found.places and found.places.to_dict()
        print_json({"schema_version": 1, "summary": found.summary.to_dict(), "places": places})
    else:
        say(OUTPUTS["text"](found), end="")
    for file in files.values():
        tell(f"Wrote {file}")
