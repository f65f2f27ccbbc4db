"""The OpenAI Python SDK over the wire's own transport, as a program that uses it sees it.

Token times and the total are those of the SDK's caller; phases, TTFB and whether the connection was
kept are the wire's. The SDK stops reading at ``[DONE]``, which over HTTP/1.1 costs the connection:
``warm`` streams open a new one each time, and their rows say so.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from bench.clients import Settings
from bench.clients.exchange import MAX_BODY_BYTES, Exchange, Piece, note_fault, streams, take_answer
from bench.clients.handed import HandedUp, as_handed_up
from bench.clients.reply import Head, assemble, without_key
from bench.clients.slot import Slot, open_slot
from bench.errors import PlanError
from bench.key import sealed
from bench.model import NOT_KEPT, Connection, Endpoint, Reply, Request
from bench.units import NS_PER_S
from bench.wire.clock import now_ns
from bench.wire.httplib import httpx
from bench.wire.record import Record, WireFault
from bench.wire.transport import Wire

PATHS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "models": "/models",
    "edge": "/models",
}
"""What the SDK puts behind its base URL, per kind of request."""


class OpenAiClient:
    """One kept slot per endpoint for ``warm``, a new one per request for ``cold``; no retries."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._openai = _load()
        self._kept: dict[tuple[str, str], _Seat] = {}
        self._active: Wire | None = None

    @sealed
    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        seat = self._seat(endpoint, request, connection)
        try:
            reply = self._send(seat, request)
        finally:
            if connection == "cold":
                seat.slot.http.close()
        if connection == "warm" and request.streamed and reply.reused is False:
            return replace(reply, flags=" ".join(filter(None, (reply.flags, NOT_KEPT))))
        return reply

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        if (wire := self._active) is not None:
            wire.interrupt()

    def close(self) -> None:
        """Close every connection."""
        for seat in self._kept.values():
            seat.slot.http.close()
        self._kept.clear()

    def _seat(self, endpoint: Endpoint, request: Request, connection: Connection) -> _Seat:
        base = endpoint.url + request.path.removesuffix(PATHS[request.kind])
        if connection == "cold":
            return self._new_seat(endpoint, base)
        name = (endpoint.name, base)
        if name not in self._kept:
            self._kept[name] = self._new_seat(endpoint, base)
        return self._kept[name]

    def _new_seat(self, endpoint: Endpoint, base_url: str) -> _Seat:
        taps: list[_Tap] = []

        def tapped(bare: httpx.BaseTransport) -> httpx.BaseTransport:
            taps.append(_Tap(bare))
            return taps[0]

        slot = open_slot(self._settings, endpoint, tapped)
        key, omit = self._settings.key, self._openai.Omit()
        # The SDK takes an organisation, a project and headers from OPENAI_* variables: not here.
        sdk = self._openai.OpenAI(
            api_key=key.reveal() if key else "none",
            base_url=base_url,
            http_client=slot.http,
            max_retries=0,
            timeout=None,
            default_headers={
                "accept-encoding": "identity",
                "OpenAI-Organization": omit,
                "OpenAI-Project": omit,
            },
        )
        _ = (sdk.chat.completions, sdk.responses, sdk.models)  # they are imported at first use
        return _Seat(slot, taps[0], sdk, {"Authorization": omit})

    def _send(self, seat: _Seat, request: Request) -> Reply:
        deadline_ns = now_ns() + round(self._settings.timeout_s * NS_PER_S)
        seat.tap.listen(seat.slot.wire.begin(deadline_ns))
        self._active = seat.slot.wire
        handed, fault = HandedUp(now_ns()), None
        try:
            _call(seat, request, handed)
        except Exception as error:
            fault = error
        finally:
            handed.ended_ns = now_ns()
            self._active = None
        exchange = Exchange(seat.slot.wire.record)
        self._judge(exchange, seat.tap, request, fault)
        seat.slot.wire.finish(broken=not exchange.ended)
        exchange.app_ns = seat.tap.app_ns(handed)
        reply = assemble(exchange, request, dt.datetime.now(dt.UTC))
        return without_key(
            as_handed_up(reply, request, seat.tap.pieces, handed), self._settings.key
        )

    def _judge(
        self, exchange: Exchange, tap: _Tap, request: Request, fault: Exception | None
    ) -> None:
        """The bytes decide first, then what broke the wire; the SDK's own errors only follow."""
        exchange.head, facts = tap.head, exchange.facts
        follows = isinstance(fault, self._openai.APIStatusError)
        streamed = tap.head is not None and streams(request, tap.head)
        whole = (fault is None or follows or _is_own(fault)) and not exchange.record.ragged_eof
        take_answer(exchange, request, tap.pieces, whole=whole)
        if exchange.record.ragged_eof and not (tap.has_length and not streamed):
            facts.lose("truncated", "the connection ended without TLS close_notify")
        elif fault is not None and not follows and facts.outcome is None:
            note_fault(exchange, _root(fault))


