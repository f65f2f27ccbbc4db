"""A process that holds a key keeps its memory and its environment to itself."""

from __future__ import annotations

import ctypes
import re
import resource
import sys
from collections.abc import Mapping

_PR_SET_DUMPABLE = 4
_SECRET = re.compile("KEY|TOKEN|SECRET|PASS", re.IGNORECASE)


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process of ours that has no business with keys."""
    return {name: text for name, text in environ.items() if not _SECRET.search(name)}


def shield() -> None:
    """No core dumps, here and in what is started from here; on Linux no other process of the same
    user may read this one's environment or memory either.

    That keeps debuggers and sampling profilers out too (they need root then). It lasts as long as
    the process does; may be called again.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
