"""Before anything is timed: which endpoints can be measured, and with which model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from urllib.parse import urlsplit

from bench.catalogue import Catalogue
from bench.clients import Settings
from bench.clients.http import HttpClient
from bench.clients.outcome import clean, parse_json
from bench.errors import NothingMeasured, PlanError
from bench.key import Key
from bench.model import ASKING, Check, Endpoint, Kind, Plan, Reply
from bench.request import build_request

TIMEOUT_S = 15.0
_MAX_MODELS = 2000
_LOOK_S = 0.05

AUTO = "auto"
"""The model that stands for one that every endpoint lists."""


def check_endpoints(
    endpoints: Sequence[Endpoint], settings: Settings, api: str
) -> tuple[Check, ...]:
    """Resolve, connect, shake hands and ask ``/v1/models``, all endpoints side by side.

    One `Check` per endpoint in the order given; nothing is raised for what a host does.
    """
    if not endpoints:
        return ()
    # A host that says nothing is known to be dead long before a slow answer would be given up.
    hurried = replace(settings, timeout_s=min(settings.timeout_s, TIMEOUT_S))
    clients = [HttpClient(hurried) for _ in endpoints]
    with ThreadPoolExecutor(max_workers=min(16, len(endpoints))) as pool:
        asked = [
            pool.submit(_check, endpoint, client, settings, api)
            for endpoint, client in zip(endpoints, clients, strict=True)
        ]
        try:
            return tuple(each.result() for each in asked)
        except BaseException:
            _hang_up(asked, clients)
            raise


def _hang_up(asked: Sequence[Future[Check]], clients: Sequence[HttpClient]) -> None:
    """Somebody is in a hurry. Again and again: one that is about to send is not interrupted yet."""
    for each in asked:
        each.cancel()
    while wait(asked, _LOOK_S).not_done:
        for client in clients:
            client.interrupt()


def _check(endpoint: Endpoint, client: HttpClient, settings: Settings, api: str) -> Check:
    kind: Kind = "models" if settings.key else "edge"
    request = build_request(kind, Plan(), api=api, model=None, parameters={}, nonce="")
    try:
        reply, body = client.fetch(endpoint, request, "cold")
    finally:
        client.close()
    return Check(
        endpoint=endpoint.name,
        host=urlsplit(endpoint.url).hostname or endpoint.url,
        outcome=reply.outcome,
        detail=reply.error or "",
        resolves=reply.outcome != "dns_fail" and reply.failed_phase != "dns",
        tls=reply.tls_ns is not None,
        key=_key_accepted(reply, settings),
        models=_models(body, settings.key) if reply.outcome == "ok" and settings.key else None,
    )


def _key_accepted(reply: Reply, settings: Settings) -> bool | None:
    if settings.key is None or reply.status is None:
        return None
    return reply.outcome not in ("bad_key", "forbidden")


def _models(body: bytes, key: Key) -> tuple[str, ...]:
    document = parse_json(body)
    listed = document.get("data") if isinstance(document, dict) else None
    entries = listed if isinstance(listed, list) else []
    names = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    return tuple(key.hide(clean(name)) for name in names[:_MAX_MODELS] if isinstance(name, str))


def measurable(endpoints: Sequence[Endpoint], checks: Sequence[Check]) -> tuple[Endpoint, ...]:
    """The endpoints that can be measured. Raises NothingMeasured when none can, saying why."""
    good = {check.endpoint for check in checks if check.outcome == "ok"}
    if not good:
        reasons = "; ".join(f"{c.endpoint} ({c.host}): {c.outcome} {c.detail}" for c in checks)
        raise NothingMeasured(f"no endpoint can be measured: {reasons}")
    return tuple(endpoint for endpoint in endpoints if endpoint.name in good)


def choose_model(plan: Plan, catalogue: Catalogue, checks: Sequence[Check]) -> str | None:
    """The model to ask: the plan's, or for ``auto`` one that every measured endpoint lists.

    The catalogue's order decides between several, and alone where nobody answered. None when
    nothing but lists is asked for.
    Raises PlanError when there is no such model.
    """
    if not set(plan.kinds) & set(ASKING):
        return None
    if plan.model != AUTO:
        return plan.model
    listed = [set(check.models or ()) for check in checks if check.outcome == "ok"]
    common = set.intersection(*listed) if listed else {model.id for model in catalogue.models}
    known = [model.id for model in catalogue.models if model.id in common]
    if known or common:
        return known[0] if known else min(common)
    raise PlanError(
        "model: no model is listed by every endpoint; name one with --model,"
        " or fewer endpoints with --endpoints"
    )