def _load() -> Any:
    try:
        return import_module("openai")
    except ImportError:
        raise PlanError(
            "client openai needs the extra: pip install 'regionbench[openai]'"
        ) from None


@dataclass(slots=True)
class _Seat:
    """An SDK client, the slot below it, and the tap between the two."""

    slot: Slot
    tap: _Tap
    sdk: Any
    no_key: dict[str, Any]


def _call(seat: _Seat, request: Request, handed: HandedUp) -> None:
    """One call of the SDK, to the end of what it hands up."""
    answer = _ask(seat, request)
    if request.streamed:
        for _ in answer:
            handed.events.append(now_ns())


def _ask(seat: _Seat, request: Request) -> Any:
    sdk = seat.sdk
    if request.kind not in ("chat", "responses"):
        return sdk.models.list(extra_headers=None if request.with_key else seat.no_key)
    body = json.loads(request.body)
    common = {"model": body.pop("model"), "stream": body.pop("stream"), "extra_body": body}
    if request.kind == "chat":
        return sdk.chat.completions.create(messages=body.pop("messages"), **common)
    return sdk.responses.create(input=body.pop("input"), **common)


def _root(error: BaseException) -> BaseException:
    """What the SDK wrapped; the wire's and httpcore's own errors are not looked behind."""
    while error.__cause__ is not None and _package(error) in ("openai", "httpx", "httpx2"):
        error = error.__cause__
    return error


def _package(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _is_own(error: Exception) -> bool:
    """Whether the SDK itself took offence, at bytes that the wire had delivered."""
    return _package(_root(error)) in ("openai", "json", "pydantic", "pydantic_core", "builtins")


class _Tap(httpx.BaseTransport):
    """Lets every byte through and keeps it, so that the answer can be judged as it was sent."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self._head_ns: int | None = None
        self.record = Record(deadline_ns=0)
        self.head: Head | None = None
        self.pieces: list[Piece] = []
        self._size = 0

    @property
    def has_length(self) -> bool:
        """Whether the response said how long it is."""
        return self.head is not None and "content-length" in self.head.headers

    def listen(self, record: Record) -> None:
        """Forget the request before."""
        self.record, self.head, self.pieces, self._head_ns = record, None, [], None
        self._size = 0

    def take(self, data: bytes) -> None:
        """Keep a piece of the body. Raises WireFault when there are too many."""
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise WireFault("protocol_error", "body", f"a body of more than {MAX_BODY_BYTES} bytes")
        self.pieces.append((len(self.record.arrivals) - 1, data))

    def app_ns(self, handed: HandedUp) -> int | None:
        """From the call to the head, without the phases of a new connection."""
        if self._head_ns is None:
            return None
        return self._head_ns - handed.began_ns - self.record.lead_ns

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        self._head_ns = now_ns()
        self.head = Head(response.status_code, response.http_version, response.headers)
        response.stream = _Tapped(response.stream, self)
        return response

    def close(self) -> None:
        self._inner.close()


class _Tapped(httpx.SyncByteStream):
    def __init__(self, inner: Any, tap: _Tap) -> None:
        self._inner = inner
        self._tap = tap

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            self._tap.take(data)
            yield data

    def close(self) -> None:
        self._inner.close()
