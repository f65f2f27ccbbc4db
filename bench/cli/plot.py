"""``regionbench plot``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import results_option
from bench.cli.shell import tell
from bench.cli.stored import stored
from bench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
"""What a vantage's name may hold, and a file's should not."""


@click.command()
@click.argument("run")
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
@results_option
def plot(run: str, name: str, output: Path | None, theme: str, results: Path) -> None:
    """Draw the picture NAME (ecdf, tail, phases, timeline, routing, ...) of the stored RUN: a run's
    folder or id, a batch, or a results folder.

    `all` draws every picture that the rows allow, dark ones as NAME-dark.png. `trend` and `smoke`
    are of a folder of runs: regionbench plot results trend. Rows of several vantages get a picture
    each, NAME-VANTAGE.png; `vantages` has them all.
    """
    from bench.plots import COLUMNS, PLOTS, is_empty

    if name not in (ALL, *PLOTS):
        raise UsageError(f"there is no plot {name!r}; there is {', '.join((ALL, *PLOTS))}")
    names = [*PLOTS] if name == ALL else [name]
    read = {column for one in names for column in COLUMNS[one]}
    parts = _parts(stored(run, results, [*read]).df)
    tail = "-dark.png" if theme == "dark" else ".png"
    for one in names:
        for mark, df in parts[one == "vantages"].items():
            figure = PLOTS[one](df, theme=theme)
            if name != ALL:
                _save(figure, _marked(output or Path(f"{name}.png"), mark))
            elif not is_empty(figure):
                _save(figure, (output or Path()) / f"{one}{mark}{tail}")


def _parts(df: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """End of a file's name → its rows: by vantage where there are several, and together."""
    from bench.stats.vantages import by_vantage

    found = by_vantage(df)
    if len(found) < 2:
        return {"": df}, {"": df}
    return {f"-{_UNFIT.sub('_', name)}": part for name, part in found.items()}, {"": df}


def _marked(file: Path, mark: str) -> Path:
    return file.with_name(f"{file.stem}{mark}{file.suffix}")


def _save(figure: Any, file: Path) -> None:
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"cannot draw to {file}: name a .png, .svg or .pdf file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    tell(f"Wrote {file}")
