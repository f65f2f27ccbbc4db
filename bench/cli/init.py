"""``regionbench init``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.shell import tell
from bench.errors import PlanError
from bench.plan import TEMPLATE


@click.command()
@click.argument("file", default="plan.toml", type=click.Path(path_type=Path))
def init(file: Path) -> None:
    """Write a commented plan to FILE (plan.toml). Never overwrites."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE)
    except FileExistsError:
        raise PlanError(f"{file} is there already; name another file") from None
    except OSError as error:
        raise PlanError(f"cannot write {file}: {error.strerror}") from None
    tell(f"Wrote {file}. Run it with: regionbench run {file}")
