"""One gRPC call and its reply, on the same connections and times as every other request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.simulator import grpc_shapes
from bench.simulator.exchange import Exchange
from bench.simulator.shapes import HTML, Refusal


def is_grpc(scope: Mapping[str, Any]) -> bool:
    """Whether a request is a gRPC call; only HTTP/2 has the trailers that one ends with."""
    given: bytes = dict(scope["headers"]).get(b"content-type", b"")
    return scope["http_version"] == "2" and given.startswith(grpc_shapes.GRPC)


class GrpcExchange(Exchange):
    """An `Exchange` whose body is messages and whose status comes last, in trailers.

    In the truth log its ``status`` is the one that REST would have sent.
    """

    trailers = True

    def content_type(self, streamed: bool) -> bytes:
        """Of an answer, streamed or not."""
        return grpc_shapes.GRPC

    async def refuse(self, refusal: Refusal) -> None:
        """Ends the call with an error; what comes from the edge itself is HTML, as in REST."""
        if refusal.content_type == HTML:
            self.trailers = False
            await super().refuse(refusal)
            return
        await self._until(0.0)
        await self._start(200, grpc_shapes.GRPC, None, refusal)
        self.deed.status = refusal.status
        await self._finish(b"", refusal)

    async def _start(
        self,
        status: int,
        content_type: bytes,
        metrics: Mapping[str, float] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        # The server's own times are known from REST only.
        await super()._start(status, content_type, None, refusal)

    async def _finish(self, last: bytes, refusal: Refusal | None = None) -> None:
        await super()._finish(last, refusal)
        if self.trailers:
            headers = grpc_shapes.trailers(refusal)
            await self._send({"type": "http.response.trailers", "headers": headers})
