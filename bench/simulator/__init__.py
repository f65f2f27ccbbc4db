"""A fleet on loopback that speaks the service's protocols: regions, a router, TLS and all.

    profile   what a fleet is like, from TOML            answer    a question's answer and script
    service   times, failures, load: pure, seeded        shapes    headers and bodies, as recorded
    router    which region serves: pure                  asked     request bodies, checked
    world     what the endpoints share                   app       one endpoint as an ASGI app
    line      distance, and exact timers                 server    addresses, HTTP/1.1 and HTTP/2
    truth     what really happened                       fleet     the parent's side, `Fleet`
    grpc_shapes, grpc_exchange                           the same answers in gRPC, on the same ports

``openapi.json`` describes the paths of REST that are served.

To everything above, a fleet is one more catalogue: `Fleet.start().catalogue`.
"""

from __future__ import annotations

from bench.simulator.fleet import Fleet
from bench.simulator.names import PROFILES

__all__ = ["PROFILES", "Fleet"]
