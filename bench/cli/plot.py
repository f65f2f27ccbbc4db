"""``regionbench plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli.shell import tell
from bench.errors import UsageError

ALL = "all"


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("name", default="ecdf")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="PNG, SVG or PDF file; default: NAME.png. For `all`: a folder; default: this one.",
)
@click.option(
    "--theme",
    type=click.Choice(["light", "dark"]),
    default="light",
    show_default=True,
    help="The paper it is drawn on.",
)
def plot(run: Path, name: str, output: Path | None, theme: str) -> None:
    """Draw the picture NAME (ecdf, tail, phases, timeline, routing, ...) of the stored RUN.

    `all` draws every picture that the rows allow, dark ones as NAME-dark.png. `trend` and `smoke`
    are of a folder of runs: regionbench plot results trend.
    """
    from bench.loading import load
    from bench.plots import PLOTS, is_empty

    if name not in (ALL, *PLOTS):
        raise UsageError(f"there is no plot {name!r}; there is {', '.join((ALL, *PLOTS))}")
    df = load(run)
    if name == ALL:
        drawn = {one: PLOTS[one](df, theme=theme) for one in PLOTS}
        tail = "-dark.png" if theme == "dark" else ".png"
        folder = output or Path()
        for one, figure in drawn.items():
            if not is_empty(figure):
                _save(figure, folder / f"{one}{tail}")
        return
    _save(PLOTS[name](df, theme=theme), output or Path(f"{name}.png"))


def _save(figure: Any, file: Path) -> None:
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"cannot draw to {file}: name a .png, .svg or .pdf file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    tell(f"Wrote {file}")
