"""Notebooks run from top to bottom as they are stored, against the local fleet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text("utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    """Or the tests below would pass on nothing."""
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_in_order(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reader would: restart and run all, in an empty folder, without a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells(notebook):
        exec(compile("".join(cell["source"]), notebook.name, "exec"), names)  # noqa: S102  # that is what a notebook is
    assert "df" in names


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(notebook: Path) -> None:
    """Outputs are somebody's measurement, not the product's."""
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells(notebook))
    assert notebook.stat().st_size < 50_000
