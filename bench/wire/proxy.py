"""Proxies: used only when asked for, and said aloud either way. Passwords are never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bench.errors import UsageError

FROM_ENVIRONMENT = "env"
_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that tunnels (CONNECT): where it is, and whom it knows."""

    host: str
    port: int
    auth: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        """Its address, fit to show."""
        return f"http://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.url})"


def environment_proxy(environ: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """The first proxy variable that is set, and its value; None when none is."""
    return next(((name, environ[name]) for name in _VARIABLES if environ.get(name)), None)


def find_proxy(asked: str | None, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """The proxy asked for: a URL, or ``env`` for the environment's; None when none is asked for.

    Raises UsageError, without showing the value, when it is not an http:// URL.
    """
    if asked is None:
        return None
    if asked != FROM_ENVIRONMENT:
        return _parse(asked, "--proxy")
    found = environment_proxy(environ)
    if found is None:
        names = ", ".join(_VARIABLES)
        raise UsageError(
            f"--proxy env: none of {names} is set; export one, or write the proxy's URL"
        )
    return _parse(found[1], found[0])


def _parse(text: str, source: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme != "http":
        raise UsageError(f"{source}: not an HTTP proxy; write http://host:port")
    named = parts.username is not None
    auth = (unquote(parts.username or ""), unquote(parts.password or "")) if named else None
    return Proxy(host, port, auth)
