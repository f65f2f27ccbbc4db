"""The command line, called in this process: another one takes seconds to load what it needs."""

from __future__ import annotations

import os
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from bench.cli import main

LEAN = {
    "run": ["--no-calibrate", "--no-report"],
    "choose": ["--no-calibrate"],
    "routing": ["--no-calibrate"],
}
"""What a test leaves out of a command that measures; tests/test_routes.py has it all."""


def call(*words: str) -> subprocess.CompletedProcess[str]:
    """As another process would see it: without a key, with its exit code and what it said."""
    measures = words[0] == "run" or "--catalogue" in words
    more = LEAN.get(words[0], []) if measures else []
    out, err = StringIO(), StringIO()
    clean = {name: value for name, value in os.environ.items() if name != "XAI_API_KEY"}
    with patch.dict(os.environ, clean, clear=True), redirect_stdout(out), redirect_stderr(err):
        code = main([*words, *more])
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
