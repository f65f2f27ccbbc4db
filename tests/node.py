"""The JavaScript SDK for the tests: installed once per session into a folder of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "openai@6"
VARIABLE = "REGIONBENCH_NODE_MODULES"


def require_node_modules() -> Path:
    """The node_modules folder with the SDK; a skip that says why without, in CI a failure."""
    found, reason = installed()
    if found is not None:
        return found
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def installed() -> tuple[Path | None, str]:
    """The folder, or None and the reason."""
    if named := os.environ.get(VARIABLE):
        return Path(named), ""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None, "the JavaScript SDK needs node and npm: install Node 20 or newer"
    folder = tempfile.mkdtemp(prefix="regionbench-node-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, PACKAGE],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    if done.returncode:
        return None, f"npm install {PACKAGE} failed: {done.stderr[-400:]}"
    return Path(folder) / "node_modules", ""
