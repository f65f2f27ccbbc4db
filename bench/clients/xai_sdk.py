"""The xAI SDK for Python: gRPC, timed as its user sees it.

What gRPC shows of its connections (channelz) says which one a call was on. Names, TCP and TLS it
times nowhere, so of a new connection only the sum is known, within the first token's time.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import os
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bench.clients import Settings
from bench.clients.exchange import MAX_BODY_BYTES
from bench.clients.grpc_outcome import Status, said
from bench.clients.grpc_reply import Peer, Seen, assemble
from bench.clients.grpc_request import Unsendable, arguments
from bench.clients.reply import without_key
from bench.errors import PlanError
from bench.key import sealed
from bench.model import Connection, Endpoint, Reply, Request
from bench.wire.clock import now_ns

_OPTIONS = [
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # or two channels would share one connection
    ("grpc.enable_http_proxy", 0),  # a proxy is used when asked for, never by the environment
    ("grpc.enable_channelz", 1),
    ("grpc.initial_reconnect_backoff_ms", 60_000),  # it connects for a request, never by itself
]


class XaiSdkClient:
    """One kept channel per endpoint for ``warm``, a new one per request for ``cold``.

    Retries are off, the plan's timeout is the call's deadline. Raises PlanError without the SDK,
    and for what gRPC cannot be told.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.proxy is not None or settings.family != "any":
            raise PlanError("clients: xai-sdk takes neither a proxy nor an address family")
        self._settings = settings
        self._sdk = _Sdk(_pem(settings.context))
        self._kept: dict[str, _Line] = {}
        self._active: _Line | None = None

    @sealed
    def send(self, endpoint: Endpoint, request: Request, connection: Connection) -> Reply:
        """See `bench.clients.Client.send`."""
        seen = Seen()
        try:
            asked = arguments(request, self._sdk.words)
            line = self._line(endpoint, connection)
        except (Unsendable, ValueError) as error:
            seen.fault = str(error)
            return self._reply(seen, request)
        self._call(line, asked, seen, streamed=request.streamed)
        if connection == "cold" or line.cancelled or seen.broken:
            self._drop(endpoint, line)
        return self._reply(seen, request)

    def interrupt(self) -> None:
        """See `bench.clients.Client.interrupt`."""
        if (line := self._active) is not None:
            line.cancelled = True
            line.close()

    def close(self) -> None:
        """Close every channel."""
        for line in self._kept.values():
            line.close()
        self._kept.clear()

    def _line(self, endpoint: Endpoint, connection: Connection) -> _Line:
        if connection == "warm" and endpoint.name in self._kept:
            return self._kept[endpoint.name]
        if self._settings.key is None:
            raise Unsendable("the xAI SDK client sends nothing without a key")
        line = _Line(self._sdk, endpoint, self._settings.key.reveal(), self._settings.timeout_s)
        if connection == "warm":
            self._kept[endpoint.name] = line
        return line

    def _drop(self, endpoint: Endpoint, line: _Line) -> None:
        # A kept channel that failed would go on failing for a second before it tries again.
        line.close()
        if self._kept.get(endpoint.name) is line:
            del self._kept[endpoint.name]

    def _call(self, line: _Line, asked: Mapping[str, Any], seen: Seen, *, streamed: bool) -> None:
        seen.visible, seen.before = line.visible, line.peer()
        self._active = line
        try:
            (_stream if streamed else _sample)(line.client.chat.create(**asked), seen)
        except self._sdk.error as error:
            self._note(error, seen, line)
        except Exception as error:  # a closed channel, a value that the SDK refuses
            seen.fault = f"{type(error).__name__} in the SDK"
        finally:
            self._active = None
        seen.cancelled = line.cancelled
        seen.after = line.peer()

    def _note(self, error: Any, seen: Seen, line: _Line) -> None:
        given = (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
        seen.metadata = {item.key: item.value for item in given}
        text = error.details() or ""
        stood = seen.before or line.peer()
        connected = stood is not None if seen.visible else None
        said_so = said(text, bool(seen.metadata))
        begun = seen.first_event_ns is not None or (bool(given) and not said_so)
        seen.status = Status(error.code().name, text, said_so, begun, connected)

    def _reply(self, seen: Seen, request: Request) -> Reply:
        return without_key(assemble(seen, request, dt.datetime.now(dt.UTC)), self._settings.key)


def _stream(chat: Any, seen: Seen) -> None:
    began_ns = now_ns()
    try:
        for response, chunk in chat.stream():
            seen.take(now_ns() - began_ns, chunk.content, chunk.reasoning_content)
            seen.response = response
            seen.size += chunk.proto.ByteSize()
            if seen.size > MAX_BODY_BYTES:
                seen.excess = f"a stream of more than {MAX_BODY_BYTES} bytes"
                return  # its channel goes, and the call with it
    finally:
        seen.end_ns = now_ns() - began_ns
    seen.finished = _is_finished(seen)


def _sample(chat: Any, seen: Seen) -> None:
    began_ns = now_ns()
    try:
        seen.response = chat.sample()
    finally:
        seen.end_ns = now_ns() - began_ns
    seen.text_hash.update(seen.response.content.encode("utf-8", "replace"))
    seen.finished = _is_finished(seen)


def _is_finished(seen: Seen) -> bool:
    outputs = [] if seen.response is None else seen.response.proto.outputs
    return any(output.finish_reason for output in outputs)


class _Line:
    """An SDK client with a channel of its own, and a view of that channel's connection."""

    _opening = threading.Lock()

    def __init__(self, sdk: _Sdk, endpoint: Endpoint, key: str, timeout_s: float) -> None:
        target, options = _target(endpoint)
        self.cancelled = False
        self._sdk = sdk
        self._last: Peer | None = None
        with self._opening:  # the newest channel is then this one
            self.client = sdk.client(
                api_key=key,
                api_host=target,
                channel_options=[*_OPTIONS, *options],
                timeout=timeout_s,
            )
            self._number = sdk.newest_channel(target)

    @property
    def visible(self) -> bool:
        """Whether gRPC shows this channel."""
        return self._number is not None

    def peer(self) -> Peer | None:
        """The connection that stands now."""
        number = None if self._number is None else self._sdk.connection(self._number)
        if number is None or self._last is None or self._last.number != number:
            self._last = None if number is None else Peer(number, self._sdk.address(number))
        return self._last

    def close(self) -> None:
        """Closes the channel, which ends the calls on it."""
        self.client.close()


def _target(endpoint: Endpoint) -> tuple[str, list[tuple[str, str]]]:
    """Where the channel goes; and, when that is not where its URL says, whom TLS verifies."""
    url = urlsplit(endpoint.url)
    if url.scheme != "https" or url.hostname is None:
        raise Unsendable("the xAI SDK client speaks to https:// endpoints only")
    if endpoint.connect is None:
        return f"{url.hostname}:{url.port or 443}", []
    names = [
        ("grpc.ssl_target_name_override", url.hostname),
        ("grpc.default_authority", url.netloc),
    ]
    return endpoint.connect, names


def _pem(context: ssl.SSLContext) -> bytes:
    """What the run trusts; the SDK by itself would read a variable of its own, once a process."""
    found = context.get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in found).encode()


