"""A wire with httpx on top of it: what the clients that speak through our transport share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy

from bench.clients import Settings
from bench.model import Endpoint
from bench.wire.httplib import httpx
from bench.wire.transport import Route, Wire

Wrap = Callable[[httpx.BaseTransport], httpx.BaseTransport]


@dataclass(slots=True)
class Slot:
    """At most one connection, and the httpx client that uses it."""

    wire: Wire
    http: httpx.Client


def open_slot(settings: Settings, endpoint: Endpoint, wrap: Wrap = lambda bare: bare) -> Slot:
    """A slot of its own for ``endpoint``: no redirects, no cookies, nothing of the environment.

    ``wrap`` may put a transport of its own around the wire's.
    """
    route = Route(endpoint.connect, settings.family, settings.proxy, settings.stamps)
    wire = Wire(settings.context, route, http2=settings.http2)
    http = httpx.Client(
        transport=wrap(wire.transport),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # the wire keeps one deadline for the whole request
    )
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return Slot(wire, http)
