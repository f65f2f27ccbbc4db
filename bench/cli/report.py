"""``regionbench report``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.shell import print_json, say, tell


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for the files; default: RUN."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON document on stdout.")
def report(run: Path, output: Path | None, as_json: bool) -> None:
    """Turn the stored RUN (a run folder, a results folder or a samples file) into report.html and
    report.md. Works on runs that were cut off, and says what is missing."""
    from bench.loading import load
    from bench.report import OUTPUTS, write_report
    from bench.stats import summarise

    df = load(run)
    folder = output or (run if run.is_dir() else run.parent)
    files = write_report(folder, df)
    summary = summarise(df)
    if as_json:
        print_json({"schema_version": 1, "summary": summary.to_dict()})
    else:
        say(OUTPUTS["text"](summary, df, df.attrs.get("runs", [])), end="")
    for file in files.values():
        tell(f"Wrote {file}")
