"""Which clients can be held to the matrix on this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec
from shutil import which

from bench.clients import CLIENTS
from tests.node import VARIABLE, installed

_PACKAGES = {"openai": "openai", "xai-sdk": "xai_sdk"}


def why_missing(client: str) -> str | None:
    """Why a client cannot take part here, None when it can; finds node's modules on the way."""
    if client in _PACKAGES and find_spec(_PACKAGES[client]) is None:
        return f"{client} needs its extra"
    if client == "curl" and which("curl") is None:
        return "there is no curl"
    if client == "openai-js":
        folder, reason = installed()
        if folder is None:
            return reason
        os.environ[VARIABLE] = str(folder)
    return None


def present() -> tuple[list[str], dict[str, str]]:
    """The clients that can take part, and the reasons of those that cannot."""
    reasons = {client: why_missing(client) for client in CLIENTS}
    missing = {client: reason for client, reason in reasons.items() if reason is not None}
    return [client for client in CLIENTS if client not in missing], missing
