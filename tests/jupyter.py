"""Real Jupyter kernels for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

PATIENCE_S = 240
"""How long a cell may take on a busy machine before the test gives up."""


def execute(notebook: Any, folder: Path) -> Any:
    """Restart and run all, in ``folder``; the notebook with its outputs.

    Raises CellExecutionError for the first cell that does.
    """
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=PATIENCE_S,
        startup_timeout=PATIENCE_S,
        resources=where,
    )
    return client.execute()


def book(*sources: str) -> Any:
    """A notebook of these cells."""
    make: Any = nbformat.v4  # has no types
    return make.new_notebook(cells=[make.new_code_cell(source) for source in sources])


@contextmanager
def kernel(folder: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel in ``folder``, and who talks to it."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE_S)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
