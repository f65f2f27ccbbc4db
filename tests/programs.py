"""Programs that some tests run; a machine with Python alone skips those, and CI never does."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str) -> None:
    """Skip with what to install where ``name`` is missing; in CI that is a failure."""
    if shutil.which(name) is None:
        told = f"needs the program {name}: apt-get install {name}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
