"""``regionbench plot``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.shell import tell
from bench.errors import UsageError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("name", default="ecdf")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="PNG, SVG or PDF file; default: NAME.png.",
)
@click.option(
    "--theme",
    type=click.Choice(["light", "dark"]),
    default="light",
    show_default=True,
    help="The paper it is drawn on.",
)
def plot(run: Path, name: str, output: Path | None, theme: str) -> None:
    """Draw the picture NAME (ecdf, ridgeline, phases, timeline, difference, ...) of the stored
    RUN. `trend` is of a folder of runs: regionbench plot results trend."""
    from bench.loading import load
    from bench.plots import PLOTS

    if name not in PLOTS:
        raise UsageError(f"there is no plot {name!r}; there is {', '.join(PLOTS)}")
    file = output or Path(f"{name}.png")
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"cannot draw to {file}: name a .png, .svg or .pdf file")
    figure = PLOTS[name](load(run), theme=theme)
    try:
        figure.savefig(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    tell(f"Wrote {file}")
