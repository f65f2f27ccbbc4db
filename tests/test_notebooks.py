"""Notebooks run from top to bottom as they are stored, in real kernels, against the local fleet."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import matplotlib.font_manager  # noqa: F401  # its cache is built here, and not aloud in a kernel
import nbformat
import pytest

from tests.jupyter import execute

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FIGURES = {
    "01-quickstart": 2,
    "02-choose-a-region": 4,
    "03-routing-behaviour": 3,
    "04-regressions": 1,
    "05-your-own-metric": 2,
}
DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def read(notebook: Path) -> Any:
    return nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # has no types


def code(notebook: Path) -> list[str]:
    return [cell.source for cell in read(notebook).cells if cell.cell_type == "code"]


def prose(notebook: Path) -> str:
    return "\n".join(c.source for c in read(notebook).cells if c.cell_type == "markdown")


def test_the_notebooks_are_there_in_order() -> None:
    """Or the tests below would pass on nothing."""
    assert tuple(path.stem for path in NOTEBOOKS) == tuple(FIGURES)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_in_order_and_shows_something(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reader would: restart and run all, in an empty folder, without a key. Nothing is said on
    stderr, the first cell draws, and so do the others that should."""
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    cells = [c for c in execute(read(notebook), tmp_path).cells if c.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [o.text for o in outputs if o.output_type == "stream"] == []
    assert any("image/png" in output.data for output in cells[0].outputs)
    assert sum("image/png" in output.data for output in outputs) >= FIGURES[notebook.stem]
    assert cells[-1].outputs
    assert (tmp_path / "results").is_dir()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(notebook: Path) -> None:
    """Outputs are somebody's measurement, not the product's."""
    stored = [cell for cell in read(notebook).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in stored)
    assert notebook.stat().st_size < 50_000
    nbformat.validate(read(notebook))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing(notebook: Path) -> None:
    """What is worth a function belongs in the package, where it is tested."""
    nodes = [node for source in code(notebook) for node in ast.walk(ast.parse(source))]
    assert not [node for node in nodes if isinstance(node, DEFINES)]
    imported = {n.name for node in nodes if isinstance(node, ast.Import) for n in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} == {"bench"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_figure_takes_five_lines_and_the_last_cell_is_the_readers(notebook: Path) -> None:
    """What was shown on an example is done once more on one's own results."""
    first, *_, before, last = code(notebook)
    assert len(first.strip().splitlines()) <= 5
    assert "bench.plots." in first
    assert '"results"' in before + last


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(notebook: Path) -> None:
    """Within the repository; there are no others."""
    links = re.findall(r"\]\(([^)]+)\)", prose(notebook))
    assert all((FOLDER / link).is_file() for link in links), links
