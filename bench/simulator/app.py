"""One endpoint as an ASGI app: reads a request, decides, and plays the answer's script.

A gRPC call is one more kind of question with words of its own; everything else is shared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench.simulator import answer, asked, grpc_shapes, shapes
from bench.simulator.asked import Asked, BadBody
from bench.simulator.exchange import Exchange, Receive, Send
from bench.simulator.grpc_exchange import GrpcExchange, is_grpc
from bench.simulator.profile import Model, Region
from bench.simulator.service import Draw
from bench.simulator.shapes import Refusal
from bench.simulator.world import Place, World

_LIST_MS = 3.0  # what a region needs to answer a question about itself
_ACCEPT_MS = 1.0  # from admission to the headers of a stream

Api = tuple[answer.Voice, Callable[[bytes], Asked]]
_REST: Mapping[str, Api] = {
    "/v1/chat/completions": (answer.CHAT, asked.read_chat),
    "/v1/responses": (answer.RESPONSES, asked.read_responses),
}
_LISTS = ("/v1/models", "/v1/language-models", "/v1/api-key")


def _grpc(words: grpc_shapes.Words | None) -> Mapping[str, Api]:
    if words is None:
        return {}
    voice = answer.Voice(words.whole, words.stream, lambda _: b"")  # errors stand in the trailers
    return {
        grpc_shapes.SAMPLE: (voice, partial(words.read, streamed=False)),
        grpc_shapes.STREAM: (voice, partial(words.read, streamed=True)),
    }


class App:
    """The ASGI app of one endpoint. Without ``words`` it implements no gRPC."""

    def __init__(self, world: World, place: Place, words: grpc_shapes.Words | None = None) -> None:
        self._world = world
        self._place = place
        self._grpc = _grpc(words)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request; other kinds of ASGI scope are refused by returning."""
        if scope["type"] != "http":
            return
        kind, apis = (GrpcExchange, self._grpc) if is_grpc(scope) else (Exchange, _REST)
        exchange = kind(self._world, self._place, scope, receive, send)
        try:
            await self._answer(exchange, apis)
        finally:
            exchange.end()

    async def _answer(self, exchange: Exchange, apis: Mapping[str, Api]) -> None:
        refusal = self._known(exchange, apis)
        if refusal is not None:
            await exchange.read_body()
            await exchange.refuse(refusal)
        elif exchange.path in _LISTS:
            await self._list(exchange)
        else:
            await self._generate(exchange, *apis[exchange.path])

    def _known(self, exchange: Exchange, apis: Mapping[str, Api]) -> Refusal | None:
        """What the edge itself refuses: no or a wrong key, a path or method there is not."""
        if isinstance(exchange, GrpcExchange) and exchange.path not in apis:
            return grpc_shapes.UNIMPLEMENTED
        if exchange.path not in apis and exchange.path not in _LISTS:
            return shapes.NO_PATH
        allowed = "POST" if exchange.path in apis else "GET"
        if exchange.method != allowed:
            return shapes.no_method(allowed)
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

    async def _generate(
        self, exchange: Exchange, voice: answer.Voice, read: Callable[[bytes], Asked]
    ) -> None:
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
            await self._serve(exchange, voice, question, model, region)

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
        self, exchange: Exchange, voice: answer.Voice, asked: Asked, model: Model, region: Region
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
        await self._reply(exchange, voice, asked, model, region, drawn)

    def _note(self, exchange: Exchange, region: Region, drawn: Draw, cached: bool) -> None:
        deed, model = exchange.deed, exchange.deed.model
        deed.region, deed.cached, deed.failure = region.name, cached, drawn.failure
        deed.ttft_ms, deed.service_ms = drawn.ttft_ms, drawn.service_ms
        home = self._world.home(self._place, model)
        deed.spilled = self._place.region is None and region is not home

    async def _reply(
        self, exchange: Exchange, voice: answer.Voice, asked: Asked, model: Model, region: Region,
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
        script = answer.script(said, asked, voice, drawn, min(_ACCEPT_MS, drawn.ttft_ms))
        await exchange.play(script, exchange.content_type(asked.streamed))
