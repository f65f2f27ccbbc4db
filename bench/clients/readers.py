"""Which words an answer speaks: per kind of request, who reads its events and its document."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.clients.answer import Facts, take_document, take_event
from bench.clients.responses import take_response_document, take_response_event
from bench.clients.sse import Event

TakeEvent = Callable[[Facts, Event, int], None]
TakeDocument = Callable[[Facts, bytes], None]

READERS: Mapping[str, tuple[TakeEvent, TakeDocument]] = {
    "chat": (take_event, take_document),
    "responses": (take_response_event, take_response_document),
}
