"""The pages that a watch serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from bench.watch.serving import Answer, Page

if TYPE_CHECKING:
    from bench.watch.metrics import Metrics

_TEXT = "text/plain; charset=utf-8"
_FRONT = """\
regionbench watch

/metrics    for Prometheus; asking for it sends no request anywhere
/-/healthy  200 while rounds are asked or none shall be, 503 when the loop stands still
"""


def pages(metrics: Metrics, alive: Callable[[], bool]) -> Mapping[str, Page]:
    """Path → page."""

    def scrape(accept: str) -> Answer:
        content_type, body = metrics.text(accept)
        return HTTPStatus.OK, content_type, body

    def healthy(_: str) -> Answer:
        if alive():
            return HTTPStatus.OK, _TEXT, b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"no row came for too long\n"

    def front(_: str) -> Answer:
        return HTTPStatus.OK, _TEXT, _FRONT.encode()

    return {"/": front, "/metrics": scrape, "/-/healthy": healthy}