class _Sdk:
    """The SDK, imported when first needed, with our trust in place of gRPC's own."""

    def __init__(self, roots: bytes) -> None:
        # Its C library writes headers on our terminal when these say so
        os.environ["GRPC_VERBOSITY"] = "NONE"
        os.environ.pop("GRPC_TRACE", None)
        try:
            import grpc
            import xai_sdk
            from grpc._cython import cygrpc
        except ImportError:
            text = "client xai-sdk needs the extra: pip install 'regionbench[xai]'"
            raise PlanError(text) from None
        self.error: type[Exception] = grpc.RpcError
        self.words: Any = xai_sdk.chat
        self.client: Any = _trusting(xai_sdk, grpc.ssl_channel_credentials(roots), grpc)
        self._channelz: Any = cygrpc

    def newest_channel(self, target: str) -> int | None:
        """gRPC's number of the channel that was opened last; None when it does not show them."""
        found = self._ask("top_channels", 0).get("channel", [])
        ours = [each for each in found if each["data"]["target"].endswith(target)]
        return max((int(each["ref"]["channelId"]) for each in ours), default=None)

    def connection(self, channel: int) -> int | None:
        """gRPC's number of the connection that stands under a channel."""
        below = self._refs("channel", channel, "subchannel")
        found = (number for each in below for number in self._refs("subchannel", each, "socket"))
        return next(found, None)

    def _refs(self, kind: str, number: int, below: str) -> list[int]:
        refs = self._ask(kind, number).get(kind, {}).get(f"{below}Ref", [])
        return [int(ref[f"{below}Id"]) for ref in refs]

    def address(self, socket: int) -> str | None:
        """The address that a connection leads to."""
        remote = self._ask("socket", socket).get("socket", {}).get("remote", {})
        packed = remote.get("tcpipAddress", {}).get("ipAddress")
        return None if packed is None else str(ipaddress.ip_address(base64.b64decode(packed)))

    def _ask(self, what: str, number: int) -> dict[str, Any]:
        try:
            shown = getattr(self._channelz, f"channelz_get_{what}")(number)
        except (AttributeError, ValueError):  # another gRPC, or gone already
            return {}
        found: dict[str, Any] = json.loads(shown)
        return found


def _trusting(xai_sdk: Any, trust: Any, grpc: Any) -> Any:
    """The SDK's client, unchanged but for whom its channel believes."""
    plugin, deadline = xai_sdk.client._APIAuthPlugin, xai_sdk.interceptors.TimeoutInterceptor

    class Trusting(xai_sdk.Client):  # type: ignore[misc]  # the SDK is untyped
        def _make_grpc_channel(
            self, key: str, host: str, metadata: Any, options: Any, timeout: float, _bare: bool
        ) -> Any:
            shown = grpc.metadata_call_credentials(plugin(key, metadata))
            both = grpc.composite_channel_credentials(trust, shown)
            channel = grpc.secure_channel(host, both, options=options)
            return grpc.intercept_channel(channel, deadline(timeout))

    return Trusting
