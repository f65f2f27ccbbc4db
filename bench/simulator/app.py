"""One endpoint as an ASGI app: reads a request, decides, and plays the answer's script.

gRPC will be one more branch in `App.__call__`, by content type, over the same `World`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.simulator import answer, asked, shapes
from bench.simulator.asked import Asked, BadBody
from bench.simulator.exchange import Exchange, Receive, Send
from bench.simulator.profile import Model, Region
from bench.simulator.service import Draw
from bench.simulator.shapes import Refusal
from bench.simulator.world import Place, World

_LIST_MS = 3.0  # what a region needs to answer a question about itself
_ACCEPT_MS = 1.0  # from admission to the headers of a stream

_READERS: Mapping[str, tuple[answer.Api, Callable[[bytes], Asked]]] = {
    "/v1/chat/completions": ("chat", asked.read_chat),
    "/v1/responses": ("responses", asked.read_responses),
}
_LISTS = ("/v1/models", "/v1/language-models", "/v1/api-key")


class App:
    """The ASGI app of one endpoint."""

    def __init__(self, world: World, place: Place) -> None:
        self._world = world
        self._place = place

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request; other kinds of ASGI scope are refused by returning."""
        if scope["type"] != "http":
            return
        exchange = Exchange(self._world, self._place, scope, receive, send)
        refusal = self._known(exchange)
        if refusal is not None:
            await exchange.read_body()
            await exchange.refuse(refusal)
        elif exchange.path in _LISTS:
            await self._list(exchange)
        else:
            await self._generate(exchange)

    def _known(self, exchange: Exchange) -> Refusal | None:
        """What the edge itself refuses: no or a wrong key, a path or method there is not."""
        if exchange.path not in _READERS and exchange.path not in _LISTS:
            return shapes.NO_PATH
        if exchange.method != ("POST" if exchange.path in _READERS else "GET"):
            return shapes.NO_METHOD
        key = exchange.key()
        if key is None:
            return shapes.NO_KEY
        return None if self._world.knows(key) else shapes.WRONG_KEY

    async def _list(self, exchange: Exchange) -> None:
        await exchange.read_body()
        region = self._world.home(self._place)
        exchange.way_ms = region.rtt_ms
        served = self._world.models_at(self._place)
        bodies: dict[str, Callable[[], bytes]] = {
            "/v1/models": lambda: shapes.models(served),
            "/v1/language-models": lambda: shapes.language_models(served, region.price_factor),
            "/v1/api-key": lambda: shapes.api_key(self._world.key),
        }
        if self._world.slots[region.name].occupied() is None and self._place.region is not None:
            await exchange.refuse(shapes.GONE)
            return
        exchange.deed.region, exchange.deed.service_ms = region.name, _LIST_MS
        body = bodies[exchange.path]()
        await exchange.play(answer.Script(_LIST_MS, iter([(_LIST_MS, body)])), shapes.JSON)

    async def _generate(self, exchange: Exchange) -> None:
        api, read = _READERS[exchange.path]
        try:
            question = read(await exchange.read_body())
        except BadBody as error:
            await exchange.refuse(shapes.bad_body(str(error)))
            return
        model = self._world.profile.model(question.model)
        refusal = self._acceptable(exchange, question, model)
        if refusal is not None or model is None:
            await exchange.refuse(refusal or shapes.no_model(question.model))
            return
        region = self._world.route(self._place, model.id)
        exchange.way_ms = (region or self._world.home(self._place, model.id)).rtt_ms
        if region is None:
            await exchange.refuse(shapes.AT_CAPACITY)
        else:
            await self._serve(exchange, api, question, model, region)

    def _acceptable(self, exchange: Exchange, asked: Asked, model: Model | None) -> Refusal | None:
        exchange.deed.model = asked.model
        exchange.way_ms = self._world.home(self._place, model.id if model else None).rtt_ms
        if model is None or model not in self._world.models_at(self._place):
            return shapes.no_model(asked.model)
        if asked.effort is not None and asked.effort not in model.efforts:
            return shapes.no_effort(asked.model)
        exchange.quota = self._world.quota(model)
        actual = exchange.quota.take(self._world.now_s())
        if actual is None:
            return None
        return shapes.too_many(model.id, actual, exchange.quota.limits.requests_per_second)

    async def _serve(
        self, exchange: Exchange, api: answer.Api, asked: Asked, model: Model, region: Region
    ) -> None:
        slots = self._world.slots[region.name]
        if slots.occupied() is None:
            await exchange.refuse(shapes.GONE)
            return
        taken = slots.take()
        if not taken:
            taken = await slots.wait()
            exchange.waited()
        if not taken:
            await exchange.refuse(shapes.AT_CAPACITY)
            return
        cached = self._world.remember(region, asked)
        reasoning, content, _ = answer.tokens_of(asked, model)
        drawn = self._world.draw(region, reasoning + content, cached)
        # The slot is free when the region is done, half a round trip before the client knows.
        delay_s = drawn.service_ms / 1000
        asyncio.get_running_loop().call_later(delay_s, slots.release)
        self._note(exchange, region, drawn, cached)
        await self._reply(exchange, api, asked, model, region, drawn)

    def _note(self, exchange: Exchange, region: Region, drawn: Draw, cached: bool) -> None:
        deed, model = exchange.deed, exchange.deed.model
        deed.region, deed.cached, deed.failure = region.name, cached, drawn.failure
        deed.ttft_ms, deed.service_ms = drawn.ttft_ms, drawn.service_ms
        home = self._world.home(self._place, model)
        deed.spilled = self._place.region is None and region is not home

    async def _reply(
        self, exchange: Exchange, api: answer.Api, asked: Asked, model: Model, region: Region,
        drawn: Draw,
    ) -> None:  # fmt: skip
        failed = drawn.failure
        if failed == "server_error" or (failed == "stream_error" and not asked.streamed):
            await exchange.refuse(shapes.SERVER_ERROR)
            return
        if failed == "rate_limited":
            limit = self._world.profile.limits.requests_per_second
            await exchange.refuse(shapes.too_many(model.id, limit, limit))
            return
        said = answer.compose(
            asked, model, region, name=exchange.id, created=int(time.time()),
            cached=exchange.deed.cached,
        )  # fmt: skip
        used = said.usage
        spent = used.prompt + used.completion + used.reasoning
        exchange.quota.spend(self._world.now_s(), spent)
        script = answer.script(said, asked, api, drawn, min(_ACCEPT_MS, drawn.ttft_ms))
        await exchange.play(script, shapes.EVENTS if asked.streamed else shapes.JSON)
