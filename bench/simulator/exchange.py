"""One request and its response on an ASGI connection, and the times at which it is played."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bench.simulator import shapes
from bench.simulator.answer import Script
from bench.simulator.line import Parcel
from bench.simulator.link import Link
from bench.simulator.shapes import Refusal
from bench.simulator.truth import Deed
from bench.simulator.world import Place, World

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LINK = "link"  # the key in the connection's state under which the app finds it
_LEAD_S = 0.002  # each piece is made and encrypted this much ahead of its time
_TURNS = 8
_TRACKED = 4  # of the last pieces it is known how late they left
_MAX_BODY = 16 * 2**20


class Exchange:
    """Everything about one request that is not shared. ``way_ms`` is the round trip between edge
    and region, known once a region is chosen."""

    trailers = False  # whether headers follow the body

    def __init__(
        self, world: World, place: Place, scope: Mapping[str, Any], receive: Receive, send: Send
    ) -> None:
        self._world = world
        self._scope = scope
        self._receive = receive
        self._send = send
        self._link: Link = scope["state"][LINK]
        self._arrived = self._link.arrived
        self._queued_s = 0.0
        self._logged = False
        self._due = 0.0
        self._sent: deque[tuple[float, Parcel]] = deque(maxlen=_TRACKED)
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.way_ms = 0.0
        self.quota = world.quota(None)
        self.id, self._chance = world.next_request()
        self.deed = Deed(str(self.id), place.name, self.path, round(world.now_s(), 6))

    def key(self) -> bytes | None:
        """The bearer key, or None when there is none."""
        given = dict(self._scope["headers"]).get(b"authorization", b"")
        scheme, _, key = given.partition(b" ")
        return key.strip() or None if scheme.lower() == b"bearer" else None

    async def read_body(self) -> bytes:
        """The whole request body, of at most 16 MiB; the rest of a longer one is dropped."""
        body = bytearray()
        while True:
            message = await self._receive()
            if len(body) < _MAX_BODY:
                body += message.get("body", b"")
            if not message.get("more_body", False):
                # Times count from the last byte of the request, as the client's do: parsing it
                # is part of the delay that was asked for, not on top of it.
                self._arrived = self._link.arrived
                self._link.first_left = None
                return bytes(body)

    def waited(self) -> None:
        """Marks the end of the time in a queue: all that passed since arrival."""
        self._queued_s = self._world.now() - self._arrived
        self.deed.queue_ms = round(self._queued_s * 1000, 3)

    def content_type(self, streamed: bool) -> bytes:
        """Of an answer."""
        return shapes.EVENTS if streamed else shapes.JSON

    async def refuse(self, refusal: Refusal) -> None:
        """Sends an error, after the way to whoever refuses and back."""
        await self._until(0.0)
        await self._start(refusal.status, refusal.content_type, None, refusal)
        await self._finish(refusal.content())

    async def play(self, script: Script, content_type: bytes) -> None:
        """Sends a 200 by its script: headers first, then each piece at its time."""
        await self._until(script.head_ms)
        await self._start(200, content_type, script.metrics)
        held: tuple[float, bytes] | None = None
        for piece in script.pieces:
            # One piece behind: the last one must go out with the end of the body.
            if held is not None:
                await self._until(held[0])
                await self._body(held[1], more=True)
            held = piece
        at_ms, last = held or (script.head_ms, b"")
        await self._until(at_ms)
        if script.cut:
            self._log()
            await self._body(last, more=True)
            self._link.break_off()
            return
        await self._finish(last, script.refusal)

    async def _until(self, at_ms: float) -> None:
        way_ms = self._world.profile.edge_overhead_ms + self.way_ms
        due = self._arrived + self._queued_s + (way_ms + at_ms) / 1000
        ahead = due - self._world.now() - _LEAD_S
        if ahead > 0:
            await asyncio.sleep(ahead)
        self._link.hold_until = self._due = due

    async def _start(
        self,
        status: int,
        content_type: bytes,
        metrics: Mapping[str, float] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        self.deed.status = status
        quota = (self.quota.limits, *self.quota.remaining(self._world.now_s()))
        headers = shapes.headers(
            content_type, self.id, chance=self._chance, colo=self._world.profile.colo,
            domain=self._world.domain, quota=quota, metrics=metrics, refusal=refusal,
        )  # fmt: skip
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(start | {"trailers": self.trailers})

    async def _finish(self, last: bytes, refusal: Refusal | None = None) -> None:
        """The end of the body. A refusal in mid-stream is a part of the body here."""
        self._log()
        await self._body(last, more=False)

    def end(self) -> None:
        """A client that went away before its answer's end ends the request: it was made, and is in
        the log."""
        if not self._logged:
            self._log()

    def _log(self) -> None:
        # Before the last byte: who has read a whole response finds it in the log.
        self._logged = True
        gone = [(due, parcel.left) for due, parcel in self._sent if parcel.left is not None]
        if gone:
            due, when = gone[-1]
            self.deed.late_ms = round((when - due - self._link.one_way_s) * 1000, 4)
        if (left := self._link.first_left) is not None:
            self.deed.first_ms = round((left - self._arrived) * 1000, 4)
        self._world.truth.add(self.deed)

    async def _body(self, data: bytes, *, more: bool) -> None:
        before = self._link.writes
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        for _ in range(_TURNS):
            # HTTP/2 writes in a task of its own: it must, before the next piece's time is set.
            if self._link.writes > before:
                if self._link.sent is not None:
                    self._sent.append((self._due, self._link.sent))
                return
            await asyncio.sleep(0)
